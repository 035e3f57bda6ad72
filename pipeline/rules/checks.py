"""What is refused in a scenario although it can be read: names that are not there, rules that never fire."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..document import Step, close
from .condition import ConditionError, Link, Term, clauses, names
from .functions import fault
from .having import check_having
from .notes import Level, Notes
from .parts import check_parts
from .pattern import Pattern, PatternError, patterns
from .template import CAUSE, MARK_DOWN, RAISE, SET_STATE, WORKFLOW, Action, GetAttr, Scenario, Template, Text

# (missing, unknown) by the field's name: the status codes that Vitrage gives.
_ENDS = {"target": ("10100", "10101"), "source": ("10102", "10103"), "causing_alarm": ("10107", "10107")}
_LEGACY_MISSING = {RAISE: "127", SET_STATE: "129", MARK_DOWN: "131", CAUSE: "130"}


def check_scenario(notes: Notes, template: Template, scenario: Scenario) -> None:
    """Refuses unknown names, conditions that never hold, and actions about what is not in them."""
    at = (*scenario.place, "condition")
    unknown = [name for name in _used(template, scenario) if name not in template.entities]
    code, among = "10200", set(template.entities)
    if template.version < 3:
        code, among = "3", among | template.relationships.keys()
    for name in unknown:
        meant = close(name, sorted(among), listed=True)
        notes.add(code, f"{name!r} in the condition is no entity of this template{meant}", *at, word=name)
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
    needs = [_check_action(notes, template, action) for action in scenario.actions]
    if found:
        _check_fires(notes, template, scenario, found, needs)


@dataclass(frozen=True, slots=True)
class _Need:
    """An entity that an action cannot do without."""

    what: str
    name: str
    place: tuple[Step, ...]


def _used(template: Template, scenario: Scenario) -> list[str]:
    used = [name for term in names(scenario.condition) for name in _ends(template, term)]
    return list(dict.fromkeys(used))


def _ends(template: Template, term: Term) -> tuple[str, ...]:
    link = term if isinstance(term, Link) else template.relationships.get(term.name)
    if link is not None:
        return link.source, link.target
    return () if isinstance(term, Link) else (term.name,)


def _check_fires(
    notes: Notes, template: Template, scenario: Scenario, found: list[Pattern], needs: list[list[_Need]]
) -> None:
    """Refuses actions that have what they need in no alternative of the condition."""
    present = {
        name
        for clause in clauses(scenario.condition)
        for literal in clause
        if literal.positive
        for name in _ends(template, literal.term)
    }
    fires = [any({need.name for need in each} <= set(form.ids) for form in found) for each in needs]
    for action, each, happens in zip(scenario.actions, needs, fires, strict=True):
        absent = [need for need in each if need.name not in present]
        for need in absent:
            notes.add(
                "absent-target",
                f"{need.what} {need.name} does not stand in the condition (other than under NOT), so the "
                "action never happens; add it to the condition, joined by a relationship",
                *need.place,
            )
        if not absent and not happens:
            # The rule is of use as long as another of its actions can happen.
            level: Level = "warning" if any(fires) else "error"
            message = (
                "no alternative of the condition that can hold has all that the action needs ("
                + ", ".join(dict.fromkeys(need.name for need in each))
                + "), so it never happens; name them in one alternative, joined by relationships"
            )
            notes.add("absent-target", message, *action.place, level=level)


def _check_action(notes: Notes, template: Template, action: Action) -> list[_Need]:
    kind, third = action.kind, template.version == 3
    needs: list[_Need] = []
    if kind != WORKFLOW:
        needs += _end(notes, template, action, "target", action.target)
    if kind == CAUSE:
        needs += _end(notes, template, action, "source", action.source)
    if kind == RAISE and action.causing is not None:
        needs += _end(notes, template, action, "causing_alarm", action.causing)
    if kind == CAUSE:
        _check_causes(notes, template, action)
    for of, field, value, code, what in (
        (RAISE, "alarm_name", action.name, "10104" if third else "125", "an `alarm_name`"),
        (RAISE, "severity", action.severity, "126", "a `severity`, such as WARNING or CRITICAL"),
        (SET_STATE, "state", action.state, "128", "a `state`, such as SUBOPTIMAL or ERROR"),
        (WORKFLOW, "workflow", action.workflow, "10105" if third else "133", "a `workflow`: its name"),
    ):
        if kind == of and value in (None, ""):
            notes.add(code, f"{kind} needs {what}", *action.place)
        elif value is not None and not isinstance(value, str | GetAttr | Text):
            message = f"`{field}` is a word or get_attr(ENTITY, PROPERTY)"
            notes.add("4", message, *_at(template, action, (field,)))
    if kind == WORKFLOW and action.input is not None and not isinstance(action.input, dict):
        message = "`input` maps the workflow's inputs to their values, such as `input: {vm: host-1}`"
        notes.add("4", message, *_at(template, action, ("input",)))
    return needs + _check_functions(notes, template, action)


def _check_causes(notes: Notes, template: Template, action: Action) -> None:
    """Only alarms cause alarms; version 3 does not ask for a category."""
    for field, name in (("target", action.target), ("source", action.source)):
        properties = template.entities.get(name) if isinstance(name, str) else None
        if properties is None:
            continue
        category = properties.get("category", properties.get("vitrage_category", "ALARM"))
        if category != "ALARM":
            level: Level = "warning" if template.version == 3 else "error"
            message = f"{name} is a {category}: only an alarm causes an alarm"
            notes.add("132", message, *_at(template, action, (field,)), level=level)


def _check_functions(notes: Notes, template: Template, action: Action) -> list[_Need]:
    needs: list[_Need] = []
    for steps, value in _leaves(action):
        place = _at(template, action, steps)
        if isinstance(value, str):
            wrong = fault(value)
            if wrong is not None:
                level: Level = "error" if template.version == 3 else "warning"
                notes.add("138", wrong, *place, level=level)
        elif template.version == 1:
            notes.add("137", "get_attr needs version 2 or 3; say so in `metadata`", *place)
        elif value.entity not in template.entities:
            code = "10101" if template.version == 3 else "3"
            message = (
                f"get_attr({value.entity}, {value.property}): no entity of this template is {value.entity}"
            )
            notes.add(code, message + close(value.entity, template.entities, listed=True), *place)
        else:
            needs.append(_Need("get_attr:", value.entity, place))
    return needs


def _leaves(action: Action) -> Iterator[tuple[tuple[Step, ...], str | GetAttr]]:
    """Every text and every function among the values of an action, with where it stands."""

    def walk(value: Any, steps: tuple[Step, ...]) -> Iterator[tuple[tuple[Step, ...], str | GetAttr]]:
        if isinstance(value, str | GetAttr):
            yield steps, value
        elif isinstance(value, Text):
            for part in value:
                yield from walk(part, steps)
        elif isinstance(value, dict):
            for key, child in value.items():
                yield from walk(child, (*steps, key))
        elif isinstance(value, list):
            for index, child in enumerate(value):
                yield from walk(child, (*steps, index))

    yield from walk(action.name, ("alarm_name",))
    yield from walk(action.severity, ("severity",))
    yield from walk(action.state, ("state",))
    yield from walk(action.workflow, ("workflow",))
    yield from walk(action.input, ("input",))


def _at(template: Template, action: Action, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Where a field of an action stands."""
    if template.version == 3:
        return (*action.place, *steps)
    if steps[0] in ("target", "source"):
        return (*action.place, "action_target", *steps)
    if template.version == 1 and steps[0] == "input":
        # Version 1 writes the workflow's inputs beside its name.
        steps = steps[1:]
    return (*action.place, "properties", *steps)


def _end(notes: Notes, template: Template, action: Action, field: str, name: object) -> list[_Need]:
    missing, unknown = _ENDS[field] if template.version == 3 else (_LEGACY_MISSING[action.kind], "3")
    place = _at(template, action, (field,))
    if name is None or name == "":
        notes.add(missing, f"{action.kind} needs a `{field}`: an entity of this template", *place)
    elif not isinstance(name, str) or name not in template.entities:
        meant = close(str(name), template.entities, listed=True)
        notes.add(unknown, f"{field} {name!r} is no entity of this template{meant}", *place)
    else:
        return [_Need(field, name, place)]
    return []
