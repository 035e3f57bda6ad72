"""What was expected beside what came of it: each difference with the line that expected something else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..document import Step

Found = Mapping[str, Any]
IDENTITY: Mapping[str, tuple[str, ...]] = {
    "alarms": ("key", "source", "name", "resource", "domain"),
    "states": ("type", "id", "domain"),
    "causes": ("source", "target", "domain"),
    "workflows": ("workflow",),
    "tasks": ("name",),
}
SHORT: Mapping[str, tuple[str, str]] = {
    "alarms": ("key", "severity"),
    "states": ("entity", "state"),
    "causes": ("source", "target"),
    "workflows": ("workflow", "input"),
    "tasks": ("name", "state"),
}
"""What a name alone, and a name with a value after it, stand for in each section."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing that a section of ``expect`` names, as fields; ``steps`` lead to it."""

    steps: tuple[Step, ...]
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was expected; ``steps`` lead to the place in the test."""

    steps: tuple[Step, ...]
    message: str


def wanted(section: str, value: Any) -> list[Wanted]:
    """The entries of a section in one form.

    An entry is a mapping of fields, a name alone, or ``NAME: VALUE`` (``SHORT`` says of
    what); the section itself may be a mapping of such. Raises ``ValueError``.
    """
    if isinstance(value, Mapping):
        return [Wanted((section, key), _entry(section, {key: body})) for key, body in value.items()]
    return [Wanted((section, index), _entry(section, entry)) for index, entry in enumerate(value or ())]


def against(
    section: str, expected: Sequence[Wanted], found: Sequence[Found]
) -> tuple[list[Difference], set[int]]:
    """Where the expected differ from the ``found``, and which of the found were meant by one."""
    taken: dict[int, Wanted] = {}
    left: list[Wanted] = []
    # Those that fit wholly come first, so that no other takes their place.
    for want in expected:
        fits = (at for at, one in enumerate(found) if at not in taken and not any(unlike(want.fields, one)))
        at = next(fits, None)
        if at is None:
            left.append(want)
        else:
            taken[at] = want
    differences: list[Difference] = []
    for want in left:
        named = {key: value for key, value in want.fields.items() if key in IDENTITY[section]}
        same = [at for at, one in enumerate(found) if at not in taken and not any(unlike(named, one))]
        if not same or not named:
            message = f"{section}: missing: {shown(want.fields)}"
            differences.append(Difference(want.steps, message + _near(section, want.fields, found)))
            continue
        taken[same[0]] = want
        for place, expects, has in unlike(want.fields, found[same[0]]):
            where = ".".join(map(str, place))
            message = f"{section}: {name(section, found[same[0]])}: {where} is {shown(has)}"
            differences.append(Difference(want.steps, f"{message}, expected {shown(expects)}"))
    return differences, set(taken)


def unlike(
    expected: Any, found: Any, place: tuple[Step, ...] = ()
) -> Iterator[tuple[tuple[Step, ...], Any, Any]]:
    """Where ``found`` lacks what ``expected`` names; of mappings it may hold more."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for key, value in expected.items():
            if key not in found:
                yield (*place, key), value, ABSENT
            else:
                yield from unlike(value, found[key], (*place, key))
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from unlike(one, other, (*place, index))
    elif expected != found or isinstance(expected, bool) is not isinstance(found, bool):
        yield place, expected, found


class _Absent:
    def __repr__(self) -> str:
        return "not there"


ABSENT = _Absent()


def name(section: str, found: Found) -> str:
    """What one found thing is called in a message."""
    if section == "alarms":
        return str(found["key"])
    if section == "states":
        return f"{found['type']}/{found['id']}"
    if section == "causes":
        return f"{found['source']} -> {found['target']}"
    if section == "workflows":
        return f"{found['workflow']} {shown(found['input'])}"
    return str(found["name"])


def shown(value: Any) -> str:
    """A value in one line."""
    if value is ABSENT:
        return repr(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _entry(section: str, entry: Any) -> dict[str, Any]:
    first, second = SHORT[section]
    known = (*IDENTITY[section], first)
    fields: dict[str, Any]
    if isinstance(entry, str):
        fields = {first: entry}
    elif section == "causes" and isinstance(entry, list) and len(entry) == 2:
        fields = dict(zip(("source", "target"), entry, strict=True))
    elif not isinstance(entry, Mapping):
        raise ValueError(f"{section}: expected a mapping or a name, not {shown(entry)}")
    elif len(entry) == 1 and next(iter(entry)) not in known:
        [(key, body)] = entry.items()
        whole = isinstance(body, Mapping) and section != "workflows"
        fields = {first: key, **(body if whole else {} if body is None else {second: body})}
    else:
        fields = dict(entry)
    return _form(section, fields)


def _form(section: str, fields: dict[str, Any]) -> dict[str, Any]:
    """References written ``TYPE/ID`` as their parts, and states as simulate has them."""
    if section == "alarms" and isinstance(fields.get("resource"), str):
        kind, _, identity = fields["resource"].partition("/")
        fields["resource"] = {"type": kind, "id": identity}
    if section == "states":
        entity = fields.pop("entity", None) or fields.pop("key", None)
        if isinstance(entity, Mapping):
            fields |= entity
        elif entity is not None:
            fields["type"], _, fields["id"] = str(entity).partition("/")
        # A state alone is what rules and source make of it together.
        if "state" in fields and "aggregated_state" not in fields:
            fields["aggregated_state"] = fields.pop("state")
        if isinstance(fields.get("aggregated_state"), str):
            fields["aggregated_state"] = fields["aggregated_state"].upper()
    return fields


def _near(section: str, fields: Found, found: Iterable[Found]) -> str:
    from difflib import get_close_matches

    names = [name(section, one) for one in found]
    text = shown(fields.get(SHORT[section][0], fields))
    close = get_close_matches(text, names, 1, 0.7)
    return f" (there is {close[0]})" if close else ""
