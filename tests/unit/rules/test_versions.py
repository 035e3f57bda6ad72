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


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("  name: host_high_cpu\n", "", "60"),
        ("metadata:\n  name: host_high_cpu\n  version: 2\n", "", "62"),
        ("version: 2", "version: 4", "63"),
        ("version: 2", "version: 2\n  type: nonsense", "65"),
        ("version: 2", "version: 2\n  type: equivalence", "64"),
        ("category: ALARM, type: nagios", "type: nagios", "42"),
        ("category: ALARM, type: nagios", "category: THING, type: nagios", "45"),
        (", template_id: alarm}", "}", "41"),
        ("name: CPU load", "name.regex: '('", "47"),
        ("template_id: slow}", "template_id: alarm}", "2"),
        ("template_id: slow_on_instance", "template_id: alarm", "2"),
        ("{source: alarm, target: host,", "{target: host,", "102"),
        ("{source: alarm, target: host,", "{source: alarm,", "103"),
        ("{source: alarm, target: host,", "{source: nobody, target: host,", "3"),
        (", template_id: alarm_on_host}", "}", "104"),
        ("relationship_type: on, template_id: alarm_on_host", "template_id: alarm_on_host", "100"),
        ("condition: alarm_on_host and host_contains_instance\n", "condition: nobody\n", "3"),
        ("condition: alarm_on_host and host_contains_instance\n", "condition: alarm_on_host and\n", "85"),
        ("condition: alarm_on_host and host_contains_instance\n", "condition: not alarm_on_host\n", "134"),
        ("condition: alarm_on_host and host_contains_instance\n", "condition: host and not alarm\n", "86"),
        (
            "condition: alarm_on_host and host_contains_instance\n",
            "condition: host and instance\n",
            "disconnected",
        ),
        (
            "condition: alarm_on_host and host_contains_instance\n",
            "condition: alarm_on_host\n",
            "absent-target",
        ),
        (
            "condition: alarm_on_host and host_contains_instance\n",
            "condition: alarm_on_host or slow_on_instance\n",
            "135",
        ),
        ("action_type: raise_alarm", "action_type: dance", "120"),
        ("action_type: raise_alarm", "other: x", "123"),
        (", template_id: alarm}", ", template_id: '123'}", "1"),
        (", template_id: alarm}", ", template_id: _}", "1"),
        ("alarm_name: slow, severity: WARNING", "severity: WARNING", "125"),
        ("alarm_name: slow, severity: WARNING", "alarm_name: slow", "126"),
        ("properties: {state: SUBOPTIMAL}", "properties: {}", "128"),
        (
            "action_target: {source: alarm, target: slow}",
            "action_target: {source: alarm, target: host}",
            "132",
        ),
        ("action_target: {source: alarm, target: slow}", "action_target: {target: slow}", "130"),
        ("action_target: {target: host}", "action_target: {}", "131"),
        ("action_target: {target: host}", "action_target: {target: nobody}", "3"),
        ("{workflow: evacuate, input:", "{workflow: evacuate, other: x, input:", "136"),
        ("{workflow: evacuate, input:", "{input:", "133"),
        ("get_attr(instance, id)", "get_attr(nobody, id)", "3"),
        ("name: CPU load", "name: get_param(nobody)", "161"),
        ("name: CPU load", "name: get_param()", "162"),
    ],
)
def test_what_version_two_refuses(old: str, new: str, code: str) -> None:
    text = legacy(2)
    assert old in text
    assert code in codes(text.replace(old, new, 1))


@pytest.mark.parametrize(
    "condition",
    [
        "alarm_on_host AND host_contains_instance",
        "(alarm_on_host)AND(host_contains_instance)",
        "host_contains_instance and not slow_on_instance",
        "(not slow_on_instance)and host_contains_instance",
        "host_contains_instance and (alarm_on_host or slow_on_instance)",
        "host_contains_instance or (alarm_on_host and host_contains_instance)",
    ],
)
def test_conditions_that_version_two_accepts(condition: str) -> None:
    text = legacy(2).replace("alarm_on_host and host_contains_instance\n", f"{condition}\n", 1)
    assert codes(text) == set()


def test_functions_need_version_two() -> None:
    assert "137" in codes(legacy(1).replace("vm: instance-1", "vm: 'get_attr(instance, id)'"))


def test_a_function_that_is_none_is_a_warning_in_version_two() -> None:
    _, findings = parse(legacy(2).replace("get_attr(instance, id)", "get_attr(instance id"))
    assert [(finding.code, finding.level) for finding in findings if finding.code != "64"] == [
        ("138", "warning")
    ]


def test_parameters_need_version_two() -> None:
    assert "160" in codes(legacy(1).replace("name: CPU load", "name: get_param(x)"))


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("name: three", "description: x", "60"),
        ("entities:", "more: x\nentities:", "4"),
        ("entities:", "includes: [{name: x}]\nentities:", "4"),
        ("host: {type: nova.host}", "host: nova.host", "4"),
        ("host: {type: nova.host}", "host: {type.regex: '['}", "47"),
        ("alarm [on] host AND host [contains] instance", "alarm [on] nobody", "10200"),
        (
            "alarm [on] host AND host [contains] instance",
            "alarm [on] host And host [contains] instance",
            "85",
        ),
        ("alarm [on] host AND host [contains] instance", "NOT alarm [on] host", "134"),
        ("alarm [on] host AND host [contains] instance", "host AND NOT alarm", "86"),
        ("alarm [on] host AND host [contains] instance", "alarm OR host [contains] instance", "135"),
        ("alarm [on] host AND host [contains] instance", "alarm AND host AND instance", "disconnected"),
        ("- condition: alarm [on] host AND host [contains] instance\n  actions", "- actions", "83"),
        ("  actions:\n", "  action:\n", "84"),
        ("raise_alarm: {target: instance, ", "raise_alarm: {", "10100"),
        ("raise_alarm: {target: instance, ", "raise_alarm: {target: nobody, ", "10101"),
        ("alarm_name: slow, ", "", "10104"),
        ("severity: WARNING, ", "", "126"),
        ("causing_alarm: alarm", "causing_alarm: nobody", "10107"),
        ("causing_alarm: alarm", "caused_by: alarm", "4"),
        ("source: alarm, target: alarm", "target: alarm", "10102"),
        ("source: alarm, target: alarm", "source: nobody, target: alarm", "10103"),
        ("mark_down: {target: host}", "mark_down: host", "4"),
        ("mark_down: {target: host}", "melt_down: {target: host}", "120"),
        ("execute_workflow: {workflow: evacuate}", "execute_workflow: {}", "10105"),
        ("execute_workflow: {workflow: evacuate}", "execute_workflow: {workflow: x, input: y}", "4"),
        ("default: CPU load", "other: x", "163"),
        ("get_param(alarm_name)", "get_param(alarm)", "161"),
        ("get_param(alarm_name)", "get_param(", "162"),
        ("get_attr(instance, id)", "get_attr(", "138"),
        ("execute_workflow: {workflow: evacuate}", "execute_workflow: {workflow: {}}", "4"),
        ("alarm [on] host AND host [contains] instance", "NOT host", "86"),
        ("alarm [on] host AND host [contains] instance", "host OR NOT host [contains] instance", "135"),
        ("alarm [on] host AND host [contains] instance", "host AND NOT host host [contains] instance", "85"),
        ("alarm [on] host AND host [contains] instance", "host AND NOT host [host contains] instance", "85"),
    ],
)
def test_what_version_three_refuses(old: str, new: str, code: str) -> None:
    assert old in THREE
    assert code in codes(THREE.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version: 3", "version: '3', type: standard, description: all of it"),
        ("alarm [on] host AND host [contains] instance", "alarm[on]host and host[contains]instance"),
        ("alarm [on] host AND host [contains] instance", "host [contains] instance AND (alarm[on]host)"),
        ("  actions:", "  actions: []\n  #"),
        (
            "alarm [on] host AND host [contains] instance",
            "alarm [on] host AND host [contains] instance OR host AND instance",
        ),
        ("target: instance, state: SUBOPTIMAL", "target: instance, state: 'get_attr(host, state)'"),
        ("alarm_name: slow", "alarm_name: 'disk full (90%)'"),
        ("{description: which, default: CPU load}", "{default: CPU load}"),
    ],
)
def test_what_version_three_accepts(old: str, new: str) -> None:
    assert old in THREE
    text = THREE.replace(old, new, 1)
    assert codes(text if "#" not in new else text.partition("  #")[0]) == set()


def test_no_scenarios_are_no_fault_in_version_three() -> None:
    assert codes(THREE.partition("scenarios:")[0] + "scenarios: []\n") == set()
    assert "81" in codes(legacy().partition("scenarios:")[0] + "scenarios: []\n")


def test_names_are_only_names() -> None:
    """``E``, ``S``, ``lambda``: identifiers that would mean something if they were evaluated."""
    text = """
metadata: {version: 3, name: names}
entities:
  E: {category: ALARM, type: nagios}
  S: {type: nova.host}
  lambda: {type: nova.instance}
scenarios:
- condition: E [on] S AND S [in] lambda
  actions: [{set_state: {target: lambda, state: ERROR}}]
"""
    assert codes(text) == set()


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


@pytest.mark.parametrize(
    "text",
    [
        EQUIVALENT.replace("type: zabbix, name: high load", "type: nagios, name: CPU load"),
        EQUIVALENT
        + """  - equivalence:
      - entity: {category: ALARM, type: nagios, name: CPU load}
      - entity: {category: ALARM, type: x, name: y}
""",
    ],
)
def test_equivalences_must_not_overlap(text: str) -> None:
    assert codes(text) == {"equivalence-twice"}


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
