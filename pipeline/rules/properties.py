"""The properties of a vertex that rules can read, by the names their authors write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import re2

from ..graph.values import Values
from ..graph.vertex import Vertex
from ..times import rfc3339

Getter = Callable[[Vertex], Any]
Test = Callable[[Vertex], bool]

ALIASES = {
    "vitrage_category": "category",
    "vitrage_type": "type",
    "vitrage_is_deleted": "is_deleted",
    "vitrage_is_placeholder": "is_placeholder",
    "vitrage_aggregated_state": "aggregated_state",
    "vitrage_operational_state": "operational_state",
    "vitrage_aggregated_severity": "aggregated_severity",
    "vitrage_operational_severity": "operational_severity",
    "vitrage_resource_id": "resource_id",
    "vitrage_resource_type": "resource_type",
    "vitrage_resource_name": "resource_name",
    "vitrage_resource_project_id": "resource_project_id",
    "vitrage_sample_timestamp": "update_timestamp",
    "sample_timestamp": "update_timestamp",
    "vitrage_datasource_name": "source",
}
# What rules themselves write; a rule that reads one of them depends on those rules.
STATES = frozenset({"aggregated_state", "operational_state", "vitrage_state"})
SEVERITIES = frozenset({"severity", "aggregated_severity", "operational_severity"})
DOWN = "is_marked_down"


def canonical(name: str) -> str:
    """The short form of a property's name."""
    return ALIASES.get(name, name)


def text(value: Any) -> str | None:
    """A value as rules compare it: their own scalars are all text."""
    if value is None or isinstance(value, str):
        return value
    if value is True:
        return "true"
    if value is False:
        return "false"
    return str(value)


def getter(name: str, values: Callable[[], Values]) -> Getter:
    """Reads the property ``name`` (in its short form) of a vertex; None where it has none."""
    special = _special(name, values)
    if special is None:
        return lambda vertex: None if vertex.attributes is None else vertex.attributes.get(name)

    def read(vertex: Vertex) -> Any:
        value = special(vertex)
        if value is None and vertex.attributes is not None:
            return vertex.attributes.get(name)
        return value

    return read


def equals(name: str, wanted: str, values: Callable[[], Values]) -> Test:
    """Whether the property is exactly ``wanted``."""
    if name == "type":
        return lambda vertex: vertex.type == wanted
    if name == "category":
        return lambda vertex: vertex.category == wanted
    read = getter(name, values)
    if wanted.lower() in ("true", "false"):
        flag = wanted.lower() == "true"
        return lambda vertex: (value := read(vertex)) is flag or value == wanted
    return lambda vertex: (
        (value := read(vertex)) == wanted
        or (value is not None and not isinstance(value, str) and text(value) == wanted)
    )


def matches(name: str, pattern: str, values: Callable[[], Values]) -> Test:
    """Whether the property begins with a match of ``pattern``.

    Raises ``re2.error`` when the pattern cannot be compiled.
    """
    compiled = re2.compile(pattern, _options())
    read = getter(name, values)

    def test(vertex: Vertex) -> bool:
        value = text(read(vertex))
        return value is not None and compiled.match(value) is not None

    return test


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    return options


def _special(name: str, values: Callable[[], Values]) -> Getter | None:
    def aggregated(index: int) -> Getter:
        def read(vertex: Vertex) -> Any:
            if vertex.alarm is not None:
                return None
            derived = vertex.derived.state if vertex.derived is not None else None
            return values().aggregate(vertex.type, vertex.state, derived)[index]

        return read

    def resource(read: Getter) -> Getter:
        return lambda vertex: None if vertex.alarm is None else read(vertex.alarm.resource)

    if name in _PLAIN:
        return _PLAIN[name]
    if name == "aggregated_state":
        return aggregated(0)
    if name == "operational_state":
        return aggregated(1)
    if name == "operational_severity":
        return lambda v: None if v.alarm is None else values().severity(v.type, v.alarm.severity)[1]
    return {
        "resource_id": resource(lambda v: v.id),
        "resource_type": resource(lambda v: v.type),
        "resource_name": resource(lambda v: v.name),
        "resource_project_id": resource(lambda v: (v.attributes or {}).get("project_id")),
    }.get(name)


_PLAIN: dict[str, Getter] = {
    "type": lambda v: v.type,
    "category": lambda v: v.category,
    "id": lambda v: v.id,
    "name": lambda v: v.name,
    "state": lambda v: v.state,
    "severity": lambda v: None if v.alarm is None else v.alarm.severity,
    "aggregated_severity": lambda v: None if v.alarm is None else v.alarm.severity.upper(),
    "vitrage_id": lambda v: v.key,
    "vitrage_state": lambda v: None if v.derived is None else v.derived.state,
    "is_marked_down": lambda v: v.derived is not None and v.derived.down,
    "is_placeholder": lambda v: False,
    "is_deleted": lambda v: False,
    "update_timestamp": lambda v: rfc3339(v.time),
    "source": lambda v: v.said_by,
}


def compiles(pattern: str) -> bool:
    """Whether ``pattern`` is a regular expression."""
    try:
        re2.compile(pattern, _options())
    except re2.error:
        return False
    return True
