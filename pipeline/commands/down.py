"""Stops the pipeline of a data directory; actions in flight may finish."""

from __future__ import annotations

import argparse
import os
import signal
import sys

from .. import settings as configuration
from ..errors import InvalidCall, NotRunning

SUMMARY = "stop it"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout", type=float, default=30.0, metavar="SECONDS", help="then end it by force (default 30)"
    )
    configuration.add_arguments(parser, "data")


def run(args: argparse.Namespace) -> int:
    from ..local import instance, processes

    settings = configuration.load(args)
    if args.timeout < 0:
        raise InvalidCall("--timeout is a number of seconds from 0")
    running = instance.read(settings.data)
    if running is None:
        raise NotRunning(f"no pipeline runs on {settings.data}")
    os.kill(running.pid, signal.SIGTERM)
    if processes.wait_gone(running.pid, args.timeout):
        return 0
    print(f"it did not stop within {args.timeout:g} s and was ended by force", file=sys.stderr)
    # Its children die with it.
    os.kill(running.pid, signal.SIGKILL)
    processes.wait_gone(running.pid, 10)
    instance.remove(settings.data)
    return 1
