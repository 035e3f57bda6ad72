"""Templates of versions 1 and 2: definitions with template ids, relationships defined apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..document import Step
from .checks import check_regex, check_scenario
from .condition import ConditionError, parse
from .having import read_having
from .notes import Notes
from .template import CAUSE, MARK_DOWN, RAISE, SET_STATE, WORKFLOW, Action, Relation, Scenario, Template
from .timing import read_timing
from .version3 import action as flat

_ID = re.compile(r"_*[a-zA-Z]")
_KINDS = (RAISE, SET_STATE, CAUSE, MARK_DOWN, WORKFLOW, "execute_workflow")


def read_template(
    notes: Notes, template: Template, value: dict[str, Any], included: Mapping[str, Template]
) -> Template:
    """The rest of a version 1 or 2 template; what is wrong goes to ``notes``."""
    entities: dict[str, dict[str, str]] = {}
    relationships: dict[str, Relation] = {}
    includes = _includes(notes, value.get("includes"))
    for name in includes:
        other = included.get(name)
        if other is None:
            notes.add("142", f"no definition template is named {name!r}", "includes")
            continue
        entities.update(other.entities)
        relationships.update(other.relationships)
    definitions = value.get("definitions")
    if isinstance(definitions, dict):
        _definitions(notes, definitions, entities, relationships)
    elif not includes:
        notes.add("21", "`definitions` with `entities` and `relationships` is missing", "definitions")
    template = replace(template, entities=entities, relationships=relationships, includes=includes)
    if template.kind == "definition":
        return template
    scenarios: list[Scenario] = []
    listed = value.get("scenarios")
    if not isinstance(listed, list) or not listed:
        notes.add(
            "81" if listed == [] else "80",
            "`scenarios` is a list of `scenario: {condition, actions}`",
            "scenarios",
        )
        listed = []
    for index, item in enumerate(listed):
        scenario = _scenario(notes, template, item, index)
        if scenario is not None:
            scenarios.append(scenario)
            check_scenario(notes, template, scenario)
    return replace(template, scenarios=tuple(scenarios))


def _includes(notes: Notes, value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        notes.add("140", "`includes` is a list of `- name: NAME`", "includes")
        return ()
    names: list[str] = []
    for index, item in enumerate(value):
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str) or not name:
            notes.add("4", "each of `includes` is `name: NAME` of a definition template", "includes", index)
        else:
            names.append(name)
    return tuple(names)


def _definitions(
    notes: Notes,
    value: dict[str, Any],
    entities: dict[str, dict[str, str]],
    relationships: dict[str, Relation],
) -> None:
    own: set[str] = set()
    listed = value.get("entities")
    if not isinstance(listed, list) or not listed:
        if not entities:
            code = "43" if listed == [] else "20"
            notes.add(code, "`definitions.entities` is a list of `entity: {...}`", "definitions", "entities")
        listed = []
    for index, item in enumerate(listed):
        place: tuple[Step, ...] = ("definitions", "entities", index)
        entity = item.get("entity") if isinstance(item, dict) else None
        if not isinstance(entity, dict):
            notes.add("46", "each of `entities` is `entity: {template_id, category, ...}`", *place)
            continue
        name = entity.get("template_id")
        if not isinstance(name, str) or not name:
            notes.add("41", "an entity needs a `template_id`", *place)
            continue
        if not _ID.match(name):
            notes.add(
                "1", f"template_id {name!r}: a name begins with a letter, after any number of _", *place
            )
        if "category" not in entity and "vitrage_category" not in entity:
            notes.add("42", f"entity {name} needs a `category`: RESOURCE or ALARM", *place)
        if not all(isinstance(text, str) for text in entity.values()):
            notes.add("4", f"entity {name}: properties are words", *place)
            continue
        category = entity.get("category", entity.get("vitrage_category", "RESOURCE"))
        if category not in ("RESOURCE", "ALARM"):
            notes.add("45", f"entity {name}: category {category!r} is neither RESOURCE nor ALARM", *place)
        check_regex(notes, entity, (*place, "entity"))
        if name in own or name in entities or name in relationships:
            notes.add("2", f"template_id {name} stands twice", *place)
        own.add(name)
        entities[name] = {str(key): text for key, text in entity.items() if key != "template_id"}
    links = value.get("relationships") or []
    if not isinstance(links, list):
        notes.add("101", "`relationships` is a list of `relationship: {...}`", "definitions", "relationships")
        links = []
    for index, item in enumerate(links):
        place = ("definitions", "relationships", index)
        link = item.get("relationship") if isinstance(item, dict) else None
        if not isinstance(link, dict):
            notes.add("101", "each of `relationships` is `relationship: {...}`", *place)
            continue
        name = link.get("template_id")
        if not isinstance(name, str) or not name:
            notes.add("104", "a relationship needs a `template_id`", *place)
            continue
        ends = {}
        for field, code in (("source", "102"), ("target", "103")):
            end = link.get(field)
            if not isinstance(end, str):
                notes.add(code, f"relationship {name} needs a `{field}`", *place)
            elif end not in entities:
                notes.add("3", f"relationship {name}: {field} {end!r} is no entity of this template", *place)
            else:
                ends[field] = end
        if name in own or name in entities or name in relationships:
            notes.add("2", f"template_id {name} stands twice", *place)
        own.add(name)
        label = link.get("relationship_type")
        if not isinstance(label, str) or not label:
            notes.add("100", f"relationship {name} needs a `relationship_type`", *place)
            label = "on"
        if len(ends) == 2:
            relationships[name] = Relation(ends["source"], label, ends["target"])


def _scenario(notes: Notes, template: Template, item: Any, index: int) -> Scenario | None:
    place: tuple[Step, ...] = ("scenarios", index, "scenario")
    body = item.get("scenario") if isinstance(item, dict) else None
    if not isinstance(body, dict):
        notes.add("81", "each of `scenarios` is `scenario: {condition, actions}`", *place)
        return None
    text = body.get("condition")
    actions = _actions(notes, template, body.get("actions"), place, text if isinstance(text, str) else "")
    if not isinstance(text, str) or not text.strip():
        notes.add("83", "a scenario needs a `condition`", *place)
        return None
    try:
        condition = parse(text)
    except ConditionError as error:
        notes.add("85", str(error), *place, "condition")
        return None
    having = read_having(notes, body.get("having"), (*place, "having"))
    timing = read_timing(notes, body, place)
    return Scenario(index, condition, text, tuple(actions), place, having, timing)


def _actions(
    notes: Notes, template: Template, listed: Any, scenario: tuple[Step, ...], condition: str
) -> list[Action]:
    actions: list[Action] = []
    if not isinstance(listed, list) or not listed:
        notes.add("121" if listed == [] else "84", "a scenario needs a list of `actions`", *scenario)
        return actions
    for index, item in enumerate(listed):
        place: tuple[Step, ...] = (*scenario, "actions", index, "action")
        body = item.get("action") if isinstance(item, dict) else None
        if not isinstance(body, dict):
            notes.add("121", "each of `actions` is `action: {action_type, ...}`", *place)
            continue
        kind = body.get("action_type")
        if kind not in _KINDS:
            code = "123" if kind is None else "120"
            notes.add(code, f"action_type {kind!r} is not known; there are " + ", ".join(_KINDS), *place)
            continue
        actions.append(
            _action(notes, template, WORKFLOW if kind == "execute_workflow" else str(kind), body, place)
        )
    return actions


def _action(
    notes: Notes, template: Template, kind: str, body: dict[str, Any], place: tuple[Step, ...]
) -> Action:
    properties = body.get("properties") or {}
    target = body.get("action_target") or {}
    if not isinstance(properties, dict) or not isinstance(target, dict):
        notes.add("4", "`properties` and `action_target` are mappings", *place)
        properties = target = {}
    fields = {**properties, **target}
    if kind == WORKFLOW and template.version == 1:
        # Version 1 writes the workflow's inputs beside its name.
        inputs = {key: value for key, value in properties.items() if key != "workflow"}
        fields = {"workflow": properties.get("workflow"), "input": inputs}
    elif kind == WORKFLOW and properties.keys() - {"workflow", "input"}:
        notes.add("136", "the workflow's inputs stand under `input`", *place, "properties")
    return flat(kind, fields, place)
