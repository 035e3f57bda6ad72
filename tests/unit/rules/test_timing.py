"""Time in rules: what must last, what is counted within a window, what has been away for long."""

from __future__ import annotations

import msgspec
import pytest
from support.lab import Lab, moment

from pipeline.events import Output

HEAD = """
metadata: {version: 3, name: rule}
entities:
  a: {category: ALARM, type: nagios}
  b: {category: ALARM, type: nagios, name: b}
  c: {category: ALARM, type: vitrage, name: c}
  h: {type: host}
  v: {type: vm}
scenarios:
"""
RAISE = "  actions: [{raise_alarm: {target: h, alarm_name: d, severity: CRITICAL}}]\n"
FOR = HEAD + "- condition: a [on] h\n  for: 5m\n" + RAISE
WITHIN = HEAD + "- condition: a [on] h\n  within: 10m\n  at_least: 3\n" + RAISE
ABSENT = HEAD + "- condition: h AND NOT a [on] h\n  absent_for: 15m\n" + RAISE


def mark(lab: Lab, at: float) -> list[Output]:
    """A clock mark: everything up to ``at`` has been read."""
    lab.position += 1
    time = moment(at)
    value = {"id": f"m{lab.position}", "time": time, "at": time, "mark": {"read": {"alarms.raw:x:0": time}}}
    lab.told = lab.shard.step(msgspec.json.encode(value), lab.position, 0)
    lab.keys |= lab.shard.dirty
    lab.shard.dirty.clear()
    return lab.told


def lab_with(text: str) -> Lab:
    lab = Lab()
    mark(lab, 0)
    lab.rule(text)
    assert not lab.shard.rules.rules["rule"].error
    lab.entity("host/h", at=0)
    return lab


@pytest.mark.parametrize("restored", [False, True])
def test_a_condition_must_hold_for_long_enough(restored: bool) -> None:
    lab = lab_with(FOR)
    lab.alarm("x", "host/h", at=10)
    mark(lab, 309)
    assert lab.deduced() == {}
    if restored:
        lab.shard = lab.restored()
    mark(lab, 310)
    assert lab.announced() == [("d@host/h", "ACTIVE", "CRITICAL")]
    if restored:
        lab.shard = lab.restored()
        assert lab.deduced() == {"d@host/h": "CRITICAL"}
    lab.clear("x", "host/h", at=320)
    assert lab.announced() == [("d@host/h", "CLEARED", "CRITICAL")]


def test_what_ends_begins_anew() -> None:
    lab = lab_with(FOR)
    lab.alarm("x", "host/h", at=10)
    lab.clear("x", "host/h", at=200)
    lab.alarm("x", "host/h", at=201)
    mark(lab, 500)
    assert lab.deduced() == {}
    mark(lab, 501)
    assert lab.deduced() == {"d@host/h": "CRITICAL"}


def test_a_deadline_is_journalled_with_its_mark_and_told_the_same_again() -> None:
    def play() -> list[Output]:
        lab = lab_with(FOR)
        lab.alarm("x", "host/h", at=10)
        return mark(lab, 400)

    told = play()
    assert [output.topic for output in told] == ["alarms.deduced", "graph.journal"]
    assert told[1].value["position"] == [0, 5]
    assert told[1].value["time"] == moment(400)
    assert told == play()


def test_a_late_report_waits_by_the_clock() -> None:
    lab = lab_with(FOR)
    mark(lab, 1000)
    lab.alarm("x", "host/h", at=10)
    mark(lab, 1001)
    assert lab.deduced() == {}
    lab.send(entity={"type": "host", "id": "h2"}, at=1002)
    mark(lab, 1300)
    assert lab.deduced() == {"d@host/h": "CRITICAL"}


def test_after_an_outage_nothing_comes_early() -> None:
    """The pipeline stood for half an hour; its clock stands where it was while the backlog comes."""
    lab = lab_with(FOR)
    lab.alarm("short", "host/h", at=600)
    lab.clear("short", "host/h", at=660)
    lab.alarm("long", "host/h", at=1700)
    assert lab.deduced() == {}
    mark(lab, 1750)
    assert lab.deduced() == {}, "it was appended when the clock had long gone on: five minutes from then"
    mark(lab, 1999)
    assert lab.deduced() == {}
    mark(lab, 2000)
    assert lab.deduced() == {"d@host/h": "CRITICAL"}


def test_after_an_outage_a_window_is_no_wider() -> None:
    lab = lab_with(WITHIN)
    for at in (60, 1000, 1700):
        lab.alarm("x", "host/h", at=at)
        lab.clear("x", "host/h", at=at + 1)
    assert lab.deduced() == {}, "no three of them came within ten minutes"
    lab.alarm("y", "host/h", at=1705)
    lab.alarm("z", "host/h", at=1706)
    assert lab.deduced() == {"d@host/h": "CRITICAL"}


def test_a_clock_that_leaps_tells_the_net_effect_only() -> None:
    lab = lab_with(HEAD + "- condition: a [on] h\n  within: 10m\n  at_least: 2\n  for: 5m\n" + RAISE)
    lab.alarm("x", "host/h", at=10)
    lab.alarm("y", "host/h", at=20)
    assert mark(lab, 3600) == []


@pytest.mark.parametrize("restored", [False, True])
def test_a_window_counts_what_came_whether_or_not_it_stands(restored: bool) -> None:
    lab = lab_with(WITHIN)
    for at in (10, 100, 200):
        assert lab.deduced() == {}
        lab.alarm("x", "host/h", at=at)
        lab.alarm("x", "host/h", at=at + 1, id=f"again{at}")
        told = list(lab.announced())
        lab.clear("x", "host/h", at=at + 5)
        if restored:
            lab.shard = lab.restored()
    assert told == []
    assert lab.deduced() == {"d@host/h": "CRITICAL"}
    mark(lab, 609)
    assert lab.deduced() == {"d@host/h": "CRITICAL"}
    mark(lab, 610)
    assert lab.announced() == [("d@host/h", "CLEARED", "CRITICAL")]
    mark(lab, 5000)
    assert [key for key in lab.keys if key[0] == "w" and lab.shard.encode(key) is not None] == []


def test_windows_are_kept_apart_by_the_rest_of_the_condition() -> None:
    lab = lab_with(WITHIN)
    lab.entity("host/other", at=0)
    for number, name in enumerate(("x", "y")):
        lab.alarm(name, "host/h", at=10 + number)
        lab.alarm(name, "host/other", at=20 + number)
    assert lab.deduced() == {}
    lab.alarm("z", "host/other", at=30)
    assert lab.deduced() == {"d@host/other": "CRITICAL"}


def test_a_late_report_counts_where_it_happened() -> None:
    lab = lab_with(WITHIN)
    mark(lab, 5000)
    for number in range(4):
        lab.alarm(f"x{number}", "host/h", at=10 + number)
    assert lab.deduced() == {}


def test_counted_alarms_that_stand_are_causes() -> None:
    lab = lab_with(WITHIN.replace("severity: CRITICAL", "severity: CRITICAL, causing_alarm: a"))
    for number in range(3):
        lab.alarm(f"x{number}", "host/h", at=10 + number)
    assert lab.causes() == {(f"nagios/x{number}@host/h", "vitrage/d@host/h") for number in range(3)}
    lab.clear("x1", "host/h", at=20)
    assert len(lab.causes()) == 2
    assert lab.deduced() == {"d@host/h": "CRITICAL"}


def test_what_stood_when_the_rule_came_is_not_counted_and_starts_nothing() -> None:
    lab = Lab()
    mark(lab, 0)
    lab.entity("host/h", at=0)
    for number in range(3):
        lab.alarm(f"x{number}", "host/h", at=10 + number)
    start = "  actions: [{execute_workflow: {workflow: w, input: {}}}]\n"
    lab.rule(WITHIN)
    assert lab.deduced() == {}
    lab.rule(HEAD + "- condition: a [on] h\n  for: 5m\n" + start, name="other")
    told = mark(lab, 1000)
    assert [output for output in told if output.topic == "workflow.commands"] == []
    lab.alarm("fresh", "host/h", at=1001)
    assert lab.starts() == [], "the wish stands already"


def test_a_workflow_starts_when_the_wait_is_over() -> None:
    start = "  actions: [{execute_workflow: {workflow: w, input: {}}}]\n"
    lab = lab_with(HEAD + "- condition: a [on] h\n  for: 5m\n" + start)
    lab.alarm("x", "host/h", at=10)
    mark(lab, 310)
    assert [command["workflow"] for command in lab.starts()] == ["w"]
    lab.shard = lab.restored()
    mark(lab, 900)
    assert lab.starts() == []


SILENT = HEAD + "- condition: h AND NOT a [on] h\n  not_seen_for: 15m\n" + RAISE


@pytest.mark.parametrize("restored", [False, True])
def test_reports_of_a_backlog_are_seen_before_the_clock_goes_on(restored: bool) -> None:
    """The pipeline stood for an hour, the source did not: its reports lie before the next mark."""
    lab = lab_with(SILENT)
    lab.alarm("x", "host/h", at=5)
    for at in range(300, 4200, 300):
        lab.alarm("x", "host/h", at=at)
    if restored:
        lab.shard = lab.restored()
    mark(lab, 4210)
    assert lab.deduced() == {}
    mark(lab, 4799)
    assert lab.deduced() == {}
    mark(lab, 4800)
    assert lab.announced() == [("d@host/h", "ACTIVE", "CRITICAL")]
    if restored:
        lab.shard = lab.restored()
    lab.alarm("x", "host/h", at=4801)
    assert lab.announced() == [("d@host/h", "CLEARED", "CRITICAL")]


def test_a_report_that_was_appended_earlier_puts_nothing_forward() -> None:
    """Another partition of the sources' topic is read later; what lies there is older than what was seen."""
    lab = lab_with(SILENT)
    lab.alarm("x", "host/h", at=1000)
    lab.alarm("y", "host/h", at=900)
    mark(lab, 1899)
    assert lab.deduced() == {}
    mark(lab, 1900)
    assert lab.deduced() == {"d@host/h": "CRITICAL"}


def test_reports_take_no_place_among_the_deadlines() -> None:
    lab = lab_with(SILENT)
    heap = lab.shard.engine.waiting.deadlines.heap
    for number in range(500):
        lab.alarm("x", "host/h", at=1 + number)
    assert len(heap) == 1
    mark(lab, 900)
    assert len(heap) == 1
    assert lab.deduced() == {}
    mark(lab, 1400)
    assert lab.deduced() == {"d@host/h": "CRITICAL"}


def test_a_rule_without_reports_to_wait_for_asks_nothing_of_them() -> None:
    lab = lab_with(ABSENT + FOR.removeprefix(HEAD) + WITHIN.removeprefix(HEAD))
    assert not lab.shard.engine.index.sights
    lab.drop_rule()
    lab.rule(SILENT)
    assert list(lab.shard.engine.index.sights) == ["nagios"]
    lab.drop_rule()
    assert not lab.shard.engine.index.sights


def test_an_alarm_held_steady_is_seen_nonetheless() -> None:
    lab = lab_with(SILENT)
    text = "hygiene: {flapping: {changes: 2, within: 10m, quiet: 2h}}"
    lab.send(definition={"kind": "VALUES", "name": "hygiene", "text": text})
    for number, severity in enumerate(("WARNING", "CRITICAL", "WARNING", "CRITICAL", "WARNING", "WARNING")):
        lab.alarm("x", "host/h", severity, at=10 + 100 * number)
    assert lab.changes("REPEATED"), "it flaps: what is reported is held back"
    mark(lab, 1409)
    assert lab.deduced() == {}
    mark(lab, 1410)
    assert lab.deduced() == {"d@host/h": "CRITICAL"}


@pytest.mark.parametrize("restored", [False, True])
def test_absence_is_counted_from_when_it_was_last_there(restored: bool) -> None:
    lab = lab_with(ABSENT)
    mark(lab, 899)
    assert lab.deduced() == {}
    lab.alarm("x", "host/h", at=899)
    lab.clear("x", "host/h", at=950)
    if restored:
        lab.shard = lab.restored()
    mark(lab, 1849)
    assert lab.deduced() == {}
    mark(lab, 1850)
    assert lab.deduced() == {"d@host/h": "CRITICAL"}
    if restored:
        lab.shard = lab.restored()
    lab.alarm("x", "host/h", at=1851)
    assert lab.deduced() == {}


def test_the_rest_of_the_condition_may_come_when_the_absence_is_long() -> None:
    lab = lab_with(HEAD + "- condition: h [has] v AND NOT a [on] h\n  absent_for: 15m\n" + RAISE)
    mark(lab, 2000)
    lab.entity("vm/v", at=2001)
    assert lab.deduced() == {}
    lab.relate("host/h", "has", "vm/v", at=2002)
    assert lab.deduced() == {"d@host/h": "CRITICAL"}


def test_a_removed_rule_forgets_what_it_waited_for() -> None:
    lab = lab_with(FOR + WITHIN.removeprefix(HEAD) + ABSENT.removeprefix(HEAD))
    lab.alarm("x", "host/h", at=10)
    kept = [key for key in lab.keys if key[0] in "tw" and lab.shard.encode(key) is not None]
    assert {key[0] for key in kept} == {"t", "w"}
    lab.drop_rule()
    assert [key for key in lab.keys if key[0] in "tw" and lab.shard.encode(key) is not None] == []
    assert mark(lab, 9000) == []


def test_a_mark_costs_what_is_due() -> None:
    lab = lab_with(FOR)
    for number in range(50):
        lab.entity(f"host/{number}", at=1)
        lab.alarm("x", f"host/{number}", at=10 + number)
    heap = lab.shard.engine.waiting.deadlines.heap
    mark(lab, 309)
    assert len(heap) == 50
    mark(lab, 312)
    assert len(heap) == 47
    assert len(lab.deduced()) == 3


def test_a_rule_that_counts_its_own_work_is_refused() -> None:
    lab = Lab()
    own = HEAD.replace("type: nagios}", "type: vitrage, name: d}", 1)
    lab.rule(own + "- condition: a [on] h\n  within: 5m\n  at_least: 2\n" + RAISE)
    assert "feeds itself" in lab.shard.rules.rules["rule"].error


@pytest.mark.parametrize("version", [1, 2])
def test_older_templates_take_the_same_keys(version: int) -> None:
    lab = Lab()
    mark(lab, 0)
    kind = "" if version == 1 else ", type: standard"
    lab.rule(f"""
metadata: {{version: {version}, name: rule{kind}}}
definitions:
  entities:
  - entity: {{category: ALARM, type: nagios, template_id: a}}
  - entity: {{category: RESOURCE, type: host, template_id: h}}
  relationships:
  - relationship: {{source: a, target: h, relationship_type: on, template_id: a_on_h}}
scenarios:
- scenario:
    condition: a_on_h
    for: 5m
    actions:
    - action:
        action_type: raise_alarm
        properties: {{alarm_name: d, severity: CRITICAL}}
        action_target: {{target: h}}
""")
    lab.entity("host/h", at=0)
    lab.alarm("x", "host/h", at=10)
    mark(lab, 309)
    assert lab.deduced() == {}
    mark(lab, 310)
    assert lab.deduced() == {"d@host/h": "CRITICAL"}


def test_waits_that_were_given_up_do_not_pile_up() -> None:
    lab = lab_with(FOR)
    deadlines = lab.shard.engine.waiting.deadlines
    deadlines.limit = 20
    for number in range(100):
        lab.alarm("x", "host/h", at=10 + 2 * number)
        lab.clear("x", "host/h", at=11 + 2 * number)
        mark(lab, 11 + 2 * number)
        assert len(deadlines.heap) <= 21
        deadlines.limit = min(deadlines.limit, 20)
    lab.alarm("x", "host/h", at=300)
    mark(lab, 599)
    assert lab.deduced() == {}
    mark(lab, 600)
    assert lab.deduced() == {"d@host/h": "CRITICAL"}
