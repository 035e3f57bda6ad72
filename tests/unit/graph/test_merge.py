"""How records merge: times, sources, repeats, deletions, placeholders."""

from __future__ import annotations

import pytest
from support.lab import Lab


def test_an_upsert_replaces_what_it_carries_and_leaves_the_rest() -> None:
    lab = Lab()
    lab.entity("host/h", name="one", state="ACTIVE", attributes={"rack": "r1", "row": 4})
    lab.entity("host/h", state="ERROR", attributes={"rack": None, "unit": "u7"})
    host = lab.of("host/h")
    assert (host["name"], host["state"], host["category"]) == ("one", "ERROR", "RESOURCE")
    assert host["attributes"] == {"row": 4, "unit": "u7"}


def test_null_takes_a_name_and_a_state_away() -> None:
    lab = Lab()
    lab.entity("host/h", name="one", state="ACTIVE")
    lab.entity("host/h", name=None, state=None)
    assert (lab.of("host/h")["name"], lab.of("host/h")["state"]) == (None, None)


@pytest.mark.parametrize(
    ("first", "second", "source", "expected"),
    [
        (10, 9, "test", "ACTIVE"),  # older than the same source
        (10, 10, "test", "ERROR"),  # equal times: the later arrival wins
        (10, 9, "other", "ERROR"),  # another source has said nothing yet
    ],
)
def test_a_record_older_than_its_own_source_is_ignored(
    first: int, second: int, source: str, expected: str
) -> None:
    lab = Lab()
    lab.entity("host/h", at=first, state="ACTIVE")
    lab.entity("host/h", at=second, state="ERROR", source=source)
    assert lab.of("host/h")["state"] == expected
    assert lab.shard.counters()["older"] == (1 if expected == "ACTIVE" else 0)


def test_each_source_is_held_to_its_own_times() -> None:
    lab = Lab()
    lab.entity("host/h", at=10, state="A", source="one")
    lab.entity("host/h", at=5, state="B", source="two")
    lab.entity("host/h", at=9, state="C", source="one")
    assert lab.of("host/h")["state"] == "B"
    lab.entity("host/h", at=4, state="D", source="two")
    assert lab.of("host/h")["state"] == "B"
    lab.entity("host/h", at=11, state="E", source="one")
    assert lab.of("host/h")["state"] == "E"


def test_the_same_id_again_changes_nothing_even_after_another_of_the_same_time() -> None:
    lab = Lab()
    lab.entity("host/h", at=10, state="A", id="x")
    lab.entity("host/h", at=10, state="B", id="y")
    lab.entity("host/h", at=10, state="A", id="x")
    assert lab.of("host/h")["state"] == "B"
    assert [change["kind"] for change in lab.changes()] == ["REPEATED"]
    assert lab.shard.counters()["repeated"] == 1


def test_the_same_content_again_is_a_repeat() -> None:
    lab = Lab()
    lab.entity("host/h", state="A", attributes={"rack": "r1"})
    lab.entity("host/h", state="A", attributes={"rack": "r1"})
    assert [change["kind"] for change in lab.changes()] == ["REPEATED"]


def test_a_delete_is_remembered_against_late_upserts() -> None:
    lab = Lab()
    lab.entity("host/h", at=10)
    lab.delete("host/h", at=20)
    lab.entity("host/h", at=15, source="other")
    lab.entity("host/h", at=19)
    assert lab.state()["entities"] == []
    lab.entity("host/h", at=20, name="back")
    assert lab.of("host/h")["name"] == "back"


def test_a_delete_removes_only_what_is_not_newer() -> None:
    lab = Lab()
    lab.entity("host/h", at=20)
    lab.delete("host/h", at=10, source="other")
    assert lab.of("host/h")["placeholder"] is False
    lab.delete("host/h", at=20, source="other")
    assert lab.state()["entities"] == []


def test_nothing_of_the_earlier_life_comes_back() -> None:
    lab = Lab()
    lab.entity("host/h", name="one", state="ERROR", attributes={"rack": "r1"})
    lab.delete("host/h")
    lab.entity("host/h")
    host = lab.of("host/h")
    assert (host["name"], host["state"], host["attributes"]) == (None, None, {})


def test_deleting_an_entity_takes_its_relationships_and_alarms_that_are_not_newer() -> None:
    lab = Lab()
    lab.entity("host/h", at=1)
    lab.entity("vm/old", at=1)
    lab.entity("vm/new", at=1)
    lab.relate("host/h", "contains", "vm/old", at=5)
    lab.relate("host/h", "contains", "vm/new", at=11)
    lab.alarm("old", "host/h", at=10)
    lab.alarm("new", "host/h", at=11)
    lab.delete("host/h", at=10)
    state = lab.state()
    assert [each["target"]["id"] for each in state["relationships"]] == ["new"]
    assert [each["name"] for each in state["alarms"]] == ["new"]
    assert lab.of("host/h")["placeholder"] is True


def test_what_is_older_than_a_deletion_is_ignored_when_it_comes_late() -> None:
    lab = Lab()
    lab.entity("host/h", at=1)
    lab.delete("host/h", at=10)
    lab.relate("host/h", "contains", "vm/v", at=10)
    lab.alarm("x", "host/h", at=9)
    assert lab.state()["entities"] == []
    # ... also when the entity is there again.
    lab.entity("host/h", at=20)
    lab.relate("host/h", "contains", "vm/v", at=10)
    lab.alarm("x", "host/h", at=10)
    assert lab.state()["relationships"] == lab.state()["alarms"] == []


def test_unknown_ends_are_placeholders_until_described_and_go_when_nothing_needs_them() -> None:
    lab = Lab()
    lab.relate("host/h", "contains", "vm/v")
    assert [entity["placeholder"] for entity in lab.state()["entities"]] == [True, True]
    assert [change["kind"] for change in lab.changes()] == ["RELATIONSHIP", "ENTITY", "ENTITY"]
    lab.entity("host/h")
    assert lab.of("host/h")["placeholder"] is False
    lab.part("host/h", "contains", "vm/v")
    assert [entity["id"] for entity in lab.state()["entities"]] == ["h"]
    assert {change["op"] for change in lab.changes("ENTITY")} == {"DELETE"}


def test_alarms_that_wait_on_a_placeholder_are_listed() -> None:
    lab = Lab()
    lab.alarm("x", "host/h")
    counters = lab.shard.counters()
    assert counters["placeholders"] == 1
    assert counters["placeholder_list"] == [
        {"domain": "default", "key": "host/h", "alarms": ["nagios/x@host/h"]}
    ]


@pytest.mark.parametrize("word", ["OK", "ok", "CLEARED", "Normal"])
def test_severity_words_clear_an_alarm(word: str) -> None:
    lab = Lab()
    lab.alarm("x", "host/h", "CRITICAL")
    lab.alarm("x", "host/h", word)
    assert lab.state()["alarms"] == []
    assert [(change["kind"], change["op"]) for change in lab.changes("ALARM")] == [("ALARM", "CLEARED")]


def test_a_cleared_alarm_remembers_its_time() -> None:
    lab = Lab()
    lab.alarm("x", "host/h", at=10)
    lab.clear("x", "host/h", at=20)
    lab.alarm("x", "host/h", at=15)
    assert lab.state()["alarms"] == []
    assert [change["kind"] for change in lab.changes()] == ["IGNORED"]
    lab.alarm("x", "host/h", at=21)
    assert len(lab.state()["alarms"]) == 1


def test_an_alarm_with_an_external_id_is_that_whatever_its_resource() -> None:
    lab = Lab()
    lab.entity("host/a")
    lab.entity("host/b")
    lab.alarm("x", "host/a", external_id="17")
    lab.alarm("y", "host/b", external_id="17")
    alarms = lab.state()["alarms"]
    assert [(alarm["key"], alarm["name"], alarm["resource"]["id"]) for alarm in alarms] == [
        ("nagios#17", "y", "b")
    ]


@pytest.mark.parametrize("call", ["raised", "changed", "repeated", "older", "cleared", "not active"])
def test_every_report_is_told_once_with_its_alarm(call: str) -> None:
    lab = Lab()
    if call != "not active":
        lab.alarm("x", "host/h", "WARNING", at=10)
    if call == "changed":
        lab.alarm("x", "host/h", "CRITICAL", at=11)
    elif call == "repeated":
        lab.alarm("x", "host/h", "WARNING", at=11)
    elif call == "older":
        lab.alarm("x", "host/h", "CRITICAL", at=9)
    elif call in ("cleared", "not active"):
        lab.clear("x", "host/h", at=11)
    told = [change for change in lab.changes() if change["kind"] in ("ALARM", "REPEATED", "IGNORED")]
    assert len(told) == 1
    assert told[0]["alarm"]["name"] == "x"


def test_domains_are_worlds_of_their_own() -> None:
    lab = Lab()
    lab.entity("host/h", state="A")
    lab.entity("host/h", state="B", domain="north")
    assert [(entity["state"], entity.get("domain")) for entity in lab.state()["entities"]] == [
        ("A", None),
        ("B", "north"),
    ]
