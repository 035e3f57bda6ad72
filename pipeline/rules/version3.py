"""Templates of version 3: entities by id, relationships written in the condition."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..document import Step
from .action import FIELDS, KINDS, action, mended, unknown
from .checks import check_scenario
from .entities import read_properties
from .notes import Notes
from .scenario import read_scenario
from .template import Action, Scenario, Template

_TOP = ("metadata", "parameters", "entities", "scenarios")


def read_template(notes: Notes, template: Template, value: dict[str, Any]) -> Template:
    """The rest of a version 3 template; what is wrong goes to ``notes``."""
    notes.only(value, _TOP, "a version 3 template")
    template = replace(template, entities=_entities(notes, value.get("entities")))
    listed = value.get("scenarios")
    if not isinstance(listed, list):
        notes.add("4", "`scenarios` is a list of `{condition, actions}`", "scenarios")
        listed = []
    scenarios: list[Scenario] = []
    for index, item in enumerate(listed):
        place: tuple[Step, ...] = ("scenarios", index)
        if not isinstance(item, dict):
            notes.add("4", "a scenario is `{condition, actions}`", *place)
            continue
        actions = _actions(notes, item.get("actions"), place)
        scenario = read_scenario(notes, item, actions, index, place)
        if scenario is not None:
            scenarios.append(scenario)
            check_scenario(notes, template, scenario)
    return replace(template, scenarios=tuple(scenarios))


def _entities(notes: Notes, value: Any) -> dict[str, dict[str, str]]:
    entities: dict[str, dict[str, str]] = {}
    if not isinstance(value, dict) or not value:
        message = "`entities` is a mapping of ids to properties, such as `host: {type: nova.host}`"
        notes.add("20", message, "entities")
        return entities
    for name, properties in value.items():
        place: tuple[Step, ...] = ("entities", name)
        if not isinstance(properties, dict):
            notes.add("4", f"entity {name} is a mapping of properties, such as `type: nova.host`", *place)
            continue
        entities[str(name)] = read_properties(notes, str(name), properties, place, "warning")
    return entities


def _actions(notes: Notes, listed: Any, scenario: tuple[Step, ...]) -> list[Action]:
    actions: list[Action] = []
    if not isinstance(listed, list):
        code = "84" if listed is None else "4"
        notes.add(
            code, "a scenario needs a list of `actions`, such as `- mark_down: {target: host}`", *scenario
        )
        return actions
    for index, item in enumerate(listed):
        place: tuple[Step, ...] = (*scenario, "actions", index)
        if not isinstance(item, dict) or len(item) != 1:
            message = "each of `actions` is one action with its fields, such as `mark_down: {target: host}`"
            notes.add("4", message, *place)
            continue
        word, body = next(iter(item.items()))
        kind = KINDS.get(word)
        if kind is None:
            unknown(notes, word, *place, word)
            continue
        if not isinstance(body, dict):
            notes.add("4", f"{word} needs its fields: " + ", ".join(FIELDS[kind]), *place, word)
            continue
        fields = mended(notes, body, (*place, word))
        notes.only(fields, FIELDS[kind], word, *place, word)
        actions.append(action(kind, fields, (*place, word)))
    return actions
