"""What limits ask of the entries: the same as a look at all of them would say, at the cost of one."""

from __future__ import annotations

from random import Random

import pytest

from pipeline.times import SECOND
from pipeline.workflow.entries import BEGUN, HOUR, OVER, Entries, until
from pipeline.workflow.limits import exceeded
from pipeline.workflow.records import Entry

STATES = ("RUNNING", "LEFT", "DROPPED", "HELD")
LIMITS = {"concurrent": 3, "per-hour": 6, "cool-down": 5000}


def plainly(limits, target, kept, now):
    """The limit that one look at every entry names."""
    begun = [entry for entry in kept if entry.state in BEGUN]
    seen = [entry.at for entry in begun if entry.target == target]
    if sum(entry.state == "RUNNING" for entry in begun) >= limits.get("concurrent", 99):
        return "concurrent"
    if sum(entry.at > now - HOUR for entry in begun) >= limits.get("per-hour", 99):
        return "per-hour"
    return "cool-down" if seen and max(seen) > now - limits.get("cool-down", 0) * SECOND else None


@pytest.mark.parametrize("seed", range(20))
def test_all_that_is_derived_is_what_a_look_at_every_entry_says(seed):
    random, entries, plain, now = Random(seed), Entries(), {}, 10 * HOUR
    met = set()
    for _ in range(400):
        now += random.choice((1, 60, 900)) * SECOND
        spent = {entry.execution for entry in entries.spent(now)}
        assert spent == {name for name, each in plain.items() if each.state in OVER and until(each) <= now}
        for name in spent:
            entries.take(name)
            del plain[name]
        name = f"e{random.randrange(12)}"
        if random.random() < 0.2:
            assert entries.take(name) == plain.pop(name, None)
        else:
            state = random.choice(STATES)
            at = now - random.choice((0, 0, 1800)) * SECOND
            limit = random.choice(("concurrent", "per-hour")) if state == "HELD" else ""
            plain[name] = Entry(
                workflow="wf",
                root=name,
                execution=name,
                at=at,
                state=state,
                target=random.choice("xy"),
                limits=random.choice(({}, LIMITS)),
                limit=limit,
            )
            entries.put(plain[name])
        for limits in ({"concurrent": 3}, {"per-hour": 3}, {"cool-down": 5000}, LIMITS):
            said = exceeded(limits, "x", entries, now)
            assert (said and said[0]) == plainly(limits, "x", plain.values(), now)
            met.add(said and said[0])
        waiting = [each for each in plain.values() if each.state == "HELD" and each.limit == "concurrent"]
        assert entries.first() == min(waiting, key=lambda each: (each.at, each.execution), default=None)
    assert met == {None, "concurrent", "per-hour", "cool-down"}


def test_a_start_looks_at_no_other_entry():
    class Counting(dict):
        looked = 0

        def values(self):
            self.looked += 1
            return super().values()

        __iter__ = items = values

    entries = Entries()
    entries.kept = Counting()
    for number in range(1000):
        name = f"e{number}"
        entries.put(Entry(workflow="wf", root=name, execution=name, at=number * SECOND, state="LEFT"))
    assert exceeded({"concurrent": 1, "per-hour": 2000, "cool-down": 1}, "t", entries, 1000 * SECOND) is None
    assert entries.spent(1000 * SECOND) == []
    assert entries.first() is None
    assert entries.kept.looked == 0
