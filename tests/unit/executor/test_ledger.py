"""What the ledger decides, from every state that an action can be found in."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.errors import CheckpointFailed
from pipeline.executor.entry import (
    Entry,
    Outcome,
    Work,
    accept,
    encode,
    finish,
    report,
    settle,
    start,
)
from pipeline.executor.ledger import REPORTED, Batch, Ledger, Terms

TERMS = Terms(lease=10, renew=3, grace=5, keep=1000, note=1)


def work(id_: str = "a", **fields: Any) -> Work:
    return Work(id=id_, root="r", execution="e", task="t", action="nova.servers_migrate", **fields)


def ledger(executor: str = "me", *records: tuple[str, bytes | None, int], now: int = 0) -> Ledger:
    made = Ledger(executor, lambda one: one.action.endswith("_get"), TERMS)
    made.restore(records)
    made.restored(now)
    return made


def kept(entry: Entry, offset: int = 0) -> tuple[str, bytes, int]:
    return entry.work.id, encode(entry), offset


def quiet(batch: Batch | None) -> bool:
    return batch is None or not batch.entries


def states(batch: Batch | None) -> list[tuple[str, str]]:
    assert batch is not None
    return [(entry.work.id, entry.state) for entry in batch.entries]


def test_new_work_is_accepted_and_started_in_one_transaction() -> None:
    mine = ledger()
    mine.receive(work(), 7)
    batch = mine.plan(100, 1)
    assert states(batch) == [("a", "STARTED")]
    assert batch is not None
    assert mine.accepted == -1  # not before it is on record
    (entry,) = mine.commit(batch)
    assert (entry.executor, entry.run, entry.lease) == ("me", 1, 110)
    assert mine.accepted == 7
    assert mine.plan(101, 1) is None


def test_without_a_free_slot_work_is_accepted_and_started_later_in_order() -> None:
    mine = ledger()
    for offset, id_ in enumerate("abc"):
        mine.receive(work(id_), offset)
    batch = mine.plan(0, 1)
    assert states(batch) == [("b", "ACCEPTED"), ("c", "ACCEPTED"), ("a", "STARTED")]
    assert batch is not None
    mine.commit(batch)
    assert mine.waiting == 2
    assert states(mine.plan(1, 1)) == [("b", "STARTED")]


def test_while_effects_are_off_nothing_starts_and_nothing_is_lost() -> None:
    mine = ledger("me", kept(accept(work("old"), 0)))
    mine.receive(work("new"), 3)
    batch = mine.plan(0, 0)
    assert states(batch) == [("new", "ACCEPTED")]
    assert batch is not None
    assert mine.commit(batch) == []
    assert quiet(mine.plan(50, 0))
    assert states(mine.plan(51, 5)) == [("old", "STARTED"), ("new", "STARTED")]


@pytest.mark.parametrize(
    "found",
    [accept(work(), 0), start(accept(work(), 0), "me", 0, 10), start(accept(work(), 0), "other", 0, 10)],
    ids=["accepted", "started here", "started elsewhere"],
)
def test_work_that_comes_again_is_not_taken_again(found: Entry) -> None:
    mine = ledger("me", kept(found))
    mine.receive(work(), 9)
    batch = mine.plan(1, 0)
    assert batch is not None
    assert batch.entries == []
    mine.commit(batch)
    assert mine.accepted == 9
    assert mine.counts.repeated == 1


def test_finished_work_that_comes_again_has_its_outcome_sent_again() -> None:
    done = finish(start(accept(work(), 0), "me", 0, 10), Outcome("SUCCESS", 5), 2)
    # Everything before offset 9 is known to have been sent.
    note = (REPORTED, b'{"v":1,"offset":9}', 1)
    mine = ledger("me", kept(done), note)
    assert mine.unsent() == []
    mine.receive(work(), 4)
    (again,) = mine.unsent()
    assert report(again) == report(done)
    assert mine.plan(3, 9) is not None  # the position alone


@pytest.mark.parametrize(
    ("now", "action", "safe", "expected"),
    [
        (9, "nova.servers_migrate", False, None),  # the lease runs
        (10, "nova.servers_migrate", False, ("FINISHED", "outcome unknown")),
        (10, "nova.servers_migrate", True, ("STARTED", None)),
        (10, "nova.servers_get", False, ("STARTED", None)),
    ],
)
def test_a_start_of_another_is_settled_when_its_lease_has_lapsed(
    now: int, action: str, safe: bool, expected: tuple[str, str | None] | None
) -> None:
    left = Work(id="a", root="r", execution="e", task="t", action=action, safe_rerun=safe)
    mine = ledger("me", kept(start(accept(left, 0), "other", 0, 10)), now=0)
    assert mine.listening
    batch = mine.plan(now, 5)
    if expected is None:
        assert quiet(batch)
        return
    assert batch is not None
    (entry,) = batch.entries
    assert (entry.state, entry.outcome.result if entry.outcome else None) == expected
    mine.commit(batch)
    assert not mine.listening
    assert quiet(mine.plan(now, 5))  # once
    assert [one.work.id for one in mine.unsent()] == (["a"] if expected[0] == "FINISHED" else [])


def test_an_action_that_ends_every_executor_that_runs_it_is_given_up() -> None:
    entry = accept(work(safe_rerun=True), 0)
    for _ in range(3):
        entry = start(entry, "other", 0, 10)
    mine = ledger("me", kept(entry))
    assert states(mine.plan(20, 5)) == [("a", "FINISHED")]


def test_a_new_owner_begins_where_the_group_had_come_to() -> None:
    mine = ledger()
    mine.begin_at(40)
    assert mine.accepted == 39
    assert mine.plan(0, 5) is None


def test_silence_is_not_held_against_anyone_before_the_new_owner_has_listened() -> None:
    mine = ledger("me", kept(start(accept(work(), 0), "other", 0, 10)), now=100)
    assert quiet(mine.plan(104, 5))
    assert states(mine.plan(105, 5)) == [("a", "FINISHED")]


def test_a_renewal_that_is_heard_puts_the_settlement_off() -> None:
    entry = start(accept(work(), 0), "other", 0, 10)
    mine = ledger("me", kept(entry), now=0)
    mine.heard("a", encode(Entry(**{**_fields(entry), "lease": 30})), 1)
    assert quiet(mine.plan(12, 5))
    assert states(mine.plan(30, 5)) == [("a", "FINISHED")]


def test_an_outcome_of_another_that_is_heard_is_sent_on_and_stands() -> None:
    entry = start(accept(work(), 0), "other", 0, 10)
    mine = ledger("me", kept(entry), now=0)
    done = finish(entry, Outcome("SUCCESS", "ok"), 8)
    mine.heard("a", encode(done), 1)
    assert mine.unsent() == [done]
    assert not mine.listening
    assert quiet(mine.plan(50, 5))


def test_what_ran_here_when_the_partition_went_and_came_back_is_left_alone() -> None:
    mine = ledger("me", kept(start(accept(work(), 0), "me", 0, 10)), now=0)
    assert quiet(mine.plan(1000, 5))


def test_a_late_renewal_does_not_undo_an_outcome() -> None:
    entry = start(accept(work(), 0), "other", 0, 10)
    mine = ledger("me", kept(settle(entry), 0), kept(entry, 1), now=0)
    assert "a" in mine.finished
    assert not mine.open


def test_the_first_of_two_outcomes_stands() -> None:
    entry = start(accept(work(), 0), "other", 0, 10)
    first, second = settle(entry), finish(entry, Outcome("SUCCESS", 1), 11)
    mine = ledger("me", kept(first, 0), kept(second, 1))
    assert mine.unsent() == [first]


def test_outcomes_are_sent_again_after_a_crash_unless_they_are_known_to_be_sent() -> None:
    entries = [finish(start(accept(work(id_), 0), "me", 0, 10), Outcome("SUCCESS"), 1) for id_ in "abc"]
    records = [kept(entry, offset) for offset, entry in enumerate(entries)]
    mine = ledger("next", *records, (REPORTED, b'{"v":1,"offset":2}', 3))
    assert [entry.work.id for entry in mine.unsent()] == ["c"]


def test_the_note_never_passes_an_outcome_that_is_not_acknowledged() -> None:
    mine = ledger()
    for offset, id_ in enumerate("ab"):
        mine.receive(work(id_), offset)
    batch = mine.plan(0, 5)
    assert batch is not None
    started = {entry.work.id: entry for entry in mine.commit(batch)}
    for offset, id_ in ((10, "a"), (11, "b")):
        mine.ended(finish(started[id_], Outcome("SUCCESS"), 5), offset)
    assert len(mine.unsent()) == 2
    mine.reported("b")
    assert _note(mine.plan(10, 5)) == 10
    mine.reported("a")
    assert _note(mine.plan(20, 5)) == 12


def test_the_note_never_passes_what_has_not_been_heard() -> None:
    other = start(accept(work("x"), 0), "other", 0, 10)
    mine = ledger("me", kept(other, 4), now=0)
    mine.receive(work("a"), 0)
    batch = mine.plan(1, 5)
    assert _note(batch) == 5
    assert batch is not None
    (entry,) = mine.commit(batch)
    # x may have been finished at 6; only what has been heard can tell.
    mine.ended(finish(entry, Outcome("SUCCESS"), 2), 7)
    mine.unsent()
    mine.reported("a")
    assert mine.plan(4, 5) is None
    mine.heard("a", encode(finish(entry, Outcome("SUCCESS"), 2)), 7)
    assert _note(mine.plan(4, 5)) == 8


def test_old_outcomes_are_known_by_id_and_read_again_at_need() -> None:
    done = [finish(start(accept(work(id_), 0), "me", 0, 10), Outcome("SUCCESS", id_), 1) for id_ in "abc"]
    mine = Ledger("me", lambda _: False, Terms(recent=2))
    mine.restore([kept(entry, offset) for offset, entry in enumerate(done)])
    mine.restore([(REPORTED, b'{"v":1,"offset":3}', 3)])
    mine.restored(5)
    for offset, id_ in enumerate("abc"):
        mine.receive(work(id_), offset)
    assert [entry.work.id for entry in mine.unsent()] == ["b", "c"]
    assert mine.faded() == ["a"]
    assert mine.faded() == []
    mine.recall("a", encode(done[0]))
    assert mine.unsent() == [done[0]]


def test_finished_entries_are_forgotten_after_their_time() -> None:
    done = finish(start(accept(work(), 0), "me", 0, 10), Outcome("SUCCESS"), 1)
    mine = ledger("me", kept(done), (REPORTED, b'{"v":1,"offset":1}', 1))
    batch = mine.plan(1000, 5)
    assert batch is None
    batch = mine.plan(1001, 5)
    assert batch is not None
    assert ("a", None) in batch.records
    mine.commit(batch)
    assert mine.finished == {}


@pytest.mark.parametrize("value", [b"[]", b"{", b'{"v":1}'])
def test_an_entry_that_cannot_be_read_stops_the_executor(value: bytes) -> None:
    with pytest.raises(CheckpointFailed, match="cannot be read"):
        ledger("me", ("a", value, 0))


def test_an_entry_of_a_newer_version_stops_the_executor() -> None:
    newer = encode(Entry(**{**_fields(accept(work(), 0)), "v": 2}))
    with pytest.raises(CheckpointFailed, match="upgrade"):
        ledger("me", ("a", newer, 0))


def _fields(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in entry.__struct_fields__}


def _note(batch: Batch | None) -> int | None:
    assert batch is not None
    return batch.noted
