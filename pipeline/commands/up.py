"""Starts the whole pipeline on this machine and keeps it running until Ctrl-C (or faultline down)."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

from .. import settings as configuration
from ..errors import FaultlineError
from ..settings import Settings

SUMMARY = "start the whole pipeline on this machine"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--detach", action="store_true", help="return when it is ready and leave it running")
    parser.add_argument(
        "--prune", action="store_true", help="remove live rules and playbooks whose files are gone"
    )
    configuration.add_arguments(
        parser,
        *("data", "rules", "playbooks", "values", "kafka", "clickhouse", "api", "partitions"),
        *("registry", "http_allow", "cloud_url", "secrets", "clouds", "kubeconfig", "ssh_known_hosts"),
        *("command_allow", "topic_allow", "executor_slots"),
    )


def run(args: argparse.Namespace) -> int:
    settings = configuration.load(args)
    if args.detach:
        return _detach(settings, args.prune)
    from ..local import supervisor
    from ..logs import configure as configure_logs

    configure_logs(settings.log_level, settings.log_format, "up")
    with supervisor.signals() as received:
        try:
            pipeline = supervisor.start(settings, prune=args.prune, stopped=lambda: bool(received))
        except supervisor.StartFailed:
            if received:
                return 130
            raise
        print(f"faultline is up: {pipeline.settings.api} (Kafka {pipeline.settings.kafka})", file=sys.stderr)
        try:
            supervisor.run(pipeline, lambda: bool(received))
        finally:
            print("stopping; once more Ctrl-C ends it at once", file=sys.stderr)
            supervisor.stop(pipeline, lambda: len(received) > 1)
    return 0


def _detach(settings: Settings, prune: bool) -> int:
    from ..local import instance, processes

    instance.refuse_second(settings.data)
    logs = settings.data / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    path = logs / "up.log"
    before = path.stat().st_size if path.exists() else 0
    variables = {name: value for name, value in os.environ.items() if not name.startswith("FAULTLINE_")}
    if cache := os.environ.get("FAULTLINE_CACHE"):
        variables["FAULTLINE_CACHE"] = cache
    variables |= configuration.environment(settings)
    with path.open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "pipeline", "up", *(["--prune"] if prune else [])],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=variables,
            start_new_session=True,
        )
    while child.poll() is None:
        running = instance.read(settings.data)
        if running is not None and running.pid == child.pid:
            print(
                f"faultline is up: {running.api} (Kafka {running.kafka}), pid {running.pid}", file=sys.stderr
            )
            return 0
        time.sleep(0.1)
    said = processes.tail(path) if path.stat().st_size > before else ""
    raise FaultlineError(f"it did not start ({processes.describe(child.returncode)}); see {path}\n{said}")
