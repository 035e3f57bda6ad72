from __future__ import annotations

from typing import Any

import pytest

from pipeline.rehearsal.compare import against, wanted

ALARM = {
    "key": "vitrage/slow@nova.instance/vm-1",
    "source": "vitrage",
    "name": "slow",
    "severity": "WARNING",
    "status": "ACTIVE",
    "resource": {"type": "nova.instance", "id": "vm-1"},
    "rules": ["hosts"],
}
STATE = {"type": "nova.host", "id": "host-1", "state": "available", "aggregated_state": "ERROR"}
FOUND: dict[str, list[dict[str, Any]]] = {
    "alarms": [ALARM],
    "states": [STATE],
    "causes": [{"source": "a", "target": "b"}],
    "workflows": [{"workflow": "w", "input": {"vm": 1, "host": "h"}, "rule": "r"}],
    "tasks": [{"name": "t", "state": "SUCCESS", "published": {"a": 1, "b": 2}, "result": [1, 2]}],
}


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("alarms", [{"key": ALARM["key"]}]),
        ("alarms", [ALARM["key"]]),
        ("alarms", [{ALARM["key"]: "WARNING"}]),
        ("alarms", {ALARM["key"]: "WARNING"}),
        ("alarms", {ALARM["key"]: {"name": "slow"}}),
        ("alarms", {ALARM["key"]: None}),
        ("alarms", [{"name": "slow", "resource": "nova.instance/vm-1"}]),
        ("alarms", [{"name": "slow", "resource": {"id": "vm-1"}, "rules": ["hosts"]}]),
        ("states", {"nova.host/host-1": "ERROR"}),
        ("states", {"nova.host/host-1": "error"}),
        ("states", [{"nova.host/host-1": "ERROR"}]),
        ("states", [{"entity": "nova.host/host-1", "state": "ERROR"}]),
        ("states", [{"entity": {"type": "nova.host", "id": "host-1"}, "state": "ERROR"}]),
        ("states", [{"key": "nova.host/host-1", "aggregated_state": "ERROR"}]),
        ("states", [{"type": "nova.host", "id": "host-1", "state": "ERROR"}]),
        ("states", [STATE]),
        ("causes", [{"source": "a", "target": "b"}]),
        ("causes", [["a", "b"]]),
        ("causes", [{"a": "b"}]),
        ("workflows", ["w"]),
        ("workflows", [{"workflow": "w", "input": {"vm": 1}}]),
        ("workflows", [{"w": {"vm": 1, "host": "h"}}]),
        ("tasks", ["t"]),
        ("tasks", {"t": "SUCCESS"}),
        ("tasks", {"t": {"state": "SUCCESS", "published": {"a": 1}, "result": [1, 2]}}),
    ],
)
def test_an_entry_may_be_written_in_several_ways(section: str, value: Any) -> None:
    assert against(section, wanted(section, value), FOUND[section]) == ([], {0})


@pytest.mark.parametrize(
    ("section", "value", "message"),
    [
        ("alarms", [{**ALARM, "severity": "CRITICAL"}],
         f"alarms: {ALARM['key']}: severity is WARNING, expected CRITICAL"),
        ("alarms", [{"name": "slow", "resource": "nova.instance/vm-2"}],
         'alarms: missing: {"name": "slow", "resource": {"type": "nova.instance", "id": "vm-2"}}'),
        ("alarms", ["vitrage/slow@nova.instance/vm-2"],
         f'alarms: missing: {{"key": "vitrage/slow@nova.instance/vm-2"}} (there is {ALARM["key"]})'),
        ("states", {"nova.host/host-1": "OK"},
         "states: nova.host/host-1: aggregated_state is ERROR, expected OK"),
        ("states", {"nova.host/host-1": {"marked_down": True}},
         "states: nova.host/host-1: marked_down is not there, expected true"),
        ("causes", [["b", "a"]], 'causes: missing: {"source": "b", "target": "a"}'),
        ("workflows", [{"w": {"vm": 2}}],
         'workflows: w {"vm": 1, "host": "h"}: input.vm is 1, expected 2'),
        ("tasks", {"t": {"result": [1]}}, "tasks: t: result is [1, 2], expected [1]"),
        ("tasks", {"t": {"published": {"a": True}}}, "tasks: t: published.a is 1, expected true"),
    ],
)  # fmt: skip
def test_a_difference_names_the_thing_and_both_values(section: str, value: Any, message: str) -> None:
    differences, _ = against(section, wanted(section, value), FOUND[section])
    assert [one.message for one in differences] == [message]
    assert differences[0].steps[0] == section


def test_two_entries_need_two_things() -> None:
    found = [{"workflow": "w", "input": {"vm": 1}}, {"workflow": "w", "input": {"vm": 1, "x": 2}}]
    both = wanted("workflows", [{"w": {"vm": 1, "x": 2}}, "w"])
    assert against("workflows", both, found) == ([], {0, 1})
    differences, meant = against("workflows", wanted("workflows", ["w", "w", "w"]), found)
    assert (len(differences), meant) == (1, {0, 1})


def test_what_fits_wholly_is_not_taken_by_an_entry_that_does_not() -> None:
    found = [{"workflow": "w", "input": {"vm": 1}}]
    differences, _ = against("workflows", wanted("workflows", [{"w": {"vm": 2}}, {"w": {"vm": 1}}]), found)
    assert [one.message for one in differences] == [
        'workflows: missing: {"workflow": "w", "input": {"vm": 2}}'
    ]


def test_an_entry_that_is_neither_a_name_nor_fields_is_refused() -> None:
    with pytest.raises(ValueError, match="alarms: expected a mapping or a name, not 4"):
        wanted("alarms", [4])
