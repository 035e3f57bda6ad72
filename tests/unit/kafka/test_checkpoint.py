from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import pytest
from support.counter import CounterShard

from pipeline.errors import CheckpointFailed
from pipeline.events import Output
from pipeline.kafka import changelog as kept
from pipeline.kafka.changelog import PROGRESS_KEY, Begun, Progress
from pipeline.kafka.checkpoint import Restored, Values, checkpoint, is_due, load, snap, take_over
from pipeline.kafka.deadletter import DeadLetter
from pipeline.kafka.partition import Batch, Partition


@dataclass
class Notes:
    """Both ports at once: writes down who was called, in order."""

    calls: list[str] = field(default_factory=list)
    values: dict[str, bytes] = field(default_factory=dict)
    begin: int = 0
    end: int = 100
    meanwhile: Callable[[], None] = lambda: None

    def send(self, outputs: list[Output], batch: Batch) -> None: ...

    def set_aside(self, letter: DeadLetter, batch: Batch) -> None: ...

    async def settled(self, batch: Batch) -> None:
        self.calls.append("settled")
        self.meanwhile()

    async def fence(self, partitions: Collection[int]) -> None:
        self.calls.append("fence")

    async def restore(self, partitions: Collection[int]) -> Restored:
        self.calls.append("restore")
        return {number: dict(self.values) for number in partitions}

    async def extent(self, partitions: Collection[int]) -> Mapping[int, tuple[int, int]]:
        return dict.fromkeys(partitions, (self.begin, self.end))

    async def write(self, partition: int, values: Values) -> None:
        self.calls.append("write")
        for key, value in values:
            if value is None:
                self.values.pop(key, None)
            else:
                self.values[key] = value

    def progress(self) -> Progress:
        return kept.decode(self.values[PROGRESS_KEY])


def moved(position: int = 0) -> Partition:
    partition = Partition(0, "log", CounterShard(0), -1, -1, restores=1)
    for offset in range(position + 1):
        partition.shard.step(b'{"key": "k%d"}' % offset, offset, 0)
    partition.position = position
    return partition


def restored(notes: Notes) -> Partition:
    ((partition, values),) = asyncio.run(take_over([0], "log", CounterShard, notes))
    load(partition, values)
    return partition


def test_outputs_are_acknowledged_before_the_state_is_written() -> None:
    notes, partition = Notes(), moved(2)
    asyncio.run(checkpoint(partition, notes, notes))
    assert notes.calls == ["settled", "write"]
    assert notes.progress().position == partition.checkpointed == 2
    assert not is_due(partition)
    assert restored(notes).shard.table == partition.shard.table  # type: ignore[attr-defined]


def test_what_happens_during_the_wait_is_not_written_but_stays_due() -> None:
    notes, partition = Notes(), moved(0)

    def more() -> None:
        partition.shard.step(b'{"key": "k0"}', 1, 0)
        partition.position = 1

    notes.meanwhile = more
    asyncio.run(checkpoint(partition, notes, notes))
    assert notes.progress().position == 0
    assert is_due(partition)
    assert restored(notes).shard.table["k0"][0] == 1  # type: ignore[attr-defined]


def test_fencing_comes_before_the_restore_and_is_proven_after_it() -> None:
    notes = Notes()
    restored(notes)
    assert notes.calls == ["fence", "restore", "write"]


def test_restores_without_progress_are_counted_and_make_careful() -> None:
    notes = Notes()
    assert not restored(notes).careful
    partition = restored(notes)
    assert partition.careful
    assert notes.progress().restores == 2
    partition.shard.step(b'{"key": "a"}', 0, 0)
    partition.position = 0
    asyncio.run(checkpoint(partition, notes, notes))
    assert notes.progress().restores == 0
    assert not restored(notes).careful


def test_a_clean_end_is_no_failure_of_the_next_owner() -> None:
    notes = Notes()
    for _ in range(4):
        partition = restored(notes)
        assert not partition.careful
        asyncio.run(checkpoint(partition, notes, notes, clean=True))


def test_a_note_stays_until_its_records_are_passed() -> None:
    partition = moved(2)
    partition.begun = Begun(1, 4, 1)
    snap(partition)
    assert partition.begun is not None
    partition.position = 4
    snap(partition)
    assert partition.begun is None


def test_a_log_without_a_checkpoint_begins_where_the_log_does() -> None:
    assert restored(Notes(begin=40)).position == 39


@pytest.mark.parametrize(("begin", "end", "word"), [(5, 100, "deleted before"), (0, 2, "made anew")])
def test_a_log_that_does_not_fit_its_checkpoint_stops_the_worker(begin: int, end: int, word: str) -> None:
    notes = Notes()
    asyncio.run(checkpoint(moved(2), notes, notes))
    notes.begin, notes.end = begin, end
    with pytest.raises(CheckpointFailed, match=word):
        restored(notes)


def test_values_of_a_newer_version_stop_the_worker() -> None:
    with pytest.raises(CheckpointFailed):
        restored(Notes(values={"k": b'{"v": 2}'}))


def test_the_progress_key_is_no_table_key() -> None:
    partition = moved(0)
    partition.shard.dirty.add(PROGRESS_KEY)
    with pytest.raises(CheckpointFailed, match="reserved"):
        snap(partition)
