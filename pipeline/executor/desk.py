"""The executor's desk: takes work from the partitions that it owns, has it done, and reports it.

All of it lives in one event loop. The order in which things are written is what the
guarantees rest on; ``pipeline.executor.ledger`` says what it is.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import msgspec
from confluent_kafka import Producer

from ..actions.declaration import Context
from ..kafka import reader, table
from ..logs import about
from .entry import Entry, Outcome, finish, renew, report
from .intake import ACTIONS, Intake, Received
from .ledger import Ledger, Terms
from .listener import Heard, Listener
from .runner import perform, repeatable
from .writer import LEDGER, Writer

CONTROLS = "controls"
TICK = 0.5
# No more is read while so many wait beyond what the slots can soon take.
BACKLOG = 2_000

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Owned:
    """A partition that this executor owns."""

    number: int
    ledger: Ledger
    producer: Producer
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    letters: set[int] = field(default_factory=set)
    listened: bool = True
    ending: bool = False
    task: asyncio.Task[None] | None = None
    recalls: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def position(self) -> int:
        """The next offset of ``workflow.actions`` whose work this process alone may know."""
        return min([self.ledger.accepted + 1, *self.letters])


@dataclass(slots=True)
class Run:
    """An action between the acknowledgement of its start and that of its end."""

    entry: Entry
    partition: int
    task: asyncio.Task[None] | None = None
    ended: bool = False


@dataclass(slots=True)
class Desk:
    """What one executor process does. ``failed`` is set to the error that it must end with."""

    bootstrap: str
    name: str
    slots: int
    context: Context
    writer: Writer
    terms: Terms
    threads: ThreadPoolExecutor
    failed: asyncio.Future[None]
    effects: bool = True
    busy: int = 0
    owned: dict[int, Owned] = field(default_factory=dict)
    running: dict[str, Run] = field(default_factory=dict)
    finished: int = 0
    letters: int = 0
    intake: Intake | None = None
    listener: Listener | None = None
    informed: asyncio.Event = field(default_factory=asyncio.Event)

    # The intake's host.

    async def assign(self, positions: dict[int, int]) -> None:
        """Fences former owners, then learns what their ledgers hold."""
        partitions = list(positions)
        assert self.listener is not None
        began = time.monotonic()
        fences = [self._thread(partial(_fence, self.bootstrap, number)) for number in partitions]
        producers = await asyncio.gather(*fences)
        for number, producer in zip(partitions, producers, strict=True):
            ledger = Ledger(self.name, repeatable, self.terms)
            ledger.begin_at(positions[number])
            self.owned[number] = Owned(number, ledger, producer)
            self.listener.attend(LEDGER, number)
        for number in partitions:
            owned = self.owned[number]
            await owned.ready.wait()
            owned.task = asyncio.create_task(self._guard(self._serve(owned)))
        log.info("took partitions %s of workflow.actions in %.2f s", partitions, time.monotonic() - began)

    async def revoke(self, partitions: list[int]) -> dict[int, int]:
        """Stops starting; what runs goes on, and is reported when it ends."""
        assert self.listener is not None
        given = [self.owned[number] for number in partitions if number in self.owned]
        for owned in given:
            owned.ending = True
            owned.wake.set()
        await asyncio.gather(*[owned.task for owned in given if owned.task is not None])
        positions = {}
        for owned in given:
            del self.owned[owned.number]
            if owned.listened:
                self.listener.leave(LEDGER, owned.number)
            if owned.position > 0:
                positions[owned.number] = owned.position
        log.info("gave up partitions %s of workflow.actions", partitions)
        return positions

    def receive(self, records: list[Received]) -> None:
        for record in records:
            owned = self.owned.get(record.partition)
            if owned is None:
                continue
            if record.work is not None:
                owned.ledger.receive(record.work, record.offset)
            else:
                self._set_aside(owned, record)
            owned.wake.set()
        self._hold()

    # The listener's audience.

    def heard(self, topic: str, partition: int, records: list[Heard]) -> None:
        if topic == CONTROLS:
            for key, value, _ in records:
                if key == "effects":
                    self._switch(value)
            return
        owned = self.owned.get(partition)
        if owned is None:
            return
        try:
            if owned.ready.is_set():
                for record in records:
                    owned.ledger.heard(*record)
                self._send(owned)
                self._listen(owned)
                owned.wake.set()
            else:
                owned.ledger.restore(records)
        except Exception as error:
            self.fail(error)

    def caught_up(self, topic: str, partition: int) -> None:
        if topic == CONTROLS:
            self.informed.set()
            return
        owned = self.owned.get(partition)
        if owned is not None and not owned.ready.is_set():
            owned.ledger.restored(_now())
            owned.ready.set()
            owned.wake.set()
            self._listen(owned)

    # The life of an action.

    async def _serve(self, owned: Owned) -> None:
        """Plans, writes and starts, one transaction after another, until the partition is given up."""
        ledger = owned.ledger
        self._send(owned)
        while not owned.ending:
            owned.wake.clear()
            batch = ledger.plan(_now(), self.slots - self.busy if self.effects else 0)
            if batch is None:
                await _wait(owned.wake, TICK)
                continue
            # Reserved before the wait, or another partition would take the same slots.
            self.busy += len(batch.starts)
            if batch.records:
                write = partial(table.transact, owned.producer, LEDGER, owned.number, batch.records)
                await self._thread(write)
            for entry in ledger.commit(batch):
                self._begin(entry, owned.number)
            self._listen(owned)
            self._send(owned)
            self._commit(owned)
            self._hold()

    def _begin(self, entry: Entry, partition: int) -> None:
        run = Run(entry, partition)
        self.running[entry.work.id] = run
        run.task = asyncio.create_task(self._guard(self._carry(run)))

    async def _carry(self, run: Run) -> None:
        outcome = await perform(self.context, run.entry.work)
        self._end(run, outcome)

    def _end(self, run: Run, outcome: Outcome) -> None:
        run.ended = True
        run.task = None
        self.busy -= 1
        self.finished += 1
        entry = finish(run.entry, outcome, _now())
        self.writer.entry(run.partition, entry, partial(self._ended, entry, run.partition))
        self._rouse()

    def _ended(self, entry: Entry, partition: int, offset: int) -> None:
        """The finished entry is on record: now, and not before, the outcome may be sent."""
        owned = self.owned.get(partition)
        if owned is None:
            output = report(entry)
            if output is not None:
                self.writer.output(output)
        else:
            owned.ledger.ended(entry, offset)
            self._send(owned)
        self.running.pop(entry.work.id, None)

    def _send(self, owned: Owned) -> None:
        ledger = owned.ledger
        if not owned.ready.is_set():
            return
        faded = ledger.faded()
        if faded:
            task = asyncio.create_task(self._guard(self._recall(owned, faded)))
            owned.recalls.add(task)
            task.add_done_callback(owned.recalls.discard)
        for entry in ledger.unsent():
            output = report(entry)
            if output is None:
                ledger.reported(entry.work.id)
            else:
                self.writer.output(output, partial(_reported, ledger, entry.work.id))

    async def _recall(self, owned: Owned, ids: list[str]) -> None:
        """Reads the ledger for outcomes that memory does not hold any more: rare, so it is simple."""
        read = partial(reader.table, self.bootstrap, LEDGER, [owned.number], self.name)
        values = (await self._thread(read))[owned.number]
        for id_ in ids:
            owned.ledger.recall(id_, values.get(id_))
        if self.owned.get(owned.number) is owned:
            self._send(owned)

    async def renew(self) -> None:
        """Renews, for ever, the leases of what runs here."""
        while True:
            await asyncio.sleep(self.terms.renew / 4_000_000)
            now = _now()
            for run in self.running.values():
                left = run.entry.lease - now
                if run.ended or left > self.terms.lease - self.terms.renew:
                    continue
                # A lapsed lease of a lost partition may be settled already; that must not be undone.
                if left > 0 or run.partition in self.owned:
                    run.entry = renew(run.entry, now, self.terms.lease)
                    self.writer.entry(run.partition, run.entry)

    async def drain(self, limit: float) -> int:
        """Waits up to ``limit`` seconds for what runs; returns how much of it did not end."""
        deadline = time.monotonic() + limit
        while self.running and time.monotonic() < deadline:  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(0.02)
        left = [run for run in self.running.values() if run.task is not None]
        for run in left:
            assert run.task is not None
            run.task.cancel()
        return len(left)

    def fail(self, error: BaseException) -> None:
        """Has the role end with ``error``; the first one counts."""
        if not self.failed.done():
            self.failed.set_exception(error)

    # Small matters.

    def _set_aside(self, owned: Owned, record: Received) -> None:
        assert record.letter is not None
        self.letters += 1
        offset = record.offset
        owned.letters.add(offset)
        owned.ledger.skip(offset)
        where = about(ACTIONS, record.partition, offset)
        log.warning("cannot be read: %s", record.letter.error, extra=where)

        def kept(_: int) -> None:
            owned.letters.discard(offset)
            self._commit(owned)

        self.writer.letter(record.letter, kept)

    def _switch(self, value: bytes | None) -> None:
        try:
            said = msgspec.json.decode(value or b"{}", type=dict[str, Any]).get("effects", "on")
        except msgspec.MsgspecError:
            log.warning("a record of controls cannot be read; effects stay %s", self.effects)
            return
        effects = said != "off"
        if effects != self.effects:
            log.info("effects are %s", "on" if effects else "off: nothing is begun until they are on again")
        self.effects = effects
        self._hold()
        self._rouse()

    def _hold(self) -> None:
        if self.intake is not None:
            waiting = sum(owned.ledger.waiting for owned in self.owned.values())
            self.intake.hold = not self.effects or waiting > BACKLOG + 8 * self.slots

    def _rouse(self) -> None:
        for owned in self.owned.values():
            if owned.ledger.waiting:
                owned.wake.set()

    def _listen(self, owned: Owned) -> None:
        if owned.listened and not owned.ledger.listening:
            assert self.listener is not None
            owned.listened = False
            self.listener.leave(LEDGER, owned.number)

    def _commit(self, owned: Owned) -> None:
        if self.intake is not None and owned.position > 0 and self.owned.get(owned.number) is owned:
            self.intake.commit(owned.number, owned.position)

    async def _guard(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as error:
            self.fail(error)

    async def _thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.threads, call)


def _reported(ledger: Ledger, id_: str, _: int) -> None:
    ledger.reported(id_)


def _fence(bootstrap: str, partition: int) -> Producer:
    producer = table.transactional(bootstrap, f"faultline-executor-{partition}")
    table.initialize(producer)
    return producer


async def _wait(event: asyncio.Event, limit: float) -> None:
    try:
        async with asyncio.timeout(limit):
            await event.wait()
    except TimeoutError:
        return


def _now() -> int:
    return time.time_ns() // 1000
