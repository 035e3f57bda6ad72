"""The clock moves by marks alone, and what is removed is remembered for a day of it."""

from __future__ import annotations

from support.lab import Lab

from pipeline.events import Mark
from pipeline.graph.clock import Clock

DAY = 24 * 3600


def test_the_clock_is_the_lowest_of_what_was_read_and_never_goes_back() -> None:
    clock = Clock()
    assert clock.advance(
        Mark({"a:1:0": "2026-01-05T10:00:00.000000Z", "b:2:0": "2026-01-05T11:00:00.000000Z"})
    )
    assert clock.now.startswith("2026-01-05T10")
    assert clock.advance(Mark({"a:1:0": "2026-01-05T12:00:00.000000Z"}))
    assert clock.now.startswith("2026-01-05T11")
    assert not clock.advance(Mark({"a:1:1": "2026-01-05T09:00:00.000000Z"}))
    assert clock.now.startswith("2026-01-05T11")


def test_a_recreated_topic_does_not_hold_the_clock_back() -> None:
    clock = Clock()
    clock.advance(Mark({"a:1:0": "2026-01-05T10:00:00.000000Z"}))
    clock.advance(Mark({"a:2:0": "2026-01-05T12:00:00.000000Z"}))
    assert clock.now.startswith("2026-01-05T12")


def mark(lab: Lab, time: str) -> None:
    assert lab.send(mark={"read": {"topology.changes:x:0": time}}) == []


def test_a_deletion_is_forgotten_after_a_day() -> None:
    lab = Lab()
    mark(lab, "2026-01-05T10:00:00.000000Z")
    lab.entity("host/h", at=1)
    lab.relate("host/h", "contains", "vm/v", at=1)
    lab.alarm("x", "vm/v", at=1)
    lab.clear("x", "vm/v", at=2)
    lab.delete("host/h", at=3)
    key = "e\x1fdefault\x1fhost\x1fh"
    mark(lab, "2026-01-06T10:00:00.000000Z")
    assert lab.shard.encode(key) is not None
    mark(lab, "2026-01-06T10:00:00.000001Z")
    assert key in lab.keys
    assert all(lab.shard.encode(each) is None for each in lab.keys if each[0] in "era")
    lab.entity("host/h", at=2)
    assert lab.of("host/h")["placeholder"] is False


def test_the_memory_survives_a_restore() -> None:
    lab = Lab()
    mark(lab, "2026-01-05T10:00:00.000000Z")
    lab.entity("host/h", at=1)
    lab.delete("host/h", at=3)
    lab.shard = lab.restored()
    lab.entity("host/h", at=2)
    assert lab.state()["entities"] == []
    mark(lab, "2026-01-07T10:00:00.000000Z")
    lab.entity("host/h", at=2)
    assert len(lab.state()["entities"]) == 1
