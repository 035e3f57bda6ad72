"""One role's worker: the host, the Faust app around it, and what must happen on time."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from ..errors import CheckpointFailed
from ..kafka.outbox import LINGER, Encode, KafkaOutbox, producer
from ..kafka.partition import Batch
from ..kafka.presence import here
from ..kafka.reader import collection_off
from ..kafka.shard import Factory
from ..kafka.table import KafkaChangelog
from ..times import rfc3339
from . import stall
from .app import Membership, application, attach
from .host import Host

log = logging.getLogger(__name__)

CHECKPOINT_EVERY = 0.5
STATUS_EVERY = 0.5
COUNTERS_EVERY = 2.0
TIMERS_EVERY = 0.02
POLL_EVERY = 0.005
HANGS_AFTER = 120.0
REARM_EVERY = 10.0
STATUS = "roles.status"


@dataclass(frozen=True, slots=True)
class Role:
    """What makes one role different from another."""

    name: str
    source: str
    changelog: str
    factory: Factory
    timers: bool


@dataclass(frozen=True, slots=True)
class Worker:
    """Who this process is. ``instance`` is its name among its role's, the same after a restart."""

    bootstrap: str
    instance: str
    directory: Path
    encode: Encode


async def work(role: Role, worker: Worker, stop: asyncio.Event) -> None:
    """Runs until ``stop`` is set, then checkpoints and returns.

    Any error that is not a record's own ends the process: what it has in memory may be
    wrong, what is in the changelog is right, and a supervisor starts it again.
    """
    name = f"{role.name}/{worker.instance}"
    outbox = KafkaOutbox(
        producer(worker.bootstrap, f"faultline-{name}"),
        role.name,
        worker.encode,
        unhurried=producer(worker.bootstrap, f"faultline-{name}-journal", LINGER),
    )
    changelog = KafkaChangelog(worker.bootstrap, role.name, role.source, role.changelog)
    host = Host(role.source, role.factory, outbox, changelog, changelog.release, _restore)
    member = Membership(
        f"faultline-{role.name}", f"{role.name}-{worker.instance}", worker.bootstrap, worker.directory
    )
    app = application(member)
    attach(app, host, _end)
    status = Batch()
    await asyncio.to_thread(outbox.meet)
    counters = _seldom(COUNTERS_EVERY, host.counters)
    await app.start()
    chores = [
        _every(CHECKPOINT_EVERY, host.checkpoint),
        _every(REARM_EVERY, _arm),
        _every(STATUS_EVERY, lambda: _announce(role, worker.instance, host, counters, outbox, status)),
        _every(POLL_EVERY, lambda: _poll(outbox, status)),
        _watch(app),
        stall.watch(host, changelog.extent),
    ]
    if role.timers:
        chores.append(_every(TIMERS_EVERY, lambda: _timers(host)))
    tasks = [asyncio.create_task(_guarded(chore)) for chore in chores]
    await stop.wait()
    log.info("%s: stopping", role.name)
    # Faust does not call its revoke handler when it is stopped.
    await host.revoke()
    for task in tasks:
        task.cancel()
    faulthandler.cancel_dump_traceback_later()
    outbox.announce(STATUS, name, None, status)
    left = await asyncio.to_thread(outbox.close)
    changelog.close()
    if left:
        raise CheckpointFailed(f"{left} records were not delivered at the stop")
    try:
        await asyncio.wait_for(app.stop(), 5)
    except TimeoutError:
        log.info("%s: Faust did not stop in time; nothing depends on it", role.name)


async def _every(seconds: float, chore: Callable[[], Awaitable[None]]) -> None:
    while True:
        started = time.monotonic()
        await chore()
        await asyncio.sleep(max(0.0, seconds - (time.monotonic() - started)))


def _seldom(seconds: float, count: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """``count``, asked again only after a while: positions must be fresh, counts cost more."""
    known: dict[str, Any] = {}
    until = 0.0

    def counted() -> dict[str, Any]:
        nonlocal known, until
        if time.monotonic() >= until:
            known = count()
            until = time.monotonic() + seconds
        return known

    return counted


async def _arm() -> None:
    # A record that hangs its shard hangs this loop too: then the process ends with a traceback,
    # and the next owner goes carefully. Arming takes milliseconds, hence seldom.
    faulthandler.dump_traceback_later(HANGS_AFTER, exit=True)


async def _timers(host: Host) -> None:
    host.timers(time.time_ns() // 1000)


async def _poll(outbox: KafkaOutbox, status: Batch) -> None:
    outbox.poll()
    if status.error is not None:
        raise CheckpointFailed(f"a record was not delivered: {status.error}")


async def _announce(
    role: Role,
    instance: str,
    host: Host,
    counters: Callable[[], dict[str, Any]],
    outbox: KafkaOutbox,
    status: Batch,
) -> None:
    beat = {
        "role": role.name,
        "instance": instance,
        **here(),
        "time": rfc3339(time.time_ns() // 1000),
        "positions": {role.source: host.positions()},
        "partitions": sorted(host.owned),
        "counters": counters(),
    }
    outbox.announce(STATUS, f"{role.name}/{instance}", beat, status)


async def _watch(app: Any) -> None:
    await app.wait_until_stopped()
    raise CheckpointFailed(f"Faust stopped by itself: {app.crash_reason!r}")


async def _restore(load: Callable[[], None]) -> None:
    # Collection is off meanwhile and never looks at the result again: both double the speed
    # of what comes after, since what is restored is kept.
    with collection_off():
        await asyncio.to_thread(load)
        gc.freeze()


async def _guarded(chore: Awaitable[None]) -> None:
    # asyncio keeps a task's exception to itself until somebody asks.
    try:
        await chore
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        _end(error)


def _end(error: BaseException) -> NoReturn:
    log.critical("ending: %s: %s", type(error).__name__, error, exc_info=error)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    # At once and without cleaning up: nothing more of what is in memory may get out.
    os._exit(1)
