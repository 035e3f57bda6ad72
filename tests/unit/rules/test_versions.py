"""Templates of every version and kind: what is accepted, what is refused and with which code."""

from __future__ import annotations

import pytest
from support.lab import Lab

from pipeline.document import Finding
from pipeline.errors import InvalidDocument
from pipeline.rules.reading import parse
from pipeline.rules.template import GetAttr, Template

LEGACY = """
metadata:
  name: host_high_cpu
  version: {version}
definitions:
  entities:
    - entity: {{category: ALARM, type: nagios, name: CPU load, template_id: alarm}}
    - entity: {{category: ALARM, type: vitrage, name: slow, template_id: slow}}
    - entity: {{category: RESOURCE, type: nova.host, template_id: host}}
    - entity: {{category: RESOURCE, type: nova.instance, template_id: instance}}
  relationships:
    - relationship: {{source: alarm, target: host, relationship_type: on, template_id: alarm_on_host}}
    - relationship: {{source: slow, target: instance, relationship_type: on, template_id: slow_on_instance}}
    - relationship:
        source: host
        target: instance
        relationship_type: contains
        template_id: host_contains_instance
scenarios:
  - scenario:
      condition: alarm_on_host and host_contains_instance
      actions:
        - action:
            action_type: raise_alarm
            properties: {{alarm_name: slow, severity: WARNING}}
            action_target: {{target: instance}}
        - action:
            action_type: set_state
            properties: {{state: SUBOPTIMAL}}
            action_target: {{target: instance}}
  - scenario:
      condition: alarm_on_host and host_contains_instance and slow_on_instance
      actions:
        - action:
            action_type: add_causal_relationship
            action_target: {{source: alarm, target: slow}}
        - action:
            action_type: mark_down
            action_target: {{target: host}}
        - action:
            action_type: execute_mistral
            properties: {workflow}
"""
WORKFLOWS = {
    1: "{workflow: evacuate, vm: instance-1}",
    2: "{workflow: evacuate, input: {vm: 'get_attr(instance, id)'}}",
}


def legacy(version: int = 2) -> str:
    return LEGACY.format(version=version, workflow=WORKFLOWS[version])


THREE = """
metadata: {version: 3, name: three}
parameters:
  alarm_name: {description: which, default: CPU load}
entities:
  alarm: {category: ALARM, type: nagios, name: get_param(alarm_name)}
  host: {type: nova.host}
  instance: {type: nova.instance}
scenarios:
- condition: alarm [on] host AND host [contains] instance
  actions:
  - raise_alarm: {target: instance, alarm_name: slow, severity: WARNING, causing_alarm: alarm}
  - set_state: {target: instance, state: SUBOPTIMAL}
  - add_causal_relationship: {source: alarm, target: alarm}
  - mark_down: {target: host}
  - execute_mistral: {workflow: evacuate, input: {vm: 'get_attr(instance, id)'}}
  - execute_workflow: {workflow: evacuate}
"""


def codes(text: str, **parameters: str) -> set[str]:
    """The codes of the errors of a template; none when it is accepted."""
    try:
        parse(text, parameters=parameters)
    except InvalidDocument as error:
        return {finding.code for finding in error.findings if isinstance(finding, Finding)}
    return set()


def accepted(text: str, **parameters: str) -> Template:
    return parse(text, parameters=parameters)[0]


@pytest.mark.parametrize("version", [1, 2])
def test_older_versions_do_what_they_say(version: int) -> None:
    lab = Lab()
    lab.rule(legacy(version))
    assert lab.shard.counters()["rules"]["rule"]["status"] == "ACTIVE"
    lab.entity("nova.host/h")
    lab.entity("nova.instance/i", state="ACTIVE")
    lab.relate("nova.host/h", "contains", "nova.instance/i")
    lab.alarm("CPU load", "nova.host/h")
    assert lab.deduced() == {"slow@nova.instance/i": "WARNING"}
    assert lab.aggregated("nova.instance/i") == "SUBOPTIMAL"
    assert lab.causes() == {("nagios/CPU load@nova.host/h", "vitrage/slow@nova.instance/i")}
    assert lab.of("nova.host/h")["marked_down"] is True
    (start,) = lab.starts()
    assert start["input"] == {"vm": "instance-1" if version == 1 else "i"}


def test_version_three_reads_every_action() -> None:
    template = accepted(THREE)
    (scenario,) = template.scenarios
    assert [action.kind for action in scenario.actions] == [
        "raise_alarm",
        "set_state",
        "add_causal_relationship",
        "mark_down",
        "execute_mistral",
        "execute_mistral",
    ]
    assert scenario.actions[4].input == {"vm": GetAttr("instance", "id")}
    assert template.entities["alarm"]["name"] == "CPU load"
    assert accepted(THREE, alarm_name="other", unknown="x").entities["alarm"]["name"] == "other"


INCLUDE = """
metadata: {name: basics}
definitions:
  entities:
    - entity: {category: ALARM, type: nagios, template_id: alarm}
    - entity: {category: RESOURCE, type: nova.host, template_id: host}
  relationships:
    - relationship: {source: alarm, target: host, relationship_type: on, template_id: alarm_on_host}
"""
INCLUDING = """
metadata: {name: includer, version: 2, type: standard}
includes:
  - name: basics
scenarios:
  - scenario:
      condition: alarm_on_host
      actions:
        - action:
            action_type: raise_alarm
            properties: {alarm_name: slow, severity: WARNING}
            action_target: {target: host}
"""


@pytest.mark.parametrize("order", [("include", "rule"), ("rule", "include")])
def test_includes_are_found_whatever_came_first(order: tuple[str, str]) -> None:
    lab = Lab()
    lab.entity("nova.host/h")
    lab.alarm("x", "nova.host/h")
    for what in order:
        lab.rule(
            INCLUDE if what == "include" else INCLUDING, name="basics" if what == "include" else "includer"
        )
    assert lab.deduced() == {"slow@nova.host/h": "WARNING"}
    lab.drop_rule("basics")
    assert lab.deduced() == {}
    assert lab.shard.counters()["rules"]["includer"]["status"] == "ERROR"
    lab.rule(INCLUDE, name="basics")
    assert lab.announced() == [("slow@nova.host/h", "ACTIVE", "WARNING")]


def test_a_changed_include_changes_those_that_include_it() -> None:
    lab = Lab()
    lab.rule(INCLUDE, name="basics")
    lab.rule(INCLUDING, name="includer")
    lab.entity("nova.host/h")
    lab.alarm("x", "nova.host/h")
    assert len(lab.deduced()) == 1
    lab.rule(INCLUDE.replace("type: nagios", "type: zabbix"), name="basics")
    assert lab.deduced() == {}


EQUIVALENT = """
metadata: {name: same}
equivalences:
  - equivalence:
      - entity: {category: ALARM, type: nagios, name: CPU load}
      - entity: {category: ALARM, type: zabbix, name: high load}
      - entity: {category: ALARM, type: prometheus, name: HostHighCpuLoad}
"""


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("first", ["same", "rule"])
def test_an_equivalent_alarm_is_as_good(version: int, first: str) -> None:
    lab = Lab()
    lab.entity("nova.host/h")
    lab.entity("nova.instance/i")
    lab.relate("nova.host/h", "contains", "nova.instance/i")
    lab.alarm("high load", "nova.host/h", source="zabbix")
    text = THREE if version == 3 else legacy(2)
    for name in (first, "rule" if first == "same" else "same"):
        lab.rule(EQUIVALENT if name == "same" else text, name=name)
    assert lab.deduced() == {"slow@nova.instance/i": "WARNING"}
    lab.alarm("HostHighCpuLoad", "nova.host/h", source="prometheus")
    lab.clear("high load", "nova.host/h", source="zabbix")
    assert len(lab.deduced()) == 1
    lab.drop_rule("same")
    assert lab.deduced() == {}


def test_an_entity_with_one_key_more_stands_for_nothing_else() -> None:
    lab = Lab()
    lab.rule(EQUIVALENT, name="same")
    lab.rule(THREE.replace("name: get_param(alarm_name)", "name: CPU load, rawtext: x"))
    assert len(lab.shard.rules.rules["rule"].clauses) == 1


def test_two_alarms_of_two_equivalences_are_four_patterns() -> None:
    lab = Lab()
    more = EQUIVALENT.replace(
        "      - entity: {category: ALARM, type: prometheus, name: HostHighCpuLoad}\n", ""
    )
    more += """  - equivalence:
      - entity: {category: ALARM, type: nagios, name: disk}
      - entity: {category: ALARM, type: zabbix, name: disk full}
"""
    lab.rule(more, name="same")
    lab.rule(
        """
metadata: {version: 3, name: rule}
entities:
  a: {category: ALARM, type: nagios, name: CPU load}
  b: {category: ALARM, type: nagios, name: disk}
  h: {type: nova.host}
scenarios:
- condition: a [on] h AND b [on] h
  actions: [{mark_down: {target: h}}]
"""
    )
    assert len(lab.shard.rules.rules["rule"].clauses) == 4


def test_equivalences_of_two_files_must_not_overlap_either() -> None:
    lab = Lab()
    lab.rule(EQUIVALENT, name="second")
    lab.rule(EQUIVALENT, name="first")
    rules = lab.shard.counters()["rules"]
    assert (rules["first"]["status"], rules["second"]["status"]) == ("ACTIVE", "ERROR")
    lab.drop_rule("first")
    assert lab.shard.counters()["rules"]["second"]["status"] == "ACTIVE"


def test_an_includer_has_only_its_own_includes() -> None:
    """Row 17 of what went wrong in Vitrage: what another template included is nobody else's."""
    lab = Lab()
    lab.rule(INCLUDE, name="basics")
    lab.rule(INCLUDING, name="includer")
    lab.rule(INCLUDING.replace("  - name: basics\n", "  - name: others\n"), name="stranger")
    rules = lab.shard.counters()["rules"]
    assert (rules["includer"]["status"], rules["stranger"]["status"]) == ("ACTIVE", "ERROR")
    assert "others" in rules["stranger"]["reason"]
