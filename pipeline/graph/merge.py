"""How entity and relationship records merge into the graph.

What a record does depends only on earlier records about the same element and on the
times of deletions, so any order that keeps the order per element ends the same.
"""

from __future__ import annotations

from sys import intern
from typing import Any

from msgspec import UNSET

from ..events import RESOURCE, Entity, Relationship
from .alarms import remove_alarm
from .said import NEVER, forget, judge, move, newest, note
from .step import Added, Changed, Removed, Step, Unlinked
from .store import Graph
from .vertex import ON, Edge, Vertex, linked

_STATE = ("state", "aggregated_state", "operational_state")


def merge_entity(step: Step, graph: Graph, entity: Entity) -> None:
    """Applies an entity record."""
    key = graph.entity_key(entity.type, entity.id)
    vertex = graph.entity(entity.type, entity.id)
    tomb = graph.tombs.get(key) if graph.tombs else None
    record = step.input
    claims = vertex if vertex is not None and vertex.live else tomb
    shown = f"{entity.type}/{entity.id}"
    if claims is not None:
        verdict = judge(claims, record.source, step.time, record.id)
        if verdict != "new":
            step.ignored("IGNORED" if verdict == "older" else "REPEATED", shown, verdict)
            return
    if record.op == "DELETE":
        _delete_entity(step, graph, entity, key, vertex)
        return
    if tomb is not None and step.time < tomb.deleted:
        note(step.undo, claims or tomb, record.source, step.time, record.id)
        step.dirty.add(key)
        step.ignored("IGNORED", shown, "deleted")
        return
    if vertex is None:
        vertex = step.place(graph, entity.type, entity.id)
    if vertex.live:
        properties, name = _update(step, vertex, entity)
        if properties:
            step.touch(vertex)
            step.changes.append(Changed(vertex, frozenset(properties), name))
            step.journal.append({"kind": "ENTITY", "op": "UPSERT", "vertex": vertex})
        else:
            step.ignored("REPEATED", shown, "same")
    else:
        _describe(step, vertex, entity)
        if tomb is not None:
            move(step.undo, tomb, vertex)
            if tomb.deleted != NEVER:
                forget(step.undo, tomb)
            else:
                step.undo.drop(graph.tombs, key)
        step.changes.append(Added(vertex))
        step.journal.append({"kind": "ENTITY", "op": "UPSERT", "vertex": vertex})
    note(step.undo, vertex, record.source, step.time, record.id)
    step.dirty.add(key)


def merge_relationship(step: Step, graph: Graph, relationship: Relationship) -> None:
    """Applies a relationship record."""
    record = step.input
    ends = (relationship.source, relationship.target)
    label = intern(relationship.type)
    shown = f"{ends[0].type}/{ends[0].id} -{label}-> {ends[1].type}/{ends[1].id}"
    for end in ends:
        if step.deleted_since(end.type, end.id, graph, step.time):
            step.ignored("IGNORED", shown, "end deleted")
            return
    source, target = (graph.entity(end.type, end.id) for end in ends)
    edge = linked(source, label, target) if source is not None and target is not None else None
    if edge is not None and not edge.base:
        edge = None
    key = graph.relationship_key(ends[0], label, ends[1])
    tomb = graph.tombs.get(key) if graph.tombs else None
    claims = edge or tomb
    if claims is not None:
        verdict = judge(claims, record.source, step.time, record.id)
        if verdict != "new":
            step.ignored("IGNORED" if verdict == "older" else "REPEATED", shown, verdict)
            return
    step.dirty.add(key)
    if record.op == "DELETE":
        if edge is not None and newest(edge) > step.time:
            note(step.undo, edge, record.source, step.time, record.id)
            step.ignored("IGNORED", shown, "newer")
            return
        tomb = step.tomb(graph, key)
        if edge is not None:
            move(step.undo, edge, tomb)
        step.undo.set(tomb, "deleted", max(tomb.deleted, step.time))
        step.undo.set(tomb, "since", step.now)
        note(step.undo, tomb, record.source, step.time, record.id)
        if edge is not None and source is not None and target is not None:
            remove_relationship(step, source, label, target)
        else:
            step.ignored("REPEATED", shown, "absent")
        return
    if tomb is not None and step.time < tomb.deleted:
        note(step.undo, claims or tomb, record.source, step.time, record.id)
        step.ignored("IGNORED", shown, "deleted")
        return
    if edge is None:
        source = step.place(graph, ends[0].type, ends[0].id)
        target = step.place(graph, ends[1].type, ends[1].id)
        edge = linked(source, label, target)
        if edge is not None:
            step.undo.set(edge, "base", True)
        else:
            edge = Edge(base=True)
            step.link(source, label, target, edge)
        if tomb is not None:
            move(step.undo, tomb, edge)
            forget(step.undo, tomb)
        step.journal.append(_told(relationship, "UPSERT"))
    else:
        step.ignored("REPEATED", shown, "same")
    if relationship.attributes:
        step.undo.set(edge, "attributes", _merged(graph, edge.attributes, relationship.attributes))
    note(step.undo, edge, record.source, step.time, record.id)


def remove_relationship(step: Step, source: Vertex, label: str, target: Vertex) -> None:
    """Takes away what records say of a relationship; what rules say of it stays."""
    edge = linked(source, label, target)
    assert edge is not None
    step.journal.append(
        {
            "kind": "RELATIONSHIP",
            "op": "DELETE",
            "relationship": {
                "source": {"type": source.type, "id": source.id},
                "type": label,
                "target": {"type": target.type, "id": target.id},
            },
        }
    )
    step.dirty.add(source.graph.relationship_key(source, label, target))
    if edge.derived:
        step.undo.set(edge, "base", False)
        forget(step.undo, edge)
        # It is still there, but its ground may have been this very edge.
        step.changes.append(Unlinked(source, label, target))
    else:
        step.unlink(source, label, target)


def _delete_entity(step: Step, graph: Graph, entity: Entity, key: str, vertex: Vertex | None) -> None:
    record = step.input
    live = vertex is not None and vertex.live
    if vertex is not None and live and newest(vertex) > step.time:
        note(step.undo, vertex, record.source, step.time, record.id)
        step.dirty.add(key)
        step.ignored("IGNORED", f"{entity.type}/{entity.id}", "newer")
        return
    tomb = step.tomb(graph, key)
    if vertex is not None and live:
        move(step.undo, vertex, tomb)
    step.undo.set(tomb, "deleted", max(tomb.deleted, step.time))
    step.undo.set(tomb, "since", step.now)
    note(step.undo, tomb, record.source, step.time, record.id)
    step.dirty.add(key)
    if vertex is None:
        step.ignored("REPEATED", f"{entity.type}/{entity.id}", "absent")
        return
    step.touch(vertex)
    if live:
        step.touch_state(vertex)
        step.journal.append({"kind": "ENTITY", "op": "DELETE", "vertex": vertex, "entity": described(vertex)})
        step.undo.set(vertex, "live", False)
        step.undo.put(graph.placeholders, vertex, None)
        step.changes.append(Removed(vertex))
        forget(step.undo, vertex)
    _delete_what_hangs_on(step, vertex, step.time)
    if live:
        # The name stays until the rules have run: their indexes know the vertex by it.
        step.undo.set(vertex, "attributes", None)
        step.undo.set(vertex, "state", None)
    step.sweep(vertex)


def _delete_what_hangs_on(step: Step, vertex: Vertex, time: int) -> None:
    # In an order of their own: that of the dictionaries is another one after a restore.
    for label, ends in sorted((vertex.out or {}).items()):
        for target, edge in sorted(ends.items(), key=_by_key):
            if edge.base and newest(edge) <= time:
                remove_relationship(step, vertex, label, target)
    for label, ends in sorted((vertex.into or {}).items()):
        for source, edge in sorted(ends.items(), key=_by_key):
            if source.alarm is not None:
                if label == ON and not source.alarm.deduced and newest(source) <= time:
                    remove_alarm(step, source, "REMOVED")
            elif edge.base and newest(edge) <= time and linked(source, label, vertex) is edge:
                remove_relationship(step, source, label, vertex)


def _by_key(end: tuple[Vertex, Edge]) -> str:
    return end[0].key


def _describe(step: Step, vertex: Vertex, entity: Entity) -> None:
    """Makes a placeholder an entity."""
    step.touch(vertex)
    undo = step.undo
    state = None if entity.state is UNSET else entity.state
    if state is not None:
        step.touch_state(vertex)
    undo.set(vertex, "live", True)
    undo.drop(vertex.graph.placeholders, vertex)
    name = None if entity.name is UNSET else entity.name
    undo.set(vertex, "name", vertex.id if name == vertex.id else name)
    undo.set(vertex, "category", RESOURCE if entity.category is UNSET else intern(entity.category))
    undo.set(vertex, "state", intern(state) if state is not None else None)
    undo.set(vertex, "attributes", _merged(vertex.graph, None, entity.attributes))


def _update(step: Step, vertex: Vertex, entity: Entity) -> tuple[set[str], str | None]:
    """Applies the fields that the record carries; the properties that changed, the old name."""
    undo, name = step.undo, vertex.name
    properties: set[str] = set()
    if entity.name is not UNSET and entity.name != vertex.name:
        undo.set(vertex, "name", entity.name)
        properties.add("name")
    if entity.category is not UNSET and entity.category != vertex.category:
        undo.set(vertex, "category", intern(entity.category))
        properties.add("category")
    if entity.state is not UNSET and entity.state != vertex.state:
        step.touch_state(vertex)
        undo.set(vertex, "state", intern(entity.state) if entity.state is not None else None)
        properties.update(_STATE)
    if entity.attributes:
        merged = _merged(vertex.graph, vertex.attributes, entity.attributes)
        if merged != vertex.attributes:
            properties.update(differing(vertex.attributes, merged))
            undo.set(vertex, "attributes", merged)
    return properties, name


def _merged(graph: Graph, old: dict[str, Any] | None, new: dict[str, Any]) -> dict[str, Any] | None:
    merged = dict(old) if old else {}
    for key, value in new.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[intern(key)] = graph.shared(value)
    return merged or None


def differing(old: dict[str, Any] | None, new: dict[str, Any] | None) -> set[str]:
    """The keys whose values differ."""
    old, new = old or {}, new or {}
    return {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}


def described(vertex: Vertex) -> dict[str, Any]:
    """An entity as the journal tells it."""
    live = vertex.live
    return {
        "type": vertex.type,
        "id": vertex.id,
        "name": vertex.name if live else None,
        "category": vertex.category if live else None,
        "state": vertex.state if live else None,
        "placeholder": not live,
        "attributes": (vertex.attributes or {}) if live else {},
    }


def _told(relationship: Relationship, op: str) -> dict[str, Any]:
    source, target = relationship.source, relationship.target
    return {
        "kind": "RELATIONSHIP",
        "op": op,
        "relationship": {
            "source": {"type": source.type, "id": source.id},
            "type": relationship.type,
            "target": {"type": target.type, "id": target.id},
        },
    }
