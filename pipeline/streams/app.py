"""The Faust application around a host: it brings the records, and nothing else is asked of it.

Faust reads, forms the group and rebalances. State, outputs and positions are the host's:
Faust's tables, producer and commits stay out of the path, each for a reason that is named
where it is turned off.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faust
from faust.types import TP

from ..errors import CheckpointFailed
from ..kafka.partition import Poisoned, Record
from ..logs import about
from .host import Host
from .transport import Transport

log = logging.getLogger(__name__)

SESSION = 10.0
"""Seconds until the group takes a silent worker for dead: the bulk of a take-over."""

BURST = 32
"""Records taken between two rounds of the event loop: some milliseconds' worth."""

Fail = Callable[[BaseException], None]


@dataclass(frozen=True, slots=True)
class Membership:
    """How a worker is known to its group."""

    group: str
    instance: str
    bootstrap: str
    directory: Path


def application(member: Membership) -> Any:
    """A Faust app that only reads."""
    # aiokafka's debug lines cost a tenth of the throughput even where they are dropped.
    for name in ("aiokafka", "faust", "mode"):
        logging.getLogger(name).setLevel(logging.WARNING)
    app = faust.App(
        member.group,
        broker=[f"kafka://{server}" for server in member.bootstrap.split(",")],
        datadir=member.directory,
        value_serializer="raw",
        key_serializer="raw",
        store="memory://",
        web_enabled=False,
        # Topics are declared and checked in one place, and that is not here.
        topic_allow_declare=False,
        topic_disable_leader=True,
        # A member that comes back under its name within the session finds its partitions waiting.
        consumer_group_instance_id=member.instance,
        broker_session_timeout=SESSION,
        broker_heartbeat_interval=2.0,
        broker_rebalance_timeout=20.0,
        broker_request_timeout=30.0,
        consumer_auto_offset_reset="earliest",
        # What waits in Faust's buffer is thrown away and read again at a rebalance.
        stream_buffer_maxsize=2048,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        worker_redirect_stdouts=False,
        cython_optimizations=True,
    )
    app.transport = Transport(app.conf.broker_consumer, app)
    return app


def attach(app: Any, host: Host, fail: Fail) -> None:
    """Hangs ``host`` into ``app``. ``fail`` ends the process; it is told of every error.

    Faust would swallow it otherwise: it acknowledges an event whose agent raised, restarts
    the agent and goes on, and it logs what a rebalance callback raises.
    """
    # Without acknowledgements Faust neither tracks messages nor commits offsets of its own,
    # which run ahead of the checkpoint.
    source = app.topic(host.topic, key_serializer="raw", value_serializer="raw", acks=False)
    assigning: asyncio.Task[None] | None = None

    async def agent(stream: Any) -> None:
        waiting = stream.channel.queue
        try:
            async for event in stream.events():
                await _take(host, event.message)
                # Faust's iterator goes round the event loop for each record. Those that wait
                # already are taken at once, but for those that it would pass over.
                for _ in range(min(BURST, waiting.qsize())):
                    message = waiting.get_nowait().message
                    if message.generation_id == app.consumer_generation_id and app.flow_control.is_active():
                        await _take(host, message)
        except asyncio.CancelledError:
            raise
        except Poisoned as poisoned:
            await _condemn(host, poisoned, fail)
        except Exception as error:
            fail(error)

    app.agent(source, concurrency=1, name=f"{host.topic}-agent")(agent)

    async def revoked(*_: object, **__: object) -> None:
        await _guarded(host.revoke(), fail)

    async def rebalanced(*_: object, **__: object) -> None:
        nonlocal assigning
        # Another rebalance cancels this handler in the middle. The take-over goes on to its
        # end regardless, and the next one waits for it: half a restore is no state.
        before = assigning
        assigning = asyncio.create_task(_guarded(_assign(app, host, before), fail))
        await asyncio.shield(assigning)

    app.on_partitions_revoked.connect(revoked, weak=False)
    app.on_rebalance_complete.connect(rebalanced, weak=False)


async def _take(host: Host, message: Any) -> None:
    partition = host.active.get(message.partition)
    if partition is None:
        return  # Not ours, or not yet: it is read again from the checkpoint.
    # Faust has made seconds of the broker's milliseconds.
    timestamp = round(message.timestamp * 1000) * 1000
    record = Record(message.offset, message.key, message.value, timestamp)
    if partition.careful:
        await host.take_carefully(partition, record)
    else:
        host.take(partition, record)


async def _assign(app: Any, host: Host, before: asyncio.Task[None] | None) -> None:
    if before is not None:
        await before
    consumer = app.consumer
    numbers = {tp.partition for tp in consumer.assignment() if tp.topic == host.topic}
    positions = await host.assign(numbers)
    if not positions:
        return
    # Faust reads on from what is committed, so the checkpoint's position is what we commit;
    # also 0, where it would else remember nothing to compare with.
    offsets = {TP(host.topic, number): position + 1 for number, position in positions.items()}
    if await consumer._commit(offsets):
        host.activate()
    else:
        # Silent in Faust: another rebalance has begun, and its handler comes next.
        log.info("%s: rebalanced again before reading on", host.topic)


async def _condemn(host: Host, poisoned: Poisoned, fail: Fail) -> None:
    try:
        await host.condemn(poisoned)
    except Exception as error:
        fail(error)
    else:
        where = about(host.topic, poisoned.partition, poisoned.offset)
        log.error("set aside at the next start: %s", poisoned, extra=where)
        fail(CheckpointFailed(f"{host.topic}[{poisoned.partition}] offset {poisoned.offset}: {poisoned}"))


async def _guarded(work: Awaitable[None], fail: Fail) -> None:
    try:
        await work
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        fail(error)
