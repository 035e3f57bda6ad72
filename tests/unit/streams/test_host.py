from __future__ import annotations

from pipeline.streams.host import add_up


def test_counters_of_partitions_add_up() -> None:
    totals: dict[str, object] = {"read": 1}
    quiet = {"r": {"matches": 1, "status": "ACTIVE"}}
    failing = {"r": {"matches": 4, "status": "ERROR"}}
    one = {"read": 2, "rules": quiet, "names": ["a"], "clock": None}
    two = {"read": 3, "rules": failing, "names": ["a", "b"], "clock": "10:42"}
    add_up(totals, one)
    add_up(totals, two)
    assert totals == {
        "read": 6,
        "rules": {"r": {"matches": 5, "status": "ERROR"}},
        "names": ["a", "b"],
        "clock": "10:42",
    }
    assert one["rules"] == {"r": {"matches": 1, "status": "ACTIVE"}}
