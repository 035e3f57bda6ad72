"""Templates of version 3: entities by id, relationships written in the condition."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from ..document import Step
from .checks import check_regex, check_scenario
from .condition import ConditionError, parse
from .having import read_having
from .notes import Notes
from .template import CAUSE, MARK_DOWN, RAISE, SET_STATE, WORKFLOW, Action, GetAttr, Scenario, Template, Text
from .timing import KEYS, read_timing

_GET_ATTR = re.compile(r"get_attr\(\s*([^\s,()]+)\s*,\s*([^\s,()]+)\s*\)")
_KINDS = {
    RAISE: RAISE,
    SET_STATE: SET_STATE,
    CAUSE: CAUSE,
    MARK_DOWN: MARK_DOWN,
    WORKFLOW: WORKFLOW,
    "execute_workflow": WORKFLOW,
}
_FIELDS: dict[str, tuple[str, ...]] = {
    RAISE: ("target", "alarm_name", "severity", "causing_alarm"),
    SET_STATE: ("target", "state"),
    CAUSE: ("source", "target"),
    MARK_DOWN: ("target",),
    WORKFLOW: ("workflow", "input"),
}
_TOP = ("metadata", "parameters", "entities", "scenarios")


def read_template(notes: Notes, template: Template, value: dict[str, Any]) -> Template:
    """The rest of a version 3 template; what is wrong goes to ``notes``."""
    for key in value:
        if key not in _TOP:
            notes.add("4", f"{key!r} is not part of a version 3 template", key)
    entities = _entities(notes, value.get("entities"))
    scenarios: list[Scenario] = []
    listed = value.get("scenarios")
    if not isinstance(listed, list):
        notes.add("80", "`scenarios` is a list of `{condition, actions}`", "scenarios")
        listed = []
    template = replace(template, entities=entities)
    for index, item in enumerate(listed):
        scenario = _scenario(notes, item, index)
        if scenario is not None:
            scenarios.append(scenario)
            check_scenario(notes, template, scenario)
    return replace(template, scenarios=tuple(scenarios))


def values(value: Any) -> Any:
    """A value of an action, with each ``get_attr(...)`` recognized."""
    if isinstance(value, dict):
        return {key: values(child) for key, child in value.items()}
    if isinstance(value, list):
        return [values(child) for child in value]
    if isinstance(value, str) and "get_attr" in value:
        whole = _GET_ATTR.fullmatch(value.strip())
        if whole is not None:
            return GetAttr(whole.group(1), whole.group(2))
        parts: list[Any] = []
        end = 0
        for found in _GET_ATTR.finditer(value):
            parts += [value[end : found.start()], GetAttr(found.group(1), found.group(2))]
            end = found.end()
        if parts:
            return Text((*parts, value[end:]))
    return value


def _entities(notes: Notes, value: Any) -> dict[str, dict[str, str]]:
    entities: dict[str, dict[str, str]] = {}
    if not isinstance(value, dict) or not value:
        notes.add(
            "20",
            "`entities` is a mapping of ids to properties, such as `host: {type: nova.host}`",
            "entities",
        )
        return entities
    for name, properties in value.items():
        if not isinstance(properties, dict) or not all(isinstance(v, str) for v in properties.values()):
            notes.add(
                "4", f"entity {name}: properties are words, such as `type: nova.host`", "entities", name
            )
            continue
        check_regex(notes, properties, ("entities", name))
        entities[str(name)] = {str(key): text for key, text in properties.items() if key != "template_id"}
    return entities


def _scenario(notes: Notes, item: Any, index: int) -> Scenario | None:
    place: tuple[Step, ...] = ("scenarios", index)
    if not isinstance(item, dict):
        notes.add("80", "a scenario is `{condition, actions}`", *place)
        return None
    for key in item:
        if key not in ("condition", "actions", "having", *KEYS):
            notes.add("4", f"{key!r} is not part of a scenario", *place, key)
    actions = _actions(notes, item.get("actions"), place)
    text = item.get("condition")
    if not isinstance(text, str) or not text.strip():
        notes.add("83", "a scenario needs a `condition`", *place)
        return None
    try:
        condition = parse(text)
    except ConditionError as error:
        notes.add("85", str(error), *place, "condition")
        return None
    having = read_having(notes, item.get("having"), (*place, "having"))
    timing = read_timing(notes, item, place)
    return Scenario(index, condition, text, tuple(actions), place, having, timing)


def _actions(notes: Notes, listed: Any, scenario: tuple[Step, ...]) -> list[Action]:
    actions: list[Action] = []
    if not isinstance(listed, list):
        notes.add("84", "a scenario needs a list of `actions`", *scenario)
        return actions
    for index, item in enumerate(listed):
        place: tuple[Step, ...] = (*scenario, "actions", index)
        if not isinstance(item, dict) or len(item) != 1:
            notes.add("120", "an action is one of " + ", ".join(_KINDS), *place)
            continue
        word, body = next(iter(item.items()))
        kind = _KINDS.get(word)
        if kind is None:
            notes.add("120", f"{word!r} is not an action; there are " + ", ".join(_KINDS), *place, word)
            continue
        if not isinstance(body, dict):
            notes.add("4", f"{word} needs its fields: " + ", ".join(_FIELDS[kind]), *place, word)
            continue
        for key in body:
            if key not in _FIELDS[kind]:
                notes.add(
                    "4",
                    f"{key!r} is not a field of {word}; it has " + ", ".join(_FIELDS[kind]),
                    *place,
                    word,
                    key,
                )
        actions.append(action(kind, body, (*place, word)))
    return actions


def action(kind: str, body: dict[str, Any], place: tuple[Step, ...]) -> Action:
    """An action from its flat fields."""
    causing = values(body.get("causing_alarm"))
    return Action(
        kind,
        place,
        target=body.get("target"),
        source=body.get("source"),
        name=values(body.get("alarm_name")),
        severity=values(body.get("severity")),
        causing=causing.entity if isinstance(causing, GetAttr) else causing,
        state=values(body.get("state")),
        workflow=values(body.get("workflow")),
        input=values(body.get("input")),
    )
