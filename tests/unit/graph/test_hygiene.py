"""Restless alarms: flapping ones stand at their worst until quiet, clears may be held down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.lab import Lab, moment

from pipeline.checking import check_files
from pipeline.errors import InvalidDocument
from pipeline.graph.hygiene import Care, Flapping, parse

SETTINGS = """
hygiene:
  flapping: {changes: 3, within: 5m, quiet: 2m}
  sources:
    nagios:
      alarms:
        slow: {hold_down: 1m, flapping: off}
    calm: {flapping: off}
"""
RULE = """
metadata: {version: 3, name: rule}
entities:
  a: {category: ALARM, type: nagios, flapping: "true"}
  h: {type: host}
scenarios:
- condition: a [on] h
  actions: [{raise_alarm: {target: h, alarm_name: restless, severity: WARNING}}]
"""


def mark(lab: Lab, at: float) -> None:
    lab.position += 1
    time = moment(at)
    value = {"id": f"m{lab.position}", "time": time, "at": time, "mark": {"read": {"alarms.raw:x:0": time}}}
    lab.told = lab.shard.step(msgspec.json.encode(value), lab.position, 0)
    lab.keys |= lab.shard.dirty
    lab.shard.dirty.clear()


def lab_with(text: str = SETTINGS) -> Lab:
    lab = Lab()
    mark(lab, 0)
    lab.send(definition={"kind": "VALUES", "name": "hygiene", "text": text}, at=0)
    lab.rule(RULE)
    lab.entity("host/h", at=0)
    return lab


def shown(lab: Lab) -> dict[str, str]:
    return {alarm["name"]: alarm["severity"] for alarm in lab.state()["alarms"] if not alarm["deduced"]}


def told(lab: Lab) -> list[tuple[Any, ...]]:
    return [
        (change["kind"], change.get("op"), change.get("reason"))
        for change in lab.changes()
        if "alarm" in change
    ]


@pytest.mark.parametrize("restored", [False, True])
def test_a_flapping_alarm_stands_at_its_worst_until_quiet(restored: bool) -> None:
    lab = lab_with()

    def maybe() -> None:
        if restored:
            lab.shard = lab.restored()

    lab.alarm("x", "host/h", "CRITICAL", at=10)
    lab.clear("x", "host/h", at=20)
    lab.alarm("x", "host/h", "WARNING", at=30)
    assert shown(lab) == {"x": "WARNING"}
    maybe()
    lab.clear("x", "host/h", at=40)
    assert shown(lab) == {"x": "CRITICAL"}, "a fourth change: held, at its worst"
    assert lab.changes()[0]["alarm"]["attributes"]["flapping"] is True
    assert lab.deduced() == {"restless@host/h": "WARNING"}
    assert [alarm.get("flapping") for alarm in lab.state()["alarms"]] == [True, None]
    maybe()
    lab.alarm("x", "host/h", "WARNING", at=50)
    assert told(lab) == [("REPEATED", None, "flapping")]
    lab.clear("x", "host/h", at=60)
    assert told(lab) == [("REPEATED", None, "flapping")]
    lab.clear("x", "host/h", at=100, id="the-same-again")
    maybe()
    mark(lab, 179)
    assert shown(lab) == {"x": "CRITICAL"}
    mark(lab, 180)
    assert shown(lab) == {}
    assert told(lab) == [("ALARM", "CLEARED", None), ("ALARM", "CLEARED", None)]
    assert [key for key in lab.keys if key[0] == "h" and lab.shard.encode(key) is not None] == []
    lab.alarm("x", "host/h", "WARNING", at=200)
    assert shown(lab) == {"x": "WARNING"}


def test_when_quiet_an_active_alarm_has_the_severity_last_reported() -> None:
    lab = lab_with()
    for number, word in enumerate(("WARNING", "CRITICAL", "WARNING", "CRITICAL", "WARNING")):
        lab.alarm("x", "host/h", word, at=10 + number)
    assert shown(lab) == {"x": "CRITICAL"}
    mark(lab, 134)
    assert shown(lab) == {"x": "WARNING"}
    assert "flapping" not in lab.changes("ALARM")[0]["alarm"]["attributes"]
    assert lab.deduced() == {}


def test_slow_changes_are_no_flapping() -> None:
    lab = lab_with()
    for number in range(10):
        mark(lab, 100 + number * 200)
        lab.alarm("x", "host/h", at=100 + number * 200)
        lab.clear("x", "host/h", at=200 + number * 200)
        assert shown(lab) == {}


def test_repeated_reports_are_no_changes() -> None:
    lab = lab_with()
    for number in range(20):
        lab.alarm("x", "host/h", at=10 + number)
    assert told(lab) == [("REPEATED", None, "same")]
    assert lab.deduced() == {}
    assert lab.shard.counters()["repeated"] == 19


@pytest.mark.parametrize("restored", [False, True])
def test_a_clear_is_held_down(restored: bool) -> None:
    lab = lab_with()
    lab.alarm("slow", "host/h", at=10)
    lab.clear("slow", "host/h", at=20)
    assert told(lab) == [("REPEATED", None, "hold-down")]
    lab.alarm("slow", "host/h", at=50)
    mark(lab, 100)
    assert shown(lab) == {"slow": "WARNING"}, "it came back in time"
    lab.clear("slow", "host/h", at=110)
    if restored:
        lab.shard = lab.restored()
    mark(lab, 169)
    assert shown(lab) == {"slow": "WARNING"}
    mark(lab, 170)
    assert shown(lab) == {}


def test_after_an_outage_a_clear_is_not_passed_on_early() -> None:
    lab = lab_with()
    lab.alarm("slow", "host/h", at=10)
    lab.clear("slow", "host/h", at=3000)
    mark(lab, 3059)
    assert shown(lab) == {"slow": "WARNING"}
    mark(lab, 3060)
    assert shown(lab) == {}


def test_a_removed_resource_takes_a_held_alarm_along() -> None:
    lab = lab_with()
    lab.alarm("slow", "host/h", at=10)
    lab.clear("slow", "host/h", at=20)
    lab.delete("host/h", at=30)
    assert shown(lab) == {}
    assert [key for key in lab.keys if key[0] == "h" and lab.shard.encode(key) is not None] == []
    mark(lab, 1000)
    assert lab.told == []


def test_without_settings_nothing_is_held_and_a_change_of_them_is_in_the_journal() -> None:
    lab = lab_with()
    lab.send(op="DELETE", definition={"kind": "VALUES", "name": "hygiene"}, at=1)
    assert lab.changes()[0]["kind"] == "VALUES"
    for number in range(10):
        lab.alarm("x", "host/h", at=10 + 2 * number)
        lab.clear("x", "host/h", at=11 + 2 * number)
        assert shown(lab) == {}


def test_settings_are_inherited() -> None:
    found = parse(
        "hygiene: {hold_down: 5s, sources: {z: {flapping: {changes: 2}, alarms: {n: {hold_down: 1m}}}}}"
    )
    assert found.of("other", "n") == Care(Flapping(), 5_000_000)
    assert found.of("z", "m") == Care(Flapping(changes=2), 5_000_000)
    assert found.of("z", "n") == Care(Flapping(changes=2), 60_000_000)
    assert parse("hygiene: {}").of("any", "thing") == Care()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hygiene: [1]", "settings are"),
        ("hygiene: {flapping: {changes: 0}}", "1 to 1000"),
        ("hygiene: {flapping: {often: 3}}", "often"),
        ("hygiene: {flapping: on}", "`off`"),
        ("hygiene: {hold_down: later}", "90s"),
        ("hygiene: {sources: [z]}", "maps names"),
        ("hygiene: {sources: {z: {quiet: 3m}}}", "quiet"),
        ("hygiene: {}\nother: 1", "other"),
        ("values: []", "under `hygiene`"),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidDocument, match=said):
        parse(text)


def test_the_file_that_is_shipped_is_accepted_as_a_definition() -> None:
    (checked,) = check_files([Path(__file__).parents[3] / "rules" / "hygiene.yaml"])
    assert checked.accepted
    assert checked.definition is not None
    assert (checked.definition.kind, checked.kind) == ("VALUES", "hygiene")
