"""The shard as its hosts see it: whole or nothing, once, restored as it was."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from support.lab import Lab, moment

from pipeline.errors import CheckpointFailed, InvalidRecord
from pipeline.rules.shard import GraphShard
from pipeline.rules.state import document

RULE = """
metadata: {version: 3, name: rule}
entities:
  a: {category: ALARM, type: nagios}
  h: {type: host}
scenarios:
- condition: a [on] h
  actions:
  - raise_alarm: {target: h, alarm_name: d, severity: CRITICAL, causing_alarm: a}
"""


def test_an_origin_is_applied_once() -> None:
    lab = Lab()
    origin = ["topology.changes", "topic-id", 3, 7]
    assert lab.send(entity={"type": "host", "id": "h"}, origin=origin)
    assert lab.send(entity={"type": "host", "id": "h2"}, origin=origin) == []
    assert lab.send(entity={"type": "host", "id": "h3"}, origin=["topology.changes", "topic-id", 3, 6]) == []
    assert lab.send(entity={"type": "host", "id": "h4"}, origin=["topology.changes", "other-id", 3, 0])
    assert lab.shard.counters()["duplicates"] == 2
    lab.shard = lab.restored()
    assert lab.send(entity={"type": "host", "id": "h5"}, origin=origin) == []


@pytest.mark.parametrize("value", [b"", b"[]", b"{}", b'{"id": "x", "time": 3}', b"\xff"])
def test_what_is_no_record_is_refused(value: bytes) -> None:
    with pytest.raises(InvalidRecord):
        GraphShard(0).step(value, 0, 0)


def test_a_record_without_content_leaves_no_trace() -> None:
    lab = Lab()
    lab.entity("host/h")
    before = (document(lab.shard), lab.shard.counters())
    with pytest.raises(InvalidRecord):
        lab.send(origin=["t", "i", 0, 0])
    assert (document(lab.shard), lab.shard.counters()) == before


@pytest.mark.parametrize("cleared", [False, True])
def test_a_record_that_fails_at_its_end_takes_back_matches_and_their_grounds(
    cleared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grounds(lab: Lab) -> object:
        (graph,) = lab.shard.graphs.values()
        facts = lab.shard.engine.of(graph)
        matches = {match.order for clause in lab.shard.engine.clauses for match in clause.matches.values()}
        known = {vertex.key: len(vertex.matches or ()) for vertex in graph.candidates(None)}
        supports = [
            {word: len(among) for word, among in fact.supports.items()}
            for fact in (*facts.alarms.values(), *facts.causes.values())
        ]
        return matches, known, [each for each in supports if each]

    def fail(*_: object) -> None:
        raise ValueError("no more room")

    lab, other = Lab(), Lab()
    for each in (lab, other):
        each.rule(RULE)
        each.entity("host/h")
        each.alarm("x", "host/h")
    before = (document(lab.shard), grounds(lab))
    change = Lab.clear if cleared else Lab.alarm
    name = "x" if cleared else "y"
    with monkeypatch.context() as patched:
        patched.setattr("pipeline.rules.shard.outputs", fail)
        with pytest.raises(InvalidRecord, match="no more room"):
            change(lab, name, "host/h")
    assert (document(lab.shard), grounds(lab)) == before
    change(lab, name, "host/h")
    change(other, name, "host/h")
    assert (document(lab.shard), grounds(lab)) == (document(other.shard), grounds(other))


def test_the_same_log_gives_the_same_bytes() -> None:
    def play() -> bytes:
        lab, told = Lab(), []
        for call in (
            lambda: lab.rule(RULE),
            lambda: lab.entity("host/h"),
            lambda: lab.alarm("x", "host/h"),
            lambda: lab.clear("x", "host/h"),
        ):
            told += call()
        return msgspec.json.encode([(o.topic, o.key, o.id, o.time, o.value) for o in told])

    assert play() == play()


def test_outputs_have_the_agreed_form() -> None:
    lab = Lab()
    lab.rule(RULE)
    lab.entity("host/h")
    deduced, journal = lab.alarm("x", "host/h", id="a-1")
    assert deduced.topic == "alarms.deduced"
    assert deduced.key == "default"
    value = deduced.value
    assert value["id"] == deduced.id
    assert value["alarm"] == {
        "key": "vitrage/d@host/h",
        "name": "d",
        "severity": "CRITICAL",
        "operational_severity": "CRITICAL",
        "status": "ACTIVE",
        "resource": {"type": "host", "id": "h"},
        "episode": 1,
    }
    assert value["rule"]["name"] == "rule"
    assert value["rule"]["scenario"] == 0
    assert value["match"] == {"a": "nagios/x@host/h", "h": "host/h"}
    assert value["cause"] == {"record": "a-1"}
    assert value["position"] == [0, lab.position]
    assert journal.topic == "graph.journal"
    assert [change["kind"] for change in journal.value["changes"]] == ["ALARM", "ALARM", "CAUSE"]
    assert journal.value["changes"][1]["id"] == deduced.id


def test_restored_equals_live_and_older_supports_go_on() -> None:
    lab = Lab()
    lab.rule(RULE)
    lab.entity("host/h", name="h", attributes={"rack": "r1"})
    lab.relate("host/h", "link", "host/other")
    lab.alarm("x", "host/h", attributes={"rawtext": "boo"})
    lab.alarm("y", "host/h", external_id="9")
    lab.clear("y", "host/h", external_id="9")
    other = lab.restored()
    assert document(other) == document(lab.shard)
    assert all(other.encode(key) == lab.shard.encode(key) for key in lab.keys)
    lab.shard = other
    lab.clear("x", "host/h")
    assert lab.announced() == [("d@host/h", "CLEARED", "CRITICAL")]
    assert lab.told[0].value["match"] == {"a": "nagios/x@host/h", "h": "host/h"}
    lab.alarm("x", "host/h")
    assert lab.told[0].value["alarm"]["episode"] == 2


@pytest.mark.parametrize("kind", "eradfocn")
def test_a_newer_format_stops_the_worker(kind: str) -> None:
    with pytest.raises(CheckpointFailed, match="newer"):
        GraphShard(0).load(f"{kind}\x1fx", b'[2, "whatever", {"new": true}]')


def test_a_kept_value_that_cannot_be_read_stops_the_worker() -> None:
    with pytest.raises(CheckpointFailed):
        GraphShard(0).load("e\x1fx", b"{not json")


def test_values_of_the_first_format_are_read() -> None:
    """Samples as they were first written: a change of the format must go on reading them."""
    shard = GraphShard(0)
    samples: dict[str, Any] = {
        "e\x1fdefault\x1fhost\x1fh": [
            1, "default", "host", "h", True, "h", "RESOURCE", "ACTIVE", {"rack": "r1"},
            ["nova", 1767607200000000, "r1", None], -4611686018427387904, -4611686018427387904,
        ],
        "r\x1fdefault\x1fhost\x1fh\x1fcontains\x1fvm\x1fv": [
            1, "default", ["host", "h"], "contains", ["vm", "v"], True, None,
            ["nova", 1767607200000000, ["r1", "r2"], {"x": [3, "r0"]}],
            -4611686018427387904, -4611686018427387904,
        ],
        "a\x1fdefault\x1fnagios\x1fnagios/x@host/h": [
            1, "default", "nagios", "nagios/x@host/h", True, "x", "WARNING", ["host", "h"], None, None,
            ["nagios", 1767607200000000, "a1", None], -4611686018427387904,
        ],
        "d\x1fdefault\x1fvitrage/d@host/h": [
            1, "default", "d", ["host", "h"], 3,
            {"severity": "CRITICAL", "rule": {"name": "rule", "revision": "x", "scenario": 0}, "match": {}},
        ],
        "f\x1fRULE\x1frule": [1, {"kind": "RULE", "name": "rule", "text": RULE}, ""],
        "o\x1ft\x1fi\x1f0": [1, "t", "i", 0, 41],
        "c": [1, "2026-01-05T10:00:00.000000Z", {"t:i:0": "2026-01-05T10:00:00.000000Z"}],
        "n": [1, {"applied": 7}],
    }  # fmt: skip
    for key, row in samples.items():
        shard.load(key, msgspec.json.encode(row))
    shard.restored()
    state = document(shard)
    assert [alarm["key"] for alarm in state["alarms"]] == ["nagios/x@host/h", "vitrage/d@host/h"]
    assert state["alarms"][1]["episode"] == 3
    assert [entity["placeholder"] for entity in state["entities"]] == [False, True]
    assert {key: msgspec.json.decode(shard.encode(key) or b"") for key in samples} == samples


def test_a_rule_that_throws_is_set_aside_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab()
    lab.rule(RULE.replace("name: rule", "name: bad").replace("alarm_name: d", "alarm_name: e"), name="bad")
    lab.rule(RULE)
    lab.entity("host/h")
    lab.alarm("x", "host/h")
    assert set(lab.deduced()) == {"d@host/h", "e@host/h"}
    (clause,) = lab.shard.rules.rules["bad"].clauses

    def broken(vertex: Any) -> bool:
        raise ZeroDivisionError("boo")

    clause.tests = ((broken,), (broken,))
    lab.alarm("y", "host/h", id="the-one")
    status = lab.shard.counters()["rules"]["bad"]
    assert status["status"] == "ERROR"
    assert "boo" in status["reason"]
    assert "the-one" in status["reason"]
    assert set(lab.deduced()) == {"d@host/h"}
    assert [change["op"] for change in lab.changes("RULE")] == ["ERROR"]
    assert len(lab.state()["alarms"]) == 3
    assert len({output.id for output in lab.told}) == len(lab.told)
    lab.shard = lab.restored()
    assert lab.shard.counters()["rules"]["bad"]["status"] == "ERROR"
    # Put live again, it gets another chance.
    lab.rule(RULE.replace("name: rule", "name: bad").replace("alarm_name: d", "alarm_name: e"), name="bad")
    assert set(lab.deduced()) == {"d@host/h", "e@host/h"}


def test_a_bad_definition_is_in_error_and_nothing_else_happens() -> None:
    lab = Lab()
    lab.rule("scenarios: nonsense", name="bad")
    assert lab.shard.counters()["rules"]["bad"]["status"] == "ERROR"
    assert [change["op"] for change in lab.changes("RULE")] == ["ADDED", "ERROR"]


def test_a_late_record_is_marked() -> None:
    lab = Lab()
    lab.send(mark={"read": {"t:i:0": moment(100)}})
    (journal,) = lab.entity("host/h", at=50)
    assert journal.value["late"] is True
    (journal,) = lab.entity("host/h", at=101, state="x")
    assert "late" not in journal.value


def test_what_was_cut_off_is_counted_and_named() -> None:
    lab = Lab()
    lab.rule(
        """
metadata: {version: 3, name: rule}
entities:
  a: {type: n}
  b: {type: n}
  c: {type: n}
scenarios:
- condition: a [x] b AND b [x] c
  actions:
  - set_state: {target: a, state: ERROR}
"""
    )
    lab.shard.engine.search.limit = 10
    for source in range(8):
        lab.entity(f"n/{source}")
    for source in range(8):
        for target in range(8):
            lab.relate(f"n/{source}", "x", f"n/{target}")
    assert lab.shard.counters()["expansions_cut"]["rule"] > 0


def test_a_hub_that_changes_is_searched_from_what_is_rare() -> None:
    lab = Lab()
    lab.rule(
        """
metadata: {version: 3, name: rule}
entities:
  switch: {type: switch, state: down}
  port: {type: port}
  a: {category: ALARM, type: nagios}
scenarios:
- condition: switch [has] port AND a [on] port
  actions:
  - raise_alarm: {target: port, alarm_name: cut off, severity: WARNING}
"""
    )
    lab.entity("switch/s", state="up")
    for number in range(300):
        lab.entity(f"port/{number}")
        lab.relate("switch/s", "has", f"port/{number}")
    for number in range(3):
        lab.alarm("x", f"port/{number}")
    before = lab.shard.engine.search.visited
    lab.entity("switch/s", state="down")
    assert len(lab.announced()) == 3
    assert lab.shard.engine.search.visited - before < 30


def test_a_large_effect_is_told_in_parts() -> None:
    lab = Lab()
    lab.rule(
        """
metadata: {version: 3, name: rule}
entities: {a: {category: ALARM, type: nagios}, h: {type: host}, i: {type: vm}}
scenarios:
- condition: a [on] h AND h [contains] i
  actions: [{raise_alarm: {target: i, alarm_name: d, severity: WARNING, causing_alarm: a}}]
"""
    )
    lab.entity("host/h")
    for number in range(500):
        lab.entity(f"vm/{number}")
        lab.relate("host/h", "contains", f"vm/{number}")
    lab.alarm("x", "host/h")
    journal = [output.value for output in lab.told if output.topic == "graph.journal"]
    assert [value["part"] for value in journal] == [[1, 3], [2, 3], [3, 3]]
    assert sum(len(value["changes"]) for value in journal) == 1001
    assert len({output.id for output in lab.told}) == len(lab.told)
