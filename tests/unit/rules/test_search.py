"""Matches from one element on: how many there are, and what must not be there."""

from __future__ import annotations

import pytest
from support.lab import Lab

from pipeline.graph.vertex import Vertex
from pipeline.rules.clause import Clause

FAN = """
metadata: {version: 3, name: rule}
entities:
  host_alarm: {category: ALARM, type: nagios}
  host: {type: nova.host}
  vm: {type: nova.instance}
  vm_alarm: {category: ALARM, type: zabbix}
scenarios:
- condition: host_alarm [on] host AND host [contains] vm AND vm_alarm [on] vm
  actions: [{mark_down: {target: vm}}]
"""


def clause_of(lab: Lab) -> Clause:
    (clause,) = lab.shard.rules.rules["rule"].clauses
    return clause


def vertex(lab: Lab, key: str) -> Vertex:
    """An entity ``TYPE/ID``, or an alarm by its key."""
    graph = lab.shard.graphs["default"]
    found = graph.entity(*key.split("/", 1)) or graph.alarm(key.partition("/")[0], key)
    assert found is not None
    return found


def matches(lab: Lab, place: str, key: str) -> int:
    clause = clause_of(lab)
    return len(lab.shard.engine.search.at(clause, {clause.pattern.ids.index(place): vertex(lab, key)}))


def test_a_fan_of_hosts_and_instances() -> None:
    lab = Lab()
    for host in range(2):
        lab.entity(f"nova.host/{host}")
        for number in range(8):
            lab.alarm(f"alarm-{number}", f"nova.host/{host}")
            vm = f"nova.instance/{host}-{number}"
            lab.entity(vm)
            lab.relate(f"nova.host/{host}", "contains", vm)
            for each in range(8):
                lab.alarm(f"alarm-{each}", vm, source="zabbix")
    lab.rule(FAN)
    assert matches(lab, "vm_alarm", "zabbix/alarm-0@nova.instance/0-0") == 8
    assert matches(lab, "host_alarm", "nagios/alarm-3@nova.host/1") == 64
    assert matches(lab, "host", "nova.host/0") == 512
    assert lab.shard.counters()["rules"]["rule"]["matches"] == 1024
    lab.part("nova.host/0", "contains", "nova.instance/0-0")
    assert matches(lab, "vm_alarm", "zabbix/alarm-0@nova.instance/0-0") == 0
    assert lab.shard.counters()["rules"]["rule"]["matches"] == 960


NOT_BOUND = """
metadata: {version: 3, name: rule}
entities:
  network: {type: network}
  vm: {type: vm}
  alarm: {category: ALARM, type: nagios}
  stack: {type: stack}
scenarios:
- condition: network [attached] vm AND NOT alarm [on] vm AND alarm [causes] stack AND stack [uses] network
  actions: [{mark_down: {target: vm}}]
"""


def test_not_between_two_that_are_there_means_these_two() -> None:
    lab = Lab()
    # An alarm that is linked elsewhere too: as an entity of category ALARM it can be.
    text = NOT_BOUND.replace("{category: ALARM, type: nagios}", "{category: ALARM, type: alarm}")
    lab.rule(text)
    for key in ("network/n", "vm/v", "stack/s"):
        lab.entity(key)
    lab.entity("alarm/a", category="ALARM")
    lab.relate("network/n", "attached", "vm/v")
    lab.relate("stack/s", "uses", "network/n")
    lab.relate("alarm/a", "causes", "stack/s")
    assert lab.of("vm/v")["marked_down"] is True
    lab.relate("alarm/a", "on", "vm/v")
    assert lab.of("vm/v")["marked_down"] is False
    lab.part("alarm/a", "on", "vm/v")
    assert lab.of("vm/v")["marked_down"] is True


@pytest.mark.parametrize("label", ["on", "other"])
def test_only_the_label_that_is_asked_for_counts(label: str) -> None:
    lab = Lab()
    lab.rule(
        """
metadata: {version: 3, name: rule}
entities: {a: {type: a}, b: {type: b}}
scenarios:
- condition: a [on] b
  actions: [{mark_down: {target: b}}]
"""
    )
    lab.entity("a/1")
    lab.entity("b/1")
    lab.relate("a/1", label, "b/1")
    assert lab.of("b/1")["marked_down"] is (label == "on")
    lab.relate("b/1", label, "a/1")
    assert lab.of("a/1")["marked_down"] is False


@pytest.mark.parametrize(
    ("condition", "patterns"),
    [
        ("host AND NOT ssh [on] host or host [contains] inst", 2),
        ("host [contains] inst", 1),
        ("host [contains] inst AND (ssh [on] host OR cpu [on] host) AND (ssh [on] inst OR cpu [on] inst)", 4),
        ("host [contains] inst OR host [contains] inst", 1),
    ],
)
def test_one_pattern_for_each_alternative(condition: str, patterns: int) -> None:
    lab = Lab()
    lab.rule(
        f"""
metadata: {{version: 3, name: rule}}
entities:
  host: {{type: nova.host}}
  inst: {{type: nova.instance}}
  ssh: {{category: ALARM, name: ssh}}
  cpu: {{category: ALARM, name: cpu}}
scenarios:
- condition: {condition}
  actions: [{{mark_down: {{target: host}}}}]
"""
    )
    assert lab.shard.counters()["rules"]["rule"]["reason"] == ""
    assert len(lab.shard.rules.rules["rule"].clauses) == patterns
