"""Starts everything on this machine, plays an incident from fault to repair, and checks each step."""

from __future__ import annotations

import argparse
import json
import sys

from .. import settings as configuration

SUMMARY = "play an incident on this machine and show what happens"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keep", action="store_true", help="leave everything running until Ctrl-C")
    parser.add_argument(
        "--pace", type=float, default=1.0, help="stretch (over 1) or shorten the cloud's delays"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the outcome as JSON, the story to standard error"
    )
    configuration.add_arguments(
        parser, "data", "rules", "playbooks", "kafka", "clickhouse", "api", "partitions"
    )


def run(args: argparse.Namespace) -> int:
    settings = configuration.load(args)
    from rich.console import Console

    from ..errors import FaultlineError
    from ..local import demo, supervisor
    from ..logs import configure as configure_logs

    configure_logs(
        "warning" if settings.log_level == "info" else settings.log_level, settings.log_format, "demo"
    )
    console = Console(stderr=args.json, highlight=False)
    with supervisor.signals() as received:
        stay = (lambda: not received) if args.keep else None
        try:
            outcome = demo.run(settings, console, pace=args.pace, keep=stay)
        except FaultlineError:
            if received:
                return 130
            raise
    if args.json:
        json.dump(outcome.document(), sys.stdout, indent=2, sort_keys=True)
        print()
    return 0 if outcome.held else 1
