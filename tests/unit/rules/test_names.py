"""The names of properties, short and long, and functions in every field, whatever the version."""

from __future__ import annotations

import pytest
from support.lab import Lab

LEGACY = """
metadata: {{name: rule, version: {version}, type: standard}}
definitions:
  entities:
  - entity: {{template_id: a, {alarm}}}
  - entity: {{template_id: h, {host}}}
  relationships:
  - relationship: {{template_id: a_on_h, source: a, relationship_type: on, target: h}}
scenarios:
- scenario:
    condition: a_on_h
    actions:
    - action:
        action_type: raise_alarm
        properties: {{alarm_name: '{name}', severity: '{severity}'}}
        action_target: {{target: h}}
{more}
"""
THIRD = """
metadata: {{name: rule, version: {version}, type: standard}}
entities:
  a: {{{alarm}}}
  h: {{{host}}}
scenarios:
- condition: a [on] h
  actions:
  - raise_alarm: {{target: h, alarm_name: '{name}', severity: '{severity}'}}
{more}
"""
PLAIN = {
    "alarm": "category: ALARM, type: nagios",
    "host": "category: RESOURCE, type: nova.host",
    "name": "deduced",
    "severity": "WARNING",
    "more": "",
}
FUNCTIONS = {
    2: """
    - action:
        action_type: set_state
        properties: {state: 'get_attr ( h , rack )'}
        action_target: {target: h}
    - action: {action_type: execute_mistral, properties: WORKFLOW}
""",
    3: """
  - set_state: {target: h, state: 'get_attr ( h , rack )'}
  - execute_mistral: WORKFLOW
""",
}
WORKFLOW = """{workflow: 'mend_get_attr(h, vitrage_type)',
          input: {host: 'get_attr(h,name)', deep: {list: ['get_attr(a, rawtext)', 'as (it) is, here']}}}"""
HOST = {
    "category": "RESOURCE",
    "type": "nova.host",
    "aggregated_state": "ERROR",
    "operational_state": "ERROR",
    "is_deleted": "false",
    "is_placeholder": "false",
}
ALARM = {
    "category": "ALARM",
    "type": "nagios",
    "aggregated_severity": "CRITICAL",
    "operational_severity": "CRITICAL",
    "resource_id": "h",
    "resource_type": "nova.host",
}
# These have one name only.
HOST_ONLY = {"id": "h", "name": "host h", "state": "error", "rack": "7", "spare": "true"}
ALARM_ONLY = {"name": "cpu", "severity": "critical", "state": "Active", "rawtext": "cpu 97%"}


def play(version: int, **parts: str) -> Lab:
    """A host in ERROR with a critical alarm on it, and the rule."""
    lab = Lab()
    lab.rule((THIRD if version == 3 else LEGACY).format(version=version, **{**PLAIN, **parts}))
    assert not lab.shard.rules.rules["rule"].error
    lab.entity("nova.host/h", name="host h", state="error", attributes={"rack": 7, "spare": True})
    lab.alarm("cpu", "nova.host/h", "critical", attributes={"rawtext": "cpu 97%"})
    return lab


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize(
    ("of", "name", "value"),
    [
        *(("host", prefix + name, value) for name, value in HOST.items() for prefix in ("", "vitrage_")),
        *(("alarm", prefix + name, value) for name, value in ALARM.items() for prefix in ("", "vitrage_")),
        *(("host", name, value) for name, value in HOST_ONLY.items()),
        *(("alarm", name, value) for name, value in ALARM_ONLY.items()),
    ],
)
def test_each_name_is_read_in_each_version(version: int, of: str, name: str, value: str) -> None:
    for key, wanted, holds in (
        (name, value, True),
        (f"{name}.regex", value[0], True),
        (name, f"{value}x", False),
        (f"{name}.regex", f"x{value}", False),
    ):
        if name.endswith("category") and wanted not in ("RESOURCE", "ALARM"):
            continue  # versions 1 and 2 know no other
        others = [
            each for each in PLAIN[of].split(", ") if not each.startswith(name.removeprefix("vitrage_"))
        ]
        entity = ", ".join([f"{key}: '{wanted}'", *others])
        assert bool(play(version, **{of: entity}).deduced()) == holds, entity


@pytest.mark.parametrize("version", [2, 3])
def test_functions_stand_in_every_field(version: int) -> None:
    lab = play(
        version,
        name="get_attr(a, name) on get_attr(h, id)",
        severity="get_attr(a, severity)",
        more=FUNCTIONS[version].replace("WORKFLOW", WORKFLOW),
    )
    assert lab.deduced() == {"cpu on h@nova.host/h": "critical"}
    (start,) = lab.starts()
    assert start["workflow"] == "mend_nova.host"
    assert start["input"] == {"host": "host h", "deep": {"list": ["cpu 97%", "as (it) is, here"]}}
    fact = next(iter(lab.shard.engine.of(lab.shard.graphs["default"]).states.values()))
    assert fact.target.derived is not None
    assert fact.target.derived.state == "7"


def test_version_one_hands_over_what_stands_beside_the_workflow() -> None:
    action = "{action_type: execute_mistral, properties: {workflow: w, host: h, input: {a: '1'}}}"
    lab = play(1, more=f"    - action: {action}")
    (start,) = lab.starts()
    assert start["input"] == {"host": "h", "input": {"a": "1"}}


def test_what_is_not_there_is_nothing_in_an_input_and_empty_within_text() -> None:
    """A property that the entity does not have, alone and among words."""
    given = "{a: 'get_attr(h, colour)', b: 'colour get_attr(h, colour)!', c: 'get_attr(h, rack)'}"
    lab = play(3, more=f"  - execute_mistral: {{workflow: w, input: {given}}}")
    (start,) = lab.starts()
    assert start["input"] == {"a": None, "b": "colour !", "c": 7}
