from __future__ import annotations

from collections.abc import Callable

import pytest
from support.correlation_oracle import Rule
from support.correlation_rules import RULES
from support.lab import Lab

from pipeline.graph.vertex import Vertex
from pipeline.rules.whynot import PARTIAL, Ended, Walk, why_not

ENTITIES = """
  alarm: {category: ALARM, type: nagios, name: DOWN, severity: CRITICAL}
  other: {category: ALARM, type: nagios, name: OTHER}
  host: {category: RESOURCE, type: nova.host, state: available}
  peer: {category: RESOURCE, type: nova.host}
  rack: {category: RESOURCE, type: rack, name.regex: "r[0-9]+"}
  vm: {category: RESOURCE, type: nova.instance}
  twin: {category: RESOURCE, type: nova.instance}
  failed: {category: RESOURCE, type: nova.instance, state: ERROR}
"""
RAISE = "- raise_alarm: {target: host, alarm_name: deduced, severity: WARNING}"
FULL = "rack [contains] host AND alarm [on] host AND host [contains] vm AND NOT other [on] vm"


def rule(*conditions: str, more: tuple[str, ...] = ()) -> str:
    lines = ["metadata: {version: 3, name: rule}", f"entities: {ENTITIES}", "scenarios:"]
    for condition in conditions:
        lines += [f"- condition: {condition}", *(f"  {line}" for line in more), "  actions:", f"  {RAISE}"]
    return "\n".join(lines)


def world(*, but: str = "") -> Lab:
    """Everything that ``FULL`` asks for, but one thing."""
    lab = Lab()
    lab.entity("rack/1", name="rack-1" if but == "name" else "r1")
    if but != "placeholder":
        lab.entity("nova.host/h", state="disabled" if but == "state" else "available")
    lab.entity("nova.instance/v")
    lab.entity("nova.host/elsewhere", state="available")
    if but == "direction":
        lab.relate("nova.host/h", "contains", "rack/1")
    elif but == "label":
        lab.relate("rack/1", "powers", "nova.host/h")
    elif but != "edge":
        lab.relate("rack/1", "contains", "nova.host/h")
    if but != "vm":
        lab.relate("nova.host/h", "contains", "nova.instance/v")
    if but == "source":
        lab.alarm("DOWN", "nova.host/h", "CRITICAL", source="zabbix")
    elif but == "severity":
        lab.alarm("DOWN", "nova.host/h", "WARNING")
    elif but == "alarm name":
        lab.alarm("UP", "nova.host/h", "CRITICAL")
    elif but == "resource":
        lab.alarm("DOWN", "nova.host/elsewhere", "CRITICAL")
    elif but not in ("alarm", "cleared"):
        lab.alarm("DOWN", "nova.host/h", "CRITICAL")
    if but == "not":
        lab.alarm("OTHER", "nova.instance/v")
    return lab


def find(lab: Lab, key: str) -> Vertex:
    graph = lab.shard.graphs["default"]
    kind, _, identity = key.partition("/")
    vertex = graph.entity(kind, identity)
    return vertex or next(alarms[key] for alarms in graph.alarms.values() if key in alarms)


def walks(lab: Lab, key: str, ended: dict[str, list[Ended]] | None = None) -> list[Walk]:
    engine = lab.shard.engine
    return why_not(engine.clauses, find(lab, key), engine.current_values, ended or {})


@pytest.mark.parametrize(
    ("but", "what", "miss"),
    [
        ("edge", "rack [contains] host", None),
        ("direction", "rack [contains] host", ("rack/1", "[contains] goes the other way round")),
        ("label", "rack [contains] host", ("rack/1", "joined by [powers], not by [contains]")),
        ("name", "rack [contains] host",
         ("rack/1", "name is 'rack-1', wanted to begin with 'r[0-9]+' (regex)")),
        ("state", "host", ("nova.host/h", "state is 'disabled', wanted 'available'")),
        ("placeholder", "host", ("nova.host/h", "a placeholder: nothing has described it yet")),
        ("alarm", "alarm [on] host", None),
        ("severity", "alarm [on] host",
         ("nagios/DOWN@nova.host/h", "severity is 'WARNING', wanted 'CRITICAL'")),
        ("alarm name", "alarm [on] host", ("nagios/UP@nova.host/h", "name is 'UP', wanted 'DOWN'")),
        ("source", "alarm [on] host", ("zabbix/DOWN@nova.host/h", "type is 'zabbix', wanted 'nagios'")),
        ("resource", "alarm [on] host", ("nagios/DOWN@nova.host/elsewhere", "it is on nova.host/elsewhere")),
        ("cleared", "alarm [on] host", ("nagios/DOWN@nova.host/h", "it cleared at noon")),
        ("vm", "host [contains] vm", None),
        ("not", "NOT other [on] vm",
         ("nagios/OTHER@nova.instance/v", "it is there, with [on] at nova.instance/v")),
    ],
)  # fmt: skip
def test_the_first_element_without_a_partner_is_named_with_what_came_near(
    but: str, what: str, miss: tuple[str, str] | None
) -> None:
    lab = world(but=but)
    lab.rule(rule(FULL))
    ended = {"nova.host/h": [Ended("nagios/DOWN@nova.host/h", "nagios", "DOWN", "CRITICAL", "noon")]}
    [walk] = walks(lab, "nova.host/h", ended if but == "cleared" else None)
    assert walk.start == "host"
    assert walk.missing is not None
    assert walk.missing.what == what
    assert (walk.matches, walk.count) == ((), 0)
    assert walk.elements[-1] is walk.missing
    nearest = [(one.key, one.why) for one in walk.missing.misses]
    assert nearest[:1] == ([miss] if miss is not None else [])
    if miss is None:
        assert walk.missing.reason.startswith("nothing has [")


@pytest.mark.parametrize(
    "key", ["nova.host/h", "rack/1", "nova.instance/v", "nagios/DOWN@nova.host/h"]
)  # fmt: skip
def test_what_holds_is_shown_with_its_match_wherever_one_asks(key: str) -> None:
    lab = world()
    lab.rule(rule(FULL))
    [walk] = walks(lab, key)
    assert walk.missing is None
    assert walk.matches == (
        {
            "rack": "rack/1",
            "host": "nova.host/h",
            "alarm": "nagios/DOWN@nova.host/h",
            "vm": "nova.instance/v",
        },
    )
    assert all(element.holds for element in walk.elements)


def test_partial_matches_go_on_together() -> None:
    lab = world(but="not")
    lab.rule(rule(FULL))
    lab.entity("nova.instance/w")
    lab.relate("nova.host/h", "contains", "nova.instance/w")
    # One instance has the alarm that must not be; the other has not.
    [walk] = walks(lab, "nova.host/h")
    assert [match["vm"] for match in walk.matches] == ["nova.instance/w"]
    assert [each.count for each in walk.elements if each.what == "host [contains] vm"] == [2]


def test_each_scenario_and_alternative_has_its_walk() -> None:
    lab = world(but="severity")
    lab.rule(rule("other [on] host", "alarm [on] host OR other [on] host"))
    found = walks(lab, "nova.host/h")
    assert [(walk.scenario, walk.alternative) for walk in found] == [(0, 0), (1, 0), (1, 1)]
    assert [walk.missing.what for walk in found if walk.missing] == [
        "other [on] host", "alarm [on] host", "other [on] host"
    ]  # fmt: skip


def test_a_rule_that_does_not_speak_of_the_entity_says_of_what_it_does() -> None:
    lab = world()
    lab.rule(rule("alarm [on] host"))
    [walk] = walks(lab, "rack/1")
    assert walk.start == ""
    assert walk.missing is not None
    assert walk.missing.reason == "no element of it is a rack: it speaks of nagios, nova.host"


def test_of_several_places_the_one_that_comes_farthest_tells() -> None:
    lab = Lab()
    lab.entity("nova.host/h", state="available")
    lab.entity("nova.instance/v")
    lab.relate("nova.host/h", "contains", "nova.instance/v")
    lab.rule(rule("host [contains] vm AND host [contains] twin AND other [on] twin"))
    [walk] = walks(lab, "nova.instance/v")
    assert walk.missing is not None
    assert (walk.start, walk.missing.what) == ("vm", "host [contains] twin")
    assert [(one.key, one.why) for one in walk.missing.misses] == [
        ("nova.instance/v", "it stands as vm already")
    ]


def test_a_place_that_cannot_be_does_not_hide_one_that_can() -> None:
    lab = Lab()
    lab.entity("nova.host/h", state="disabled")
    lab.rule(rule("host [beside] peer"))
    [walk] = walks(lab, "nova.host/h")
    assert walk.missing is not None
    assert (walk.start, walk.missing.what) == ("peer", "host [beside] peer")


def test_a_hub_is_not_reported_for_what_was_cut_off() -> None:
    lab = Lab()
    lab.entity("nova.host/h", state="available")
    for number in range(PARTIAL + 50):
        lab.entity(f"nova.instance/{number:05d}")
        lab.relate("nova.host/h", "contains", f"nova.instance/{number:05d}")
    lab.alarm("OTHER", f"nova.instance/{PARTIAL + 49:05d}")
    lab.rule(rule("host [contains] vm AND other [on] vm"))
    [walk] = walks(lab, "nova.host/h")
    assert walk.count == 1
    assert walk.missing is None


@pytest.mark.parametrize(
    ("having", "what", "reason", "miss"),
    [
        ("{of: 'host [contains] failed', at_most: 0}", "host [contains] failed: at most 0", "counted: 1",
         ("nova.instance/1", "it is counted")),
        ("{of: 'host [contains] failed', at_least: 2}", "host [contains] failed: at least 2", "counted: 1",
         ("nova.instance/0", "state is 'ok', wanted 'ERROR'")),
        ("{all: 'host [contains] vm', are: failed}",
         "host [contains] vm: all are (type: nova.instance, state: ERROR)", "counted: 2",
         ("nova.instance/0", "state is 'ok', wanted 'ERROR'")),
        ("{of: 'host [contains] vm', at_least: 1, at_most: 2}", None, "", None),
    ],
)  # fmt: skip
def test_counts_are_walked_too(
    having: str, what: str | None, reason: str, miss: tuple[str, str] | None
) -> None:
    lab = Lab()
    lab.entity("nova.host/h", state="available")
    for number, state in enumerate(("ok", "ERROR")):
        lab.entity(f"nova.instance/{number}", state=state)
        lab.relate("nova.host/h", "contains", f"nova.instance/{number}")
    lab.rule(rule("host", more=(f"having: [{having}]",)))
    [walk] = walks(lab, "nova.host/h")
    if what is None:
        assert (walk.missing, walk.count) == (None, 1)
        return
    assert walk.missing is not None
    assert (walk.missing.what, walk.missing.reason) == (f"having {what}", reason)
    assert [(one.key, one.why) for one in walk.missing.misses] == [miss]


@pytest.mark.parametrize(
    ("more", "condition", "waits"),
    [
        (("for: 5m",), "alarm [on] host", "it has held for 5m"),
        (("within: 1h", "at_least: 3"), "alarm [on] host", "its alarm has come 3 times within 1h"),
        (("absent_for: 90s",), "alarm [on] host AND NOT other [on] host",
         "what must not be there has been away for 90s"),
    ],
)  # fmt: skip
def test_what_is_said_of_time_is_told_beside_what_is_there(
    more: tuple[str, ...], condition: str, waits: str
) -> None:
    lab = world(but="alarm")
    lab.rule(rule(condition, more=more))
    [walk] = walks(lab, "nova.host/h")
    assert walk.missing is not None
    assert walk.missing.what == "alarm [on] host"
    lab.alarm("DOWN", "nova.host/h", "CRITICAL")
    [walk] = walks(lab, "nova.host/h")
    assert (walk.missing, walk.count, walk.waits) == (None, 1, f"its actions follow once {waits}")


def test_what_must_not_be_seen_may_stand() -> None:
    lab = world()
    lab.alarm("OTHER", "nova.host/h")
    lab.rule(rule("alarm [on] host AND NOT other [on] host", more=("not_seen_for: 90s",)))
    [walk] = walks(lab, "nova.host/h")
    assert (walk.missing, walk.count) == (None, 1)
    assert walk.waits == "its actions follow once nothing has reported what stands under NOT for 90s"


def asked(lab: Lab) -> dict[str, set[tuple[int, int]]]:
    """Of each vertex, the clauses for which a whole match is shown."""
    found: dict[str, set[tuple[int, int]]] = {}
    graph = lab.shard.graphs["default"]
    for vertex in list(graph.candidates(None)):
        for walk in walks(lab, vertex.key):
            assert (walk.missing is None) == bool(walk.count)
            if walk.count:
                found.setdefault(vertex.key, set()).add((walk.scenario, walk.alternative))
    return found


def held(lab: Lab) -> dict[str, set[tuple[int, int]]]:
    found: dict[str, set[tuple[int, int]]] = {}
    for clause in lab.shard.engine.clauses:
        for bind in clause.matches:
            for vertex in bind:
                found.setdefault(vertex.key, set()).add((clause.scenario.index, clause.index))
    return found


@pytest.mark.parametrize("each", RULES, ids=lambda each: str(each.name))
def test_a_walk_ends_whole_exactly_where_the_engine_has_a_match(
    each: Rule, busy: Callable[[Lab], None]
) -> None:
    lab = Lab()
    lab.rule(each.text, each.name)
    busy(lab)
    assert asked(lab) == held(lab)


@pytest.fixture
def busy() -> Callable[[Lab], None]:
    """Hosts with instances in every mixture of alarms and states."""

    def fill(lab: Lab) -> None:
        for number in range(4):
            lab.entity(f"host/{number}", name=f"host-{number}", state=("up", "ERROR")[number % 2])
            for vm in range(2):
                lab.entity(f"vm/{number}{vm}", state="ACTIVE")
                lab.relate(f"host/{number}", "contains", f"vm/{number}{vm}")
            for bit, name in enumerate("xy"):
                if number >> bit & 1:
                    lab.alarm(name, f"host/{number}", ("WARNING", "CRITICAL")[number % 2], source="mon")
        lab.relate("host/0", "attached", "vm/30")
        lab.alarm("x", "vm/00", source="mon")
        lab.alarm("x", "host/unknown", source="mon")

    return fill
