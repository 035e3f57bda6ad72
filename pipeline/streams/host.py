"""The partitions that this worker owns: taken over, moved on, checkpointed, given up.

Knows nothing of Faust and of Kafka's clients, so that the simulator runs it as it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..errors import Fenced
from ..kafka.changelog import LIMIT, Begun
from ..kafka.checkpoint import Changelog, checkpoint, is_due, load, note, take_over, touch
from ..kafka.partition import (
    Outbox,
    Partition,
    Poisoned,
    Record,
    apply,
    condemned,
    is_repeated,
    note_before,
    set_aside,
)
from ..kafka.shard import Factory
from ..logs import about

log = logging.getLogger(__name__)

Offload = Callable[[Callable[[], None]], Awaitable[None]]


@dataclass(slots=True)
class Host:
    """One worker's share of a log. ``release`` is told which partitions are not ours any more."""

    topic: str
    factory: Factory
    outbox: Outbox
    changelog: Changelog
    release: Callable[[Collection[int]], None] = lambda numbers: None
    offload: Offload = asyncio.to_thread
    owned: dict[int, Partition] = field(default_factory=dict)
    active: dict[int, Partition] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def assign(self, numbers: Collection[int]) -> Mapping[int, int]:
        """Makes ``numbers`` ours, and nothing else; returns the last applied offset of each.

        Records are taken only after ``activate``. Raises ``CheckpointFailed``.
        """
        async with self.lock:
            self.active = {}
            # State can outlive its ownership: what is not in this assignment is worthless.
            await self._drop([number for number in self.owned if number not in numbers])
            await self._drop(await self._lost())
            wanted = sorted(set(numbers) - set(self.owned))
            for partition, values in await take_over(wanted, self.topic, self.factory, self.changelog):
                await self.offload(partial(load, partition, values))
                self.owned[partition.number] = partition
                log.info(
                    "%s[%d] taken over at offset %d: %d keys%s",
                    self.topic,
                    partition.number,
                    partition.position,
                    len(values),
                    ", going carefully" if partition.careful else "",
                )
            return {number: partition.position for number, partition in self.owned.items()}

    def activate(self) -> None:
        """From here on records are taken."""
        self.active = dict(self.owned)

    async def revoke(self) -> None:
        """The last checkpoint of all that is owned; no record is taken until the next ``activate``.

        Every partition is written, changed or not: an owner that was thought dead must find
        out here that it is fenced. Raises ``Fenced``, ``CheckpointFailed``.
        """
        # First of all: what were applied after the snapshot would be lost with the partition.
        self.active = {}
        async with self.lock:
            await self._all([self._checkpoint(partition, clean=True) for partition in self.owned.values()])

    async def checkpoint(self) -> None:
        """A checkpoint of every partition that has moved. Raises ``Fenced``, ``CheckpointFailed``."""
        async with self.lock:
            await self._all([self._checkpoint(p) for p in self.owned.values() if is_due(p)])

    def take(self, partition: Partition, record: Record) -> None:
        """One record through its partition, which must not be careful.

        Raises ``CheckpointFailed`` at a gap, ``Poisoned`` when the record must be taken back.
        """
        apply(partition, record, self.outbox)

    async def take_carefully(self, partition: Partition, record: Record) -> None:
        """The same where owners have died: what is about to be begun is written down before.

        A record that was begun alone ``LIMIT`` times, each time without a checkpoint after
        it, is set aside, so that no record can keep a partition down.
        """
        offset = record.offset
        async with self.lock:
            if is_repeated(partition, offset):
                return
            guilty = condemned(partition, offset)
            if guilty is not None:
                message = f"set aside after it was begun {LIMIT} times without a checkpoint"
                set_aside(partition, record, guilty.reason, message, self.outbox)
                log.warning("%s", message, extra=about(self.topic, partition.number, offset))
                await self._checkpoint(partition)
                return
            begun = note_before(partition, offset)
            if begun is not None:
                await note(partition, begun, self.changelog)
            apply(partition, record, self.outbox)
            if partition.begun is not None and partition.begun.last <= offset:
                await self._checkpoint(partition)

    async def condemn(self, poisoned: Poisoned) -> None:
        """Notes that the record is to be set aside. The process must end: only a restore undoes it."""
        async with self.lock:
            begun = Begun(poisoned.offset, poisoned.offset, LIMIT, poisoned.reason)
            await note(self.owned[poisoned.partition], begun, self.changelog)

    def timers(self, now: int) -> None:
        """Asks for the timers that are due."""
        for partition in self.active.values():
            due = partition.shard.due()
            if due is not None and due <= now:
                outputs = partition.shard.timers(now)
                if outputs:
                    self.outbox.send(outputs, partition.batch)

    def positions(self) -> dict[str, int]:
        """For each owned partition the first offset whose consequences are not all kept yet."""
        return {str(number): partition.checkpointed + 1 for number, partition in sorted(self.owned.items())}

    def counters(self) -> dict[str, Any]:
        """What the owned partitions have counted since they were taken over, added up."""
        totals: dict[str, Any] = {"read": 0, "replayed": 0, "dead_letters": 0}
        for partition in self.owned.values():
            totals["read"] += partition.applied + partition.letters
            totals["replayed"] += partition.repeated
            totals["dead_letters"] += partition.letters
            add_up(totals, partition.shard.counters())
        return totals

    async def _checkpoint(self, partition: Partition, *, clean: bool = False) -> None:
        await checkpoint(partition, self.outbox, self.changelog, clean=clean)

    async def _lost(self) -> list[int]:
        """Which of the kept partitions have had another owner meanwhile."""
        lost = []
        for number, partition in self.owned.items():
            try:
                await touch(partition, self.changelog)
            except Fenced:
                lost.append(number)
        return lost

    async def _drop(self, numbers: list[int]) -> None:
        for number in numbers:
            del self.owned[number]
        if numbers:
            self.release(numbers)

    async def _all(self, checkpoints: Iterable[Awaitable[None]]) -> None:
        # In parallel: 50-80 ms for eight partitions against 250 ms one after another.
        results = await asyncio.gather(*checkpoints, return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        for failure in sorted(failures, key=lambda failure: not isinstance(failure, Fenced)):
            raise failure


def add_up(totals: dict[str, Any], counters: Mapping[str, Any]) -> None:
    """Adds one partition's counters: numbers are summed, lists joined, of two words the greater stays."""
    for name, value in counters.items():
        before = totals.get(name)
        if isinstance(value, dict):
            # Never into the shard's own: what it counts must not grow by being shown.
            totals[name] = before if isinstance(before, dict) else {}
            add_up(totals[name], value)
        elif before is None:
            totals[name] = value
        elif isinstance(before, list) and isinstance(value, list):
            totals[name] = [*before, *(item for item in value if item not in before)]
        elif isinstance(before, str) and isinstance(value, str):
            totals[name] = max(before, value)
        elif isinstance(before, int | float) and isinstance(value, int | float):
            totals[name] = before + value
