"""What is refused in a scenario although it can be read: names that are not there, rules that never fire."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from ..document import Step
from .clause import REGEX, attributes
from .condition import ConditionError, Link, names
from .having import check_having
from .notes import Notes
from .parts import check_parts
from .pattern import Pattern, PatternError, patterns
from .properties import compiles
from .template import CAUSE, MARK_DOWN, RAISE, SET_STATE, WORKFLOW, Action, GetAttr, Scenario, Template, Text

# (missing, unknown) by the field's name: the status codes that Vitrage gives.
_ENDS = {"target": ("10100", "10101"), "source": ("10102", "10103"), "causing_alarm": ("10107", "10107")}


def check_regex(notes: Notes, properties: Mapping[str, str], place: tuple[Step, ...]) -> None:
    """Refuses regular expressions that cannot be compiled."""
    for key, value in properties.items():
        if key.endswith(REGEX) and not compiles(value):
            notes.add(
                "47",
                f"{key}: {value!r} is not a regular expression (of RE2: no lookaround, no backreferences)",
                *place,
                key,
            )


def check_scenario(notes: Notes, template: Template, scenario: Scenario) -> None:
    """Refuses unknown names, conditions that never hold, and actions about what is not in them."""
    at = (*scenario.place, "condition")
    unknown = [name for name in _used(template, scenario) if name not in template.entities]
    for name in unknown:
        code = "10200" if template.version == 3 else "3"
        notes.add(code, f"{name!r} in the condition is no entity of this template", *at)
    found: list[Pattern] = []
    if check_having(notes, template, scenario.having, (*scenario.place, "having")) and not unknown:
        try:
            found = patterns(template, scenario.condition, scenario.having)
            check_parts(scenario, found)
        except PatternError as error:
            key = error.code if error.code == "having" else "condition"
            notes.add(error.code, str(error), *scenario.place, key)
        except ConditionError as error:
            notes.add("85", str(error), *at)
    for action in scenario.actions:
        _check_action(notes, template, action, found)


def _used(template: Template, scenario: Scenario) -> list[str]:
    used: list[str] = []
    for term in names(scenario.condition):
        if isinstance(term, Link):
            used += [term.source, term.target]
        elif term.name in template.relationships:
            relation = template.relationships[term.name]
            used += [relation.source, relation.target]
        else:
            used.append(term.name)
    return list(dict.fromkeys(used))


def _check_action(notes: Notes, template: Template, action: Action, found: list[Pattern]) -> None:
    kind = action.kind
    needed: list[tuple[str, str]] = []
    if kind in (RAISE, SET_STATE, MARK_DOWN, CAUSE):
        _end(notes, template, action, "target", action.target, needed)
    if kind == CAUSE:
        _end(notes, template, action, "source", action.source, needed)
    if kind == CAUSE and template.version < 3:
        for name in (action.source, action.target):
            entity = template.entities.get(name, {}) if isinstance(name, str) else {}
            category = entity.get("category", "ALARM")
            if category != "ALARM":
                notes.add("132", f"{name} is a {category}: only an alarm causes an alarm", *action.place)
    if kind == RAISE and action.causing is not None:
        _end(notes, template, action, "causing_alarm", action.causing, needed)
    if kind == RAISE and not action.name:
        code = "10104" if template.version == 3 else "125"
        notes.add(code, "raise_alarm needs an `alarm_name`", *action.place)
    if kind == RAISE and not action.severity:
        notes.add("126", "raise_alarm needs a `severity`", *action.place)
    if kind == SET_STATE and not action.state:
        notes.add("128", "set_state needs a `state`", *action.place)
    if kind == WORKFLOW and action.workflow in (None, ""):
        code = "10105" if template.version == 3 else "133"
        notes.add(code, "execute_mistral needs a `workflow`", *action.place)
    if kind == WORKFLOW and action.input is not None and not isinstance(action.input, dict):
        notes.add("137", "`input` is a mapping of the workflow's inputs", *action.place, "input")
    words = {"alarm_name": action.name, "severity": action.severity, "state": action.state}
    for field, value in {**words, "workflow": action.workflow}.items():
        if value is not None and not isinstance(value, str | GetAttr | Text):
            notes.add("4", f"`{field}` is a word or get_attr(ENTITY, PROPERTY)", *action.place, field)
    for text in texts(action):
        if "get_attr" in text:
            level: Literal["error", "warning"] = "error" if template.version == 3 else "warning"
            message = f"{text!r} is taken as it stands; a function is written get_attr(ENTITY, PROPERTY)"
            notes.add("138", message, *action.place, level=level)
    if template.version == 1 and attributes(action):
        notes.add("137", "get_attr needs version 2 or 3", *action.place)
    for attr in attributes(action):
        if attr.entity not in template.entities:
            notes.add("10101", f"get_attr({attr.entity}, {attr.property}): no such entity", *action.place)
        else:
            needed.append(("get_attr", attr.entity))
    if not found:
        return
    for field, name in needed:
        if not any(name in pattern.ids for pattern in found):
            notes.add(
                "absent-target",
                f"{field} {name} does not stand in the condition (other than under NOT), so the action "
                "never happens; add it to the condition, joined by a relationship",
                *action.place,
            )
    if needed and all(not {name for _, name in needed} <= set(pattern.ids) for pattern in found):
        notes.add(
            "absent-target", "no alternative of the condition has all that the action needs", *action.place
        )


def texts(value: Any) -> Iterator[str]:
    """Every text among the values of an action."""
    if isinstance(value, Action):
        for field in (value.name, value.severity, value.state, value.workflow, value.input):
            yield from texts(field)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for child in value.values() if isinstance(value, dict) else value:
            yield from texts(child)


def _end(
    notes: Notes, template: Template, action: Action, field: str, name: object, needed: list[tuple[str, str]]
) -> None:
    missing, unknown = (
        _ENDS[field] if template.version == 3 else ("130" if action.kind == CAUSE else "124", "3")
    )
    if not isinstance(name, str) or not name:
        notes.add(missing, f"{action.kind} needs a `{field}`", *action.place)
    elif name not in template.entities:
        notes.add(unknown, f"{field} {name!r} is no entity of this template", *action.place, field)
    else:
        needed.append((field, name))
