"""How many matches one element is in: patterns that grow part by part, over hosts, instances and alarms."""

from __future__ import annotations

import pytest
from support.lab import Lab

from pipeline.errors import InvalidDocument
from pipeline.rules.reading import parse

HOSTS, VMS, ALARMS = 2, 8, 8
HEAD = """
metadata: {version: 3, name: rule}
entities:
  cluster: {type: cluster}
  elsewhere: {type: cluster of another kind}
  switch: {type: switch}
  host: {type: host}
  vm: {type: vm}
  host_alarm: {category: ALARM, type: on_host}
  vm_alarm: {category: ALARM, type: on_vm}
  no_alarm: {category: ALARM, type: nowhere}
scenarios:
"""
HOST_ALARM, VM_ALARM = "on_host/0@host/0", "on_vm/0@vm/0-0"
FAN = "host_alarm [on] host AND host [contains] vm AND vm_alarm [on] vm"
WHOLE = f"{FAN} AND host [uses] switch AND cluster [contains] host AND cluster [contains] switch"


@pytest.fixture(scope="module")
def lab() -> Lab:
    made = Lab()
    made.entity("cluster/c")
    made.entity("switch/s")
    made.relate("cluster/c", "contains", "switch/s")
    for host in range(HOSTS):
        made.entity(f"host/{host}")
        made.relate("cluster/c", "contains", f"host/{host}")
        made.relate(f"host/{host}", "uses", "switch/s")
        for number in range(ALARMS):
            made.alarm(str(number), f"host/{host}", source="on_host")
        for vm in range(VMS):
            made.entity(f"vm/{host}-{vm}")
            made.relate(f"host/{host}", "contains", f"vm/{host}-{vm}")
            for number in range(ALARMS):
                made.alarm(str(number), f"vm/{host}-{vm}", source="on_vm")
    return made


def matches(lab: Lab, condition: str, place: str, key: str) -> int:
    target = condition.strip("(").split()[0]
    lab.rule(HEAD + f"- condition: {condition}\n  actions: [{{mark_down: {{target: {target}}}}}]\n")
    rule = lab.shard.rules.rules["rule"]
    assert not rule.error, rule.error
    graph = lab.shard.graphs["default"]
    vertex = graph.alarm(key.partition("/")[0], key) if "@" in key else graph.entity(*key.split("/", 1))
    assert vertex is not None
    found = 0
    for clause in rule.clauses:
        if place in clause.pattern.ids:
            found += len(lab.shard.engine.search.at(clause, {clause.pattern.ids.index(place): vertex}))
    # What is searched for from one element is what stands.
    assert found == sum(
        match.bind[match.clause.pattern.ids.index(place)] is vertex
        for match in vertex.matches or ()
        if place in match.clause.pattern.ids
    )
    return found


@pytest.mark.parametrize(
    ("condition", "place", "key", "number"),
    [
        ("no_alarm", "no_alarm", HOST_ALARM, 0),
        ("host_alarm", "host_alarm", HOST_ALARM, 1),
        ("host_alarm", "host_alarm", VM_ALARM, 0),
        ("host_alarm [on] host", "host_alarm", HOST_ALARM, 1),
        ("host_alarm [on] host", "host", "host/0", ALARMS),
        ("host_alarm [causes] host", "host", "host/0", 0),
        ("host_alarm [on] host AND host [contains] vm", "host_alarm", HOST_ALARM, VMS),
        ("host_alarm [on] host AND host [contains] vm", "vm", "vm/0-0", ALARMS),
        ("host_alarm [on] host AND host [contains] vm", "host", "host/0", ALARMS * VMS),
        ("host_alarm [on] host AND vm [contains] host", "host", "host/0", 0),
        (FAN, "vm_alarm", VM_ALARM, ALARMS),
        (FAN, "host_alarm", HOST_ALARM, VMS * ALARMS),
        (FAN, "vm", "vm/1-7", ALARMS * ALARMS),
        (FAN, "host", "host/0", ALARMS * VMS * ALARMS),
        (f"{FAN} AND host [uses] switch", "host", "host/0", ALARMS * VMS * ALARMS),
        (f"{FAN} AND host [uses] switch", "switch", "switch/s", HOSTS * ALARMS * VMS * ALARMS),
        (f"{FAN} AND host [uses] switch AND cluster [contains] host", "vm_alarm", VM_ALARM, ALARMS),
        (WHOLE, "vm_alarm", VM_ALARM, ALARMS),
        (WHOLE, "host_alarm", HOST_ALARM, VMS * ALARMS),
        (WHOLE, "host", "host/1", ALARMS * VMS * ALARMS),
        (WHOLE, "cluster", "cluster/c", HOSTS * ALARMS * VMS * ALARMS),
        (WHOLE.replace("cluster [contains] switch", "cluster [containing] switch"), "vm_alarm", VM_ALARM, 0),
        (f"{FAN} AND elsewhere [contains] host", "vm_alarm", VM_ALARM, 0),
        ("host [uses] switch AND cluster [contains] host", "switch", "switch/s", HOSTS),
        ("cluster [contains] host AND cluster [contains] switch", "cluster", "cluster/c", HOSTS),
        ("vm AND NOT vm_alarm [on] vm", "vm", "vm/0-0", 0),
        ("vm AND NOT host_alarm [on] vm", "vm", "vm/0-0", 1),
        ("host [contains] vm AND NOT no_alarm [on] host", "host", "host/0", VMS),
        ("host [contains] vm OR host_alarm [on] host", "host", "host/0", VMS + ALARMS),
        ("(host [contains] vm OR host [uses] switch) AND host_alarm [on] host", "host", "host/0", 9 * ALARMS),
    ],
)
def test_matches_of_one_element(lab: Lab, condition: str, place: str, key: str, number: int) -> None:
    assert matches(lab, condition, place, key) == number


@pytest.mark.parametrize(
    "condition",
    [
        "host_alarm AND host",
        "host_alarm [on] host AND vm",
        "host_alarm [on] host AND vm_alarm [on] vm",
        f"{FAN} AND switch",
        f"{FAN} AND cluster [contains] switch",
        f"{FAN} AND elsewhere",
    ],
)
def test_what_nothing_joins_is_refused_where_it_could_only_match_nothing(condition: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        parse(HEAD + f"- condition: {condition}\n  actions: [{{mark_down: {{target: host}}}}]\n")
    assert [finding.code for finding in caught.value.findings] == ["disconnected"]


def test_a_relationship_that_goes_takes_its_matches_along() -> None:
    made = Lab()
    made.entity("host/0")
    made.entity("vm/0")
    made.relate("host/0", "contains", "vm/0")
    assert matches(made, "host [contains] vm", "vm", "vm/0") == 1
    made.part("host/0", "contains", "vm/0")
    assert matches(made, "host [contains] vm", "vm", "vm/0") == 0
    made.relate("host/0", "contains", "vm/0")
    assert matches(made, "host [contains] vm", "vm", "vm/0") == 1
    made.delete("host/0")
    assert matches(made, "host [contains] vm", "vm", "vm/0") == 0
