"""Runs one worker of a deployment: the role named, or all five, each as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
import threading

from .. import settings as configuration
from ..errors import InvalidCall
from ..settings import Settings

SUMMARY = "one worker of a deployment"
ROLES = ("ingest", "correlate", "workflow", "executor", "history")
# What a worker makes is either gone at once or kept, and hardly ever a cycle. With the interpreter's own
# thresholds the collector's looks at all that is kept were half of what a rule's alarm cost, and took
# most of a second each. These look at little at a time: some ten milliseconds.
COLLECT_AFTER = (3_000, 3, 5_000)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--role",
        action="append",
        metavar="ROLE",
        help=f"one of {', '.join(ROLES)}; may be repeated (default all)",
    )
    # Said by a supervisor, which has done it for all its workers.
    parser.add_argument("--topics-checked", action="store_true", help=argparse.SUPPRESS)
    configuration.add_arguments(
        parser,
        *("data", "kafka", "clickhouse", "api", "token", "partitions", "registry", "http_allow"),
        *("cloud_url", "cloud_token", "secrets", "clouds", "kubeconfig", "ssh_known_hosts"),
        *("command_allow", "topic_allow", "executor_slots", "instance"),
    )


def run(args: argparse.Namespace) -> int:
    from ..logs import configure as configure_logs

    roles = tuple(dict.fromkeys(args.role or ROLES))
    for role in roles:
        if role not in ROLES:
            raise InvalidCall(f"there is no role {role!r}; roles are {', '.join(ROLES)}")
    settings = configuration.load(args)
    if settings.kafka is None:
        raise InvalidCall(
            "a worker needs --kafka BOOTSTRAP (or FAULTLINE_KAFKA); faultline up starts a broker itself"
        )
    configure_logs(settings.log_level, settings.log_format, roles[0] if len(roles) == 1 else None)
    if not args.topics_checked:
        from ..kafka import topics

        topics.ensure(settings.kafka, partitions=settings.partitions)
    if len(roles) > 1:
        from ..local import supervisor

        return supervisor.run_workers(settings, roles)
    from ..kafka.presence import refuse_second

    refuse_second(settings.kafka, roles[0], settings.instance)
    run_role(roles[0], settings)
    return 0


def run_role(role: str, settings: Settings) -> None:
    """Runs ``role`` in this process until SIGTERM or SIGINT. Raises what ends it otherwise."""
    gc.set_threshold(*COLLECT_AFTER)
    if role == "ingest":
        from ..ingest.role import run as ingest

        halt = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: halt.set())
        ingest(settings, halt)
        return
    asyncio.run(_run_async(role, settings))


async def _run_async(role: str, settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if role == "executor":
        from ..executor.role import run as executor

        await executor(settings, stop)
    elif role == "history":
        from ..history.role import run as history

        await history(settings, stop)
    else:
        from ..streams.role import run as streams

        await streams(settings, stop, "correlate" if role == "correlate" else "workflow")
