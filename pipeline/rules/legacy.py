"""Templates of versions 1 and 2: definitions with template ids, relationships defined apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..document import Step
from .action import FIELDS, KINDS, action, mended, unknown
from .checks import check_scenario
from .definitions import read_definitions, read_includes
from .functions import values
from .notes import Notes
from .scenario import read_scenario
from .template import WORKFLOW, Action, GetAttr, Scenario, Template

_TOP = ("metadata", "parameters", "includes", "definitions", "scenarios")


def read_template(
    notes: Notes, template: Template, value: dict[str, Any], included: Mapping[str, Template]
) -> Template:
    """The rest of a version 1 or 2 template; what is wrong goes to ``notes``."""
    notes.only(value, _TOP, "a template of version 1 or 2")
    if template.kind == "definition":
        if "includes" in value:
            notes.add(
                "143",
                "a definition template includes no others; include both where they are used",
                "includes",
            )
        return read_definitions(notes, template, value, {})
    includes = read_includes(notes, value, included)
    template = read_definitions(notes, template, value, includes)
    listed = value.get("scenarios")
    if not isinstance(listed, list) or not listed:
        code = "81" if listed == [] else "4"
        notes.add(code, "`scenarios` is a list of `scenario: {condition, actions}`", "scenarios")
        listed = []
    scenarios: list[Scenario] = []
    for index, item in enumerate(listed):
        body = notes.within(item, "scenario", "82", "{condition, actions}", "scenarios", index)
        if body is None:
            continue
        place: tuple[Step, ...] = ("scenarios", index, "scenario")
        actions = _actions(notes, template, body.get("actions"), place)
        scenario = read_scenario(notes, body, actions, index, place)
        if scenario is not None:
            scenarios.append(scenario)
            check_scenario(notes, template, scenario)
    return replace(template, scenarios=tuple(scenarios))


def _actions(notes: Notes, template: Template, listed: Any, scenario: tuple[Step, ...]) -> list[Action]:
    actions: list[Action] = []
    if not isinstance(listed, list) or not listed:
        code = {"None": "84", "[]": "121"}.get(repr(listed), "4")
        notes.add(code, "a scenario needs a list of `actions`, each `action: {action_type, ...}`", *scenario)
        return actions
    for index, item in enumerate(listed):
        place: tuple[Step, ...] = (*scenario, "actions", index)
        body = notes.within(item, "action", "122", "{action_type, properties, action_target}", *place)
        if body is None:
            continue
        place = (*place, "action")
        notes.only(body, ("action_type", "properties", "action_target"), "an action", *place)
        word = body.get("action_type")
        if word is None:
            notes.add("123", "an action needs an `action_type`: " + ", ".join(KINDS), *place)
        elif not isinstance(word, str) or word not in KINDS:
            unknown(notes, word, *place, "action_type")
        else:
            found = _action(notes, template, KINDS[word], body, place)
            if found is not None:
                actions.append(found)
    return actions


def _action(
    notes: Notes, template: Template, kind: str, body: dict[str, Any], place: tuple[Step, ...]
) -> Action | None:
    properties, target = body.get("properties") or {}, body.get("action_target") or {}
    for key, part in (("properties", properties), ("action_target", target)):
        if not isinstance(part, dict):
            notes.add("4", f"`{key}` is a mapping", *place, key)
            return None
    properties = mended(notes, properties, (*place, "properties"))
    if kind == WORKFLOW:
        if template.version == 1:
            # Version 1 writes the workflow's inputs beside its name.
            inputs = {key: value for key, value in properties.items() if key != "workflow"}
            properties = {"workflow": properties.get("workflow"), "input": inputs}
        elif properties.keys() - {"workflow", "input"}:
            strange = next(key for key in properties if key not in ("workflow", "input"))
            message = f"the workflow's inputs, such as {strange}, stand under `input`"
            notes.add("136", message, *place, "properties", strange)
        return action(kind, properties, place)
    if "action_target" not in body:
        notes.add("124", f"{body['action_type']} needs an `action_target`, such as `target: host`", *place)
        return None
    notes.only(target, ("target", "source"), "an action_target", *place, "action_target", level="warning")
    own = tuple(field for field in FIELDS[kind] if field not in ("target", "source"))
    notes.only(properties, own, f"the properties of {kind}", *place, "properties", level="warning")
    causing = values(properties.get("causing_alarm"))
    if isinstance(causing, GetAttr):
        # Before version 3 it was written get_attr(alarm, vitrage_id).
        properties["causing_alarm"] = causing.entity
    return action(kind, {**properties, **target}, place)
