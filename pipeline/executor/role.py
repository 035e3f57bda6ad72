"""The executor role: one process of it, from its start to its end."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any
from uuid import uuid4

from ..actions import registry, secrets
from ..actions.declaration import Context
from ..actions.vault import Vault
from ..errors import BrokerUnavailable
from ..kafka.presence import here
from ..settings import Settings
from ..times import rfc3339
from . import intake, writer
from .desk import CONTROLS, Desk
from .intake import Intake
from .ledger import Terms
from .listener import Listener
from .masking import mask_logs

HEARTBEAT = 0.5
STOP_LIMIT = 15.0
SETTLING = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """What one executor needs to know.

    ``instance`` names it over its restarts; at most one process bears the name at a time.
    """

    bootstrap: str
    instance: str
    slots: int = 100
    context: Context = field(default_factory=Context)
    terms: Terms = field(default_factory=Terms)
    stop_limit: float = STOP_LIMIT


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Runs actions until ``stop`` is set; then what runs may end and is reported.

    Raises ``InvalidSetting`` when the settings name no usable source of secrets,
    ``Fenced`` when another process took over what this one thought its own, and
    ``CheckpointFailed`` or ``KafkaException`` when Kafka refuses: the process must then end.
    """
    if not settings.kafka:
        raise BrokerUnavailable("no Kafka is set: give --kafka HOST:PORT, or use `faultline up`")
    context = Context(
        allow=frozenset(settings.http_allow),
        cloud_url=settings.cloud_url or "",
        cloud_token=settings.cloud_token or "",
        vault=Vault(secrets.provider(settings.secrets) if settings.secrets else None),
        commands=settings.command_allow,
        kafka=settings.kafka,
        topics=frozenset(settings.topic_allow),
        known_hosts=settings.ssh_known_hosts or "",
        clouds=str(settings.clouds or ""),
        kubeconfig=str(settings.kubeconfig or ""),
    )
    context.vault.note([settings.cloud_token, settings.token])
    mask_logs(context.vault)
    await execute(Options(settings.kafka, settings.instance, settings.executor_slots, context), stop)


async def execute(options: Options, stop: asyncio.Event) -> None:
    """``run`` with its options spelled out."""
    loop = asyncio.get_running_loop()
    # A restarted process must not take its predecessor's entries for its own: the name says which life.
    name = f"{options.instance}#{uuid4().hex[:12]}"
    with ThreadPoolExecutor(max_workers=16, thread_name_prefix="ledger") as threads:
        desk = Desk(
            bootstrap=options.bootstrap,
            name=name,
            slots=options.slots,
            context=options.context,
            writer=writer.writer(options.bootstrap, options.instance),
            terms=options.terms,
            threads=threads,
            failed=loop.create_future(),
        )
        desk.listener = Listener(options.bootstrap, options.instance, desk, loop)
        _thread(desk, desk.listener.run, "listener")
        tasks = [
            asyncio.create_task(_supervised(desk, part))
            for part in (desk.writer.acknowledge(), desk.renew(), _beat(desk, options.instance))
        ]
        reading: threading.Thread | None = None
        try:
            # Before anything is begun it must be known whether effects are off.
            desk.listener.attend(CONTROLS, 0)
            await _first(desk, stop, desk.informed.wait())
            if not stop.is_set() and not desk.failed.done():
                consumer = intake.consumer(options.bootstrap, options.instance)
                desk.intake = Intake(consumer, desk, loop, hold=not desk.effects)
                reading = _thread(desk, desk.intake.run, "intake")
                # Its import takes long enough to be felt by whatever runs when the first request is made.
                await asyncio.to_thread(import_module, "pipeline.actions.http")
                await asyncio.to_thread(registry.names)
                await _first(desk, stop)
            await _finish(desk, options, reading)
        finally:
            for task in tasks:
                task.cancel()
            desk.listener.end()
            await options.context.close()


async def _finish(desk: Desk, options: Options, reading: threading.Thread | None) -> None:
    """Gives the partitions up, lets what runs end, and says good-bye; raises what the role failed with."""
    if reading is not None and desk.intake is not None:
        desk.intake.end()
        while reading.is_alive() and not desk.failed.done():  # noqa: ASYNC110 - it waits for a thread
            await asyncio.sleep(0.02)
    left = await desk.drain(options.stop_limit)
    if left:
        log.warning("%d actions did not end in %g s; their outcome is unknown here", left, options.stop_limit)
    if not desk.failed.done():
        desk.writer.status(_key(options.instance), None)
    with suppress(TimeoutError):
        async with asyncio.timeout(SETTLING):
            await desk.writer.settled()
    if desk.failed.done():
        desk.failed.result()


async def _first(desk: Desk, stop: asyncio.Event, wanted: Any = None) -> None:
    """Returns when ``wanted``, the stop or a failure has come."""
    waits = [asyncio.ensure_future(stop.wait()), *([asyncio.ensure_future(wanted)] if wanted else [])]
    await asyncio.wait([*waits, desk.failed], return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


async def _beat(desk: Desk, instance: str) -> None:
    """Tells, for ever, how far this executor has come."""
    while True:
        partitions = sorted(desk.owned)
        positions = {str(number): owned.position for number, owned in sorted(desk.owned.items())}
        ledgers = [owned.ledger for owned in desk.owned.values()]
        counters = {
            "running": len(desk.running),
            "waiting": sum(ledger.waiting for ledger in ledgers),
            "finished": desk.finished,
            "repeated": sum(ledger.counts.repeated for ledger in ledgers),
            "settled": sum(ledger.counts.settled for ledger in ledgers),
            "rerun": sum(ledger.counts.rerun for ledger in ledgers),
            "dead_letters": desk.letters,
            "read": desk.intake.read if desk.intake is not None else 0,
            "effects": "on" if desk.effects else "off",
        }
        status = {
            "role": "executor",
            "instance": instance,
            **here(),
            "time": rfc3339(time.time_ns() // 1000),
            "positions": {intake.ACTIONS: positions},
            "partitions": partitions,
            "counters": counters,
        }
        desk.writer.status(_key(instance), status)
        await asyncio.sleep(HEARTBEAT)


async def _supervised(desk: Desk, part: Any) -> None:
    try:
        await part
    except Exception as error:
        desk.fail(error)


def _thread(desk: Desk, body: Callable[[], None], name: str) -> threading.Thread:
    """Starts ``body``; an error in it ends the role."""
    loop = asyncio.get_running_loop()

    def guarded() -> None:
        try:
            body()
        except BaseException as error:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(desk.fail, error)

    # A daemon: a broker that is gone for good must not hold the process.
    thread = threading.Thread(target=guarded, name=name, daemon=True)
    thread.start()
    return thread


def _key(instance: str) -> str:
    return f"executor/{instance}"
