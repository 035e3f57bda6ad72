from __future__ import annotations

import msgspec

from pipeline.events import Input, Mark
from pipeline.ingest.clock import START, Clock, Read

ONE = "alarms.raw:abc:0"
TWO = "topology.changes:def:3"


def marked(value: bytes) -> dict[str, str]:
    mark = msgspec.json.decode(value, type=Input).mark
    assert isinstance(mark, Mark)
    return mark.read


def learnt(milliseconds: int, partitions: int = 2) -> Clock:
    """A clock whose first round was appended at ``milliseconds``."""
    clock = Clock("w", partitions)
    clock.mark([], {})
    for _ in range(partitions):
        clock.appended(milliseconds)
    return clock


def test_the_first_mark_claims_nothing_of_a_partition_at_its_end() -> None:
    clock = Clock("w", 2)
    assert clock.complete
    value = clock.mark([Read(ONE, "abc", 5)], {ONE: 5})
    assert marked(value) == {}
    assert msgspec.json.decode(value, type=Input).at == START


def test_a_partition_read_to_its_end_was_read_up_to_the_last_round() -> None:
    clock = learnt(2_000)
    value = clock.mark([Read(ONE, "abc", 5, 1_000), Read(TWO, "def", 0)], {ONE: 5, TWO: 0})
    assert marked(value) == {ONE: "1970-01-01T00:00:02.000000Z", TWO: "1970-01-01T00:00:02.000000Z"}


def test_of_a_partition_that_lags_only_the_last_record_counts() -> None:
    clock = learnt(60_000)
    reads = [Read(ONE, "abc", 4, 1_000), Read(TWO, "def", 0)]
    assert marked(clock.mark(reads, {ONE: 5, TWO: 9})) == {ONE: "1970-01-01T00:00:01.000000Z"}


def test_a_partition_whose_end_is_not_known_is_claimed_no_further_than_read() -> None:
    clock = learnt(60_000)
    assert marked(clock.mark([Read(ONE, "abc", 4, 1_000), Read(TWO, "def")], {})) == {
        ONE: "1970-01-01T00:00:01.000000Z"
    }


def test_a_record_read_after_the_last_round_is_later_than_it() -> None:
    clock = learnt(1_000)
    assert marked(clock.mark([Read(ONE, "abc", 5, 3_000)], {ONE: 5})) == {ONE: "1970-01-01T00:00:03.000000Z"}


def test_a_round_is_known_by_its_earliest_append_once_all_are_in() -> None:
    clock = Clock("w", 2)
    clock.mark([], {})
    clock.appended(5_000)
    assert not clock.complete
    clock.appended(4_000)
    assert clock.complete
    value = clock.mark([Read(ONE, "abc", 1)], {ONE: 1})
    assert marked(value) == {ONE: "1970-01-01T00:00:04.000000Z"}
    assert not clock.complete
    clock.appended(6_000)
    clock.appended(6_000)
    assert marked(clock.mark([Read(ONE, "abc", 1)], {ONE: 1})) == {ONE: "1970-01-01T00:00:06.000000Z"}
