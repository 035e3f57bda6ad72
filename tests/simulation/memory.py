"""Kafka in memory: logs, transactions that fence, acknowledgements that take their time.

What a crash can tear apart is torn apart here too: a transaction has a moment before and
one after it is committed, an output one before and one after it is in the log.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random

import msgspec

from pipeline.errors import Fenced
from pipeline.events import Output
from pipeline.kafka.checkpoint import Restored, Values
from pipeline.kafka.deadletter import DEAD_LETTERS, DeadLetter
from pipeline.kafka.murmur2 import partition as partition_of
from pipeline.kafka.partition import Batch, Record

START = 1_767_600_000_000_000
MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Sent:
    """An output as it arrived."""

    topic: str
    key: str
    id: str
    value: bytes
    time: str


@dataclass(slots=True)
class Kafka:
    """All that outlives a worker."""

    partitions: int
    draw: Random
    log: list[list[Record]] = field(init=False)
    kept: list[list[tuple[str, bytes | None]]] = field(init=False)
    epochs: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    sent: list[Sent] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    feed: str = ""
    """The topic that is the log itself, where its own outputs may go."""

    arrived: Callable[[Sent], None] = lambda sent: None
    """Told of every output that arrives: the world around, such as who carries out actions."""

    def __post_init__(self) -> None:
        self.log = [[] for _ in range(self.partitions)]
        self.kept = [[] for _ in range(self.partitions)]

    def now(self) -> int:
        """The broker's clock, in microseconds; it has milliseconds, as Kafka's."""
        return START + int(asyncio.get_running_loop().time() * 1000) * 1000

    def append(self, key: str | int, value: bytes) -> None:
        """A record for the log, in the partition of its key, or in the partition ``key``."""
        log = self.log[key if isinstance(key, int) else partition_of(key, self.partitions)]
        log.append(Record(len(log), str(key).encode(), value, self.now()))

    def arrive(self, sent: Sent) -> None:
        """An output is in its topic."""
        self.sent.append(sent)
        if sent.topic == self.feed:
            self.append(sent.key, sent.value)
        self.arrived(sent)

    def table(self, partition: int) -> dict[str, bytes]:
        """The changelog as a reader of committed records finds it."""
        values: dict[str, bytes] = {}
        for key, value in self.kept[partition]:
            if value is None:
                values.pop(key, None)
            else:
                values[key] = value
        return values


@dataclass(slots=True)
class Process:
    """What a worker's life hangs on: it can be ended at any await, or frozen and woken."""

    alive: bool = True
    awake: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.awake.set()

    async def pause(self, seconds: float) -> None:
        """Takes time, and longer while the process is frozen."""
        await asyncio.sleep(seconds)
        await self.awake.wait()


@dataclass(slots=True)
class MemoryChangelog:
    """``Changelog`` of one process. ``epochs`` are those that it was given when it fenced."""

    kafka: Kafka
    process: Process
    epochs: dict[int, int] = field(default_factory=dict)

    async def fence(self, partitions: Collection[int]) -> None:
        for number in partitions:
            await self.process.pause(self.kafka.draw.uniform(0.001, 0.05))
            self.kafka.epochs[number] += 1
            self.epochs[number] = self.kafka.epochs[number]

    async def restore(self, partitions: Collection[int]) -> Restored:
        await self.process.pause(self.kafka.draw.uniform(0.001, 0.1))
        return {number: self.kafka.table(number) for number in partitions}

    async def extent(self, partitions: Collection[int]) -> Mapping[int, tuple[int, int]]:
        await self.process.pause(0.001)
        return {number: (0, len(self.kafka.log[number])) for number in partitions}

    async def write(self, partition: int, values: Values) -> None:
        await self.process.pause(self.kafka.draw.uniform(0.001, 0.02))
        self._check(partition)
        # The transaction is open: another owner may come before it is committed.
        await self.process.pause(self.kafka.draw.uniform(0.001, 0.05))
        self._check(partition)
        self.kafka.kept[partition].extend(values)
        await self.process.pause(self.kafka.draw.uniform(0.001, 0.02))

    def _check(self, partition: int) -> None:
        if self.epochs[partition] != self.kafka.epochs[partition]:
            raise Fenced(f"partition {partition} has another owner")


@dataclass(slots=True)
class MemoryOutbox:
    """``Outbox`` of one process: records arrive late, in order for a destination, or never."""

    kafka: Kafka
    process: Process
    busy: dict[tuple[str, int], float] = field(default_factory=dict)

    def send(self, outputs: list[Output], batch: Batch) -> None:
        for output in outputs:
            sent = Sent(output.topic, output.key, output.id, msgspec.json.encode(output.value), output.time)
            place = (output.topic, partition_of(output.key, self.kafka.partitions))
            self._later(place, batch, partial(self.kafka.arrive, sent))

    def set_aside(self, letter: DeadLetter, batch: Batch) -> None:
        self._later((DEAD_LETTERS, 0), batch, partial(self.kafka.letters.append, letter))

    async def settled(self, batch: Batch) -> None:
        while batch.pending:
            await self.process.pause(0.002)

    def _later(self, place: tuple[str, int], batch: Batch, arrive: Callable[[], None]) -> None:
        batch.pending += 1
        loop = asyncio.get_running_loop()
        # One destination may be slow while the others are not: acknowledgements overtake.
        draw = self.kafka.draw
        delay = draw.uniform(0.05, 0.8) if draw.random() < 0.05 else draw.uniform(0.001, 0.02)
        at = max(self.busy.get(place, 0.0), loop.time() + delay)
        self.busy[place] = at

        def acknowledge() -> None:
            batch.pending -= 1

        def deliver() -> None:
            if not self.process.alive:
                return  # It was still in the memory of a process that is gone.
            if not self.process.awake.is_set():
                loop.call_later(0.05, deliver)
                return
            arrive()
            loop.call_later(draw.uniform(0.0, 0.01), acknowledge)

        loop.call_at(at, deliver)
