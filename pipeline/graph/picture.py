"""A graph from plain rows: what a reader needs to look at a domain as it is, or was.

Nothing is evaluated: deduced alarms, causes and states that rules set are entered as
the rows tell them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..events import ALARM, RESOURCE
from ..times import micros, normalize
from .store import Graph, ensure, link
from .undo import Undo
from .vertex import ACTIVE, CAUSES, ON, AlarmPart, Derived, Edge, Vertex, linked

Row = Mapping[str, Any]


def picture(
    domain: str,
    *,
    entities: Iterable[Row] = (),
    relationships: Iterable[Row] = (),
    alarms: Iterable[Row] = (),
    causes: Iterable[Row] = (),
    down: Iterable[str] = (),
) -> Graph:
    """The graph of one domain; what a relationship or an alarm names and no row describes is a placeholder.

    ``down`` are the keys of entities that are marked down. Of a state that rules set only
    the aggregated word is known: it stands for what they said where it is not the entity's own.
    """
    graph, undo = Graph(domain), Undo()
    known: dict[str, Vertex] = {}
    for row in entities:
        vertex = ensure(undo, graph, row["type"], row["id"])
        known[vertex.key] = vertex
        if not row.get("placeholder"):
            _describe(graph, vertex, row)
    for row in relationships:
        source, target = (
            ensure(undo, graph, row[end]["type"], row[end]["id"]) for end in ("source", "target")
        )
        link(undo, source, row["type"], target, Edge(base=True))
    for row in alarms:
        alarm = _alarm(graph, ensure(undo, graph, row["resource_type"], row["resource_id"]), row)
        known[row["key"]] = alarm
        assert alarm.alarm is not None
        link(undo, alarm, ON, alarm.alarm.resource, Edge(base=not alarm.alarm.deduced))
    for row in causes:
        cause, effect = known.get(row["source"]), known.get(row["target"])
        if cause is not None and effect is not None and linked(cause, CAUSES, effect) is None:
            link(undo, cause, CAUSES, effect, Edge(base=False, derived=True))
    for key in down:
        marked = known.get(key)
        if marked is not None:
            _derived(marked).down = True
    return graph


def _describe(graph: Graph, vertex: Vertex, row: Row) -> None:
    vertex.live = True
    graph.placeholders.pop(vertex, None)
    vertex.name = row.get("name") or None
    vertex.category = row.get("category") or RESOURCE
    vertex.state = row.get("state") or None
    vertex.attributes = dict(row.get("attributes") or {}) or None
    vertex.said_by = row.get("source")
    vertex.time = _time(row)
    aggregated = row.get("aggregated_state")
    if aggregated and aggregated != (vertex.state or "").upper():
        _derived(vertex).state = aggregated


def _alarm(graph: Graph, resource: Vertex, row: Row) -> Vertex:
    external = row.get("external_id") or None
    alarm = Vertex(graph, row["source"], external or row["key"])
    alarm.alarm = AlarmPart(
        row["key"], resource, row.get("severity") or "", external, bool(row.get("deduced"))
    )
    alarm.name = row["name"]
    alarm.category = ALARM
    alarm.state = ACTIVE
    alarm.attributes = dict(row.get("attributes") or {}) or None
    alarm.said_by = row["source"]
    alarm.time = _time(row)
    alarm.live = True
    graph.alarms.setdefault(alarm.type, {})[row["key"]] = alarm
    return alarm


def _derived(vertex: Vertex) -> Derived:
    if vertex.derived is None:
        vertex.derived = Derived()
    return vertex.derived


def _time(row: Row) -> int:
    text = row.get("event_time")
    return micros(normalize(text)) if text else 0
