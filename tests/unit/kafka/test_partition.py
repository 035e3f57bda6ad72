from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from support.counter import CounterShard

from pipeline.errors import CheckpointFailed, InvalidRecord
from pipeline.events import Output
from pipeline.kafka.changelog import CAREFUL_CHUNK, LIMIT, Begun
from pipeline.kafka.deadletter import DeadLetter
from pipeline.kafka.partition import (
    Batch,
    Partition,
    Poisoned,
    Record,
    apply,
    condemned,
    note_before,
)

GOOD = b'{"key": "a"}'


@dataclass
class Heap:
    """An outbox that keeps what it is given."""

    outputs: list[Output] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    refuses: bool = False

    def send(self, outputs: list[Output], batch: Batch) -> None:
        if self.refuses:
            raise InvalidRecord("output-too-large", "no")
        self.outputs += outputs

    def set_aside(self, letter: DeadLetter, batch: Batch) -> None:
        self.letters.append(letter)

    async def settled(self, batch: Batch) -> None:
        pass


def partition(position: int = -1, **more: Any) -> Partition:
    return Partition(3, "log", CounterShard(3), position, position, **more)


def record(offset: int, value: bytes | None = GOOD) -> Record:
    return Record(offset, b"key", value, 1_767_600_000_000_000)


def test_records_are_applied_in_order_and_once() -> None:
    here, heap = partition(), Heap()
    for offset in (0, 1, 1, 0, 2):
        apply(here, record(offset), heap)
    assert (here.position, here.applied, here.repeated, len(heap.outputs)) == (2, 3, 2, 3)


def test_a_gap_ends_the_worker() -> None:
    here = partition(4)
    with pytest.raises(CheckpointFailed, match=r"log\[3\] jumped from offset 4 to 6"):
        apply(here, record(6), Heap())
    assert here.position == 4


@pytest.mark.parametrize(("value", "reason"), [(b"no", "not-json"), (None, "null"), (b"{}", "step-failed")])
def test_a_bad_record_is_set_aside_with_where_it_stood(value: bytes | None, reason: str) -> None:
    here, heap = partition(), Heap()
    apply(here, record(0, value), heap)
    (letter,) = heap.letters
    assert (letter.topic, letter.partition, letter.offset) == ("log", 3, 0)
    assert (letter.key, letter.value, letter.reason) == (b"key", value, reason)
    assert letter.time == "2026-01-05T08:00:00.000000Z"
    assert (here.position, here.letters, here.applied) == (0, 1, 0)


def test_an_exhausted_memory_is_no_records_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> list[Output]:
        raise MemoryError

    here, heap = partition(), Heap()
    monkeypatch.setattr(here.shard, "step", exhausted)
    with pytest.raises(MemoryError):
        apply(here, record(0), heap)
    assert not heap.letters


def test_outputs_that_cannot_be_sent_poison_the_record() -> None:
    here, heap = partition(), Heap(refuses=True)
    with pytest.raises(Poisoned) as caught:
        apply(here, record(0), heap)
    assert (caught.value.partition, caught.value.offset, caught.value.reason) == (3, 0, "output-too-large")
    assert here.position == -1


def test_without_suspects_a_careful_owner_goes_in_chunks() -> None:
    here = partition(9)
    assert note_before(here, 10) == Begun(10, 9 + CAREFUL_CHUNK, 1)
    here.begun = Begun(10, 9 + CAREFUL_CHUNK, 1)
    assert note_before(here, 11) is None
    assert note_before(here, 10 + CAREFUL_CHUNK) is not None


def test_suspects_are_begun_alone_and_counted() -> None:
    left = Begun(10, 12, 1)
    here = partition(9, begun=left, suspects=left)
    assert note_before(here, 10) == Begun(10, 10, 2)
    assert note_before(here, 12) == Begun(12, 12, 2)
    assert note_before(here, 13) == Begun(13, 12 + CAREFUL_CHUNK, 1)
    later = Begun(20, 22, 1)
    assert note_before(partition(9, begun=later, suspects=later), 10) is None


def test_a_record_is_condemned_when_it_was_begun_alone_too_often() -> None:
    def suspect(begun: Begun) -> Partition:
        return partition(9, begun=begun, suspects=begun)

    assert condemned(suspect(Begun(10, 10, LIMIT)), 10)
    assert not condemned(suspect(Begun(10, 10, LIMIT - 1)), 10)
    assert not condemned(suspect(Begun(10, 11, LIMIT)), 10)
    assert not condemned(suspect(Begun(10, 10, LIMIT)), 11)
