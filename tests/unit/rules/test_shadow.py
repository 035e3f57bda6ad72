"""Rules in shadow mode: what they would do is written down, and nothing else comes of them."""

from __future__ import annotations

import msgspec
import pytest
from support.lab import Lab

from pipeline.rules.state import document

WHOLE = """
metadata: {version: 3, name: rule}
entities:
  a: {category: ALARM, type: nagios, name: x}
  h: {type: host}
scenarios:
- condition: a [on] h
  actions:
  - raise_alarm: {target: h, alarm_name: d, severity: WARNING, causing_alarm: a}
  - set_state: {target: h, state: ERROR}
  - mark_down: {target: h}
  - execute_mistral: {workflow: w, input: {host: 'get_attr(h, id)'}}
"""
READER = """
metadata: {version: 3, name: reader}
entities:
  d: {category: ALARM, type: vitrage, name: d}
  h: {type: host}
scenarios:
- condition: d [on] h
  actions:
  - raise_alarm: {target: h, alarm_name: seen, severity: WARNING}
"""


def shadowed() -> Lab:
    lab = Lab()
    lab.entity("host/h", state="available")
    lab.rule(READER, "reader")
    lab.rule(WHOLE, mode="shadow")
    return lab


def test_nothing_but_the_journal_tells_of_it() -> None:
    lab = shadowed()
    told = lab.alarm("x", "host/h")
    assert {output.topic for output in told} == {"graph.journal"}
    assert lab.deduced() == {}
    assert lab.causes() == set()
    assert lab.aggregated("host/h") == "AVAILABLE"
    assert lab.of("host/h")["marked_down"] is False
    assert {change["kind"] for change in lab.changes()} == {"ALARM", "SHADOW"}
    found = {change["deduces"]: change for change in lab.changes("SHADOW")}
    assert found["ALARM"]["op"] == "RAISED"
    assert (found["ALARM"]["key"], found["ALARM"]["severity"]) == ("vitrage/d@host/h", "WARNING")
    assert found["STATE"]["key"], found["STATE"]["state"] == ("host/h", "ERROR")
    assert found["DOWN"]["op"] == "ADDED"
    assert (found["CAUSE"]["source"], found["CAUSE"]["target"]) == ("nagios/x@host/h", "vitrage/d@host/h")
    assert (found["WORKFLOW"]["workflow"], found["WORKFLOW"]["input"]) == ("w", {"host": "h"})
    assert {change["rule"]["name"] for change in found.values()} == {"rule"}
    assert found["ALARM"]["match"] == {"a": "nagios/x@host/h", "h": "host/h"}


def test_what_ends_is_told_too_and_a_worse_severity_as_a_change() -> None:
    lab = shadowed()
    lab.alarm("x", "host/h")
    lab.rule(WHOLE.replace("severity: WARNING", "severity: 'get_attr(a, severity)'"), mode="shadow")
    lab.alarm("x", "host/h", "CRITICAL")
    [changed] = [one for one in lab.changes("SHADOW") if one["deduces"] == "ALARM"]
    assert (changed["op"], changed["severity"]) == ("CHANGED", "CRITICAL")
    lab.clear("x", "host/h")
    ended = {one["deduces"]: one["op"] for one in lab.changes("SHADOW")}
    # A start cannot be taken back: there is nothing to tell of its end.
    assert ended == {"ALARM": "CLEARED", "STATE": "REMOVED", "DOWN": "REMOVED", "CAUSE": "REMOVED"}
    assert lab.state()["shadow"] == []


def test_it_is_counted_and_listed_and_the_same_after_a_restart() -> None:
    lab = shadowed()
    lab.alarm("x", "host/h")
    told = lab.shard.counters()["rules"]["rule"]
    assert (told["matches"], told["mode"], told["status"]) == (1, "shadow", "ACTIVE")
    assert "mode" not in lab.shard.counters()["rules"]["reader"]
    assert {one["deduces"] for one in lab.state()["shadow"]} == {
        "ALARM",
        "STATE",
        "DOWN",
        "CAUSE",
        "WORKFLOW",
    }
    assert document(lab.restored()) == lab.state()


def test_promoted_it_deduces_and_starts_nothing_for_what_stood() -> None:
    lab = shadowed()
    lab.alarm("x", "host/h")
    lab.rule(WHOLE, mode="active")
    assert lab.deduced() == {"d@host/h": "WARNING", "seen@host/h": "WARNING"}
    assert lab.starts() == []
    assert {one["op"] for one in lab.changes("SHADOW")} == {"CLEARED", "REMOVED"}
    assert "shadow" not in lab.state()
    lab.clear("x", "host/h")
    lab.alarm("x", "host/h")
    assert [start["workflow"] for start in lab.starts()] == ["w"]


def test_put_into_shadow_its_deductions_go() -> None:
    lab = Lab()
    lab.entity("host/h")
    lab.rule(WHOLE)
    lab.alarm("x", "host/h")
    lab.rule(WHOLE, mode="shadow")
    assert lab.announced() == [("d@host/h", "CLEARED", "WARNING")]
    assert {one["op"] for one in lab.changes("SHADOW") if one["deduces"] != "WORKFLOW"} == {"RAISED", "ADDED"}
    lab.drop_rule()
    assert {one["op"] for one in lab.changes("SHADOW")} == {"CLEARED", "REMOVED"}


@pytest.mark.parametrize(
    ("said", "mode", "shadow"),
    [("shadow", "", True), ("shadow", "active", False), ("active", "", False), ("active", "shadow", True)],
)
def test_the_text_may_say_so_and_who_puts_it_live_decides(said: str, mode: str, shadow: bool) -> None:
    lab = Lab()
    lab.entity("host/h")
    lab.rule(WHOLE.replace("name: rule", f"name: rule, mode: {said}"), mode=mode)
    lab.alarm("x", "host/h")
    assert (lab.deduced() == {}) is shadow


def test_it_needs_no_order_among_rules_and_blocks_none() -> None:
    """As an active rule it would feed itself through a NOT."""
    lab = Lab()
    lab.entity("host/h")
    lab.rule(
        WHOLE.replace("condition: a [on] h", "condition: a [on] h and not d [on] h").replace(
            "  h: {type: host}", "  h: {type: host}\n  d: {category: ALARM, type: vitrage, name: d}"
        ),
        mode="shadow",
    )
    lab.alarm("x", "host/h")
    assert lab.shard.counters()["rules"]["rule"]["reason"] == ""
    assert [one["op"] for one in lab.changes("SHADOW") if one["deduces"] == "ALARM"] == ["RAISED"]


def test_two_rules_in_shadow_are_told_apart() -> None:
    lab = shadowed()
    lab.rule(WHOLE.replace("WARNING", "CRITICAL"), "other", mode="shadow")
    lab.alarm("x", "host/h")
    found = {
        one["rule"]["name"]: one["severity"] for one in lab.changes("SHADOW") if one["deduces"] == "ALARM"
    }
    assert found == {"rule": "WARNING", "other": "CRITICAL"}


def test_the_revision_tells_parameters_apart() -> None:
    lab = Lab()
    text = WHOLE.replace("name: x", "name: get_param(alarm)").replace(
        "entities:", "parameters: {alarm: {}}\nentities:"
    )
    lab.rule(text, parameters={"alarm": "x"})
    [added] = lab.changes("RULE")
    lab.rule(
        text,
        parameters={"alarm": "y"},
    )
    [changed] = lab.changes("RULE")
    assert (added["op"], changed["op"]) == ("ADDED", "CHANGED")
    assert added["revision"] != changed["revision"]


def test_a_new_text_with_the_same_meaning_gives_its_revision_to_what_it_deduces() -> None:
    lab = Lab()
    lab.entity("host/h")
    lab.rule(WHOLE)
    lab.rule(WHOLE + "# the same\n")
    [changed] = lab.changes("RULE")
    assert lab.announced() == []
    restored = lab.restored()
    lab.alarm("x", "host/h")
    [told] = [one.value for one in lab.told if one.topic == "alarms.deduced"]
    assert told["rule"]["revision"] == changed["revision"]
    record = {
        "id": "r4",
        "time": lab.told[0].time,
        "at": lab.told[0].time,
        "source": "nagios",
        "alarm": {
            "name": "x",
            "severity": "WARNING",
            "status": "ACTIVE",
            "resource": {"type": "host", "id": "h"},
        },
    }
    again = restored.step(msgspec.json.encode(record), lab.position, 0)
    assert [one.value for one in again] == [one.value for one in lab.told]


def test_who_put_it_live_is_in_the_journal() -> None:
    lab = Lab()
    by = {"operator": "ann", "host": "desk"}
    lab.send(definition={"kind": "RULE", "name": "rule", "text": WHOLE, "mode": "shadow"}, by=by)
    [added] = lab.changes("RULE")
    assert (added["by"], added["mode"]) == (by, "shadow")
    lab.send(op="DELETE", definition={"kind": "RULE", "name": "rule"}, by=by)
    [removed] = lab.changes("RULE")
    assert (removed["op"], removed["by"]) == ("REMOVED", by)
