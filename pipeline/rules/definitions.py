"""The definitions of versions 1 and 2: entities and relationships with template ids, own and included."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..document import Step, close
from .entities import read_properties
from .notes import Notes
from .properties import canonical
from .template import Relation, Template

_ID = re.compile(r"_*[a-zA-Z]")
_PLACE: tuple[Step, ...] = ("definitions",)


def read_includes(
    notes: Notes, value: dict[str, Any], included: Mapping[str, Template]
) -> dict[str, Template | None]:
    """The definition templates that a template includes, by name; None for one that is not there."""
    listed = value.get("includes")
    if "includes" not in value:
        return {}
    if not isinstance(listed, list) or not listed:
        code = "140" if listed == [] else "4"
        notes.add(code, "`includes` is a list of `- name: NAME` of definition templates", "includes")
        return {}
    found: dict[str, Template | None] = {}
    owners: dict[str, str] = {}
    for index, item in enumerate(listed):
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str) or not name:
            code = "141" if isinstance(item, dict) and name is None else "4"
            notes.add(code, "each of `includes` is `name: NAME` of a definition template", "includes", index)
            continue
        notes.only(item, ("name",), "an include", "includes", index)
        other = included.get(name)
        if other is None:
            message = f"there is no accepted definition template named {name!r}; give its file too"
            notes.add("142", message, "includes", index, "name")
        elif name in found:
            notes.add("2", f"{name} is included twice", "includes", index)
        for entity in () if other is None or name in found else other.entities:
            if owners.setdefault(entity, name) != name:
                message = (
                    f"template_id {entity} of {name} is also one of {owners[entity]}; rename one of them"
                )
                notes.add("2", message, "includes", index)
        found[name] = other
    return found


def read_definitions(
    notes: Notes, template: Template, value: dict[str, Any], includes: Mapping[str, Template | None]
) -> Template:
    """The template with its entities and relationships, those of ``includes`` among them."""
    entities: dict[str, dict[str, str]] = {}
    relationships: dict[str, Relation] = {}
    for other in includes.values():
        if other is not None:
            entities = {**other.entities, **entities}
            # Of relationships the first one counts, and an own one before all.
            relationships = {**other.relationships, **relationships}
    body = value.get("definitions")
    if isinstance(body, dict):
        notes.only(body, ("entities", "relationships"), "`definitions`", *_PLACE)
        own = _entities(notes, body, entities, bool(includes))
        entities.update(own)
        for name in relationships.keys() & own.keys():
            notes.add("2", f"template_id {name} is that of a relationship of an included template", *_PLACE)
        relationships.update(_relationships(notes, body, entities))
    elif "definitions" in value:
        notes.add("4", "`definitions` is a mapping of `entities` and `relationships`", *_PLACE)
    elif not includes:
        notes.add("21", "`definitions` with `entities` and `relationships` is missing")
    return replace(template, entities=entities, relationships=relationships, includes=tuple(includes))


def _entities(
    notes: Notes, body: dict[str, Any], others: Mapping[str, Any], includes: bool
) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    listed = body.get("entities")
    if not isinstance(listed, list) or not listed:
        if not includes:
            code = "43" if listed == [] else "20" if listed is None else "4"
            notes.add(code, "`definitions.entities` is a list of `entity: {...}`", *_PLACE, "entities")
        return found
    for index, item in enumerate(listed):
        place: tuple[Step, ...] = (*_PLACE, "entities", index)
        entity = notes.within(item, "entity", "46", "{template_id, category, type, ...}", *place)
        if entity is None:
            continue
        place = (*place, "entity")
        name = _id(notes, entity, "41", "an entity", place)
        if name is None:
            continue
        if "category" not in map(canonical, entity):
            notes.add("42", f"entity {name} needs a `category`: RESOURCE or ALARM", *place)
        properties = read_properties(notes, name, entity, place, "error")
        if name in found or name in others:
            where = "stands twice" if name in found else "is also one of an included template"
            notes.add("2", f"template_id {name} {where}; give each its own", *place, "template_id")
        found[name] = properties
    return found


def _relationships(notes: Notes, body: dict[str, Any], entities: Mapping[str, Any]) -> dict[str, Relation]:
    found: dict[str, Relation] = {}
    listed = body.get("relationships") or []
    if not isinstance(listed, list):
        notes.add("4", "`relationships` is a list of `relationship: {...}`", *_PLACE, "relationships")
        return found
    form = "{source, relationship_type, target, template_id}"
    for index, item in enumerate(listed):
        place: tuple[Step, ...] = (*_PLACE, "relationships", index)
        link = notes.within(item, "relationship", "101", form, *place)
        if link is None:
            continue
        place = (*place, "relationship")
        notes.only(link, ("source", "relationship_type", "target", "template_id"), "a relationship", *place)
        name = _id(notes, link, "104", "a relationship", place)
        ends = [
            _end(notes, link, "source", "102", entities, place),
            _end(notes, link, "target", "103", entities, place),
        ]
        label = link.get("relationship_type")
        if not isinstance(label, str) or not label:
            code = "100" if label is None or label == "" else "4"
            notes.add(code, "a relationship needs a `relationship_type`, such as on or contains", *place)
            label = ""
        if name is None:
            continue
        if name in found:
            notes.add("2", f"template_id {name} stands twice; give each its own", *place, "template_id")
        if name in entities:
            notes.add("2", f"template_id {name} is also that of an entity", *place, "template_id")
        if ends[0] is not None and ends[1] is not None:
            found[name] = Relation(ends[0], label, ends[1])
    return found


def _end(
    notes: Notes,
    link: dict[str, Any],
    field: str,
    code: str,
    entities: Mapping[str, Any],
    place: tuple[Step, ...],
) -> str | None:
    end = link.get(field)
    if end is None:
        notes.add(code, f"a relationship needs a `{field}`: the template_id of an entity", *place)
    elif not isinstance(end, str) or end not in entities:
        meant = close(str(end), entities, listed=True)
        notes.add("3", f"{field} {end!r} is no entity of this template{meant}", *place, field)
    else:
        return end
    return None


def _id(notes: Notes, body: dict[str, Any], code: str, what: str, place: tuple[Step, ...]) -> str | None:
    name = body.get("template_id")
    if name is None:
        notes.add(code, f"{what} needs a `template_id`, by which the template speaks of it", *place)
        return None
    if not isinstance(name, str) or not _ID.match(name):
        message = f"template_id {name!r}: a name begins with a letter, after any number of _"
        notes.add("1", message, *place, "template_id")
    return str(name)
