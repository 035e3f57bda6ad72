"""One record's change to the graph while it is being made: undo log, changes, what was before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..events import Input
from .deadlines import Deadlines
from .said import Tomb
from .store import Graph, ensure, link, unlink
from .undo import Undo
from .values import Values
from .vertex import ON, Derived, Edge, Vertex, linked


class Added(NamedTuple):
    """A vertex became live; its edges are covered by it."""

    vertex: Vertex


class Removed(NamedTuple):
    """A vertex is live no more."""

    vertex: Vertex


class Changed(NamedTuple):
    """Properties of a live vertex changed; ``name`` is the one it had before."""

    vertex: Vertex
    properties: frozenset[str]
    name: str | None


class Linked(NamedTuple):
    """An edge is new."""

    source: Vertex
    label: str
    target: Vertex


class Unlinked(NamedTuple):
    """An edge is gone."""

    source: Vertex
    label: str
    target: Vertex


Change = Added | Removed | Changed | Linked | Unlinked
Aggregate = tuple[str | None, str | None, str | None]


@dataclass(slots=True)
class Step:
    """What one record does. ``time`` is when it happened, ``now`` the domain's clock;
    ``journal`` collects the changes that are told as they happen, the ``*_before`` dicts what is compared at
    the end, so that only the record's net effect is told. ``salt`` keeps the ids of a
    further step over the same record apart."""

    input: Input
    partition: int
    offset: int
    time: int
    now: int
    values: Values
    undo: Undo = field(default_factory=Undo)
    salt: str = ""
    changes: list[Change] = field(default_factory=list)
    journal: list[dict[str, Any]] = field(default_factory=list)
    dirty: set[str] = field(default_factory=set)
    entities_before: dict[Vertex, str] = field(default_factory=dict)
    states_before: dict[Vertex, Aggregate] = field(default_factory=dict)
    outcome: str = "applied"
    deadlines: Deadlines | None = None

    def touch(self, vertex: Vertex) -> None:
        """Notes whether an entity was there before this step."""
        if vertex not in self.entities_before:
            self.entities_before[vertex] = presence(vertex)

    def touch_state(self, vertex: Vertex) -> None:
        """Notes an entity's aggregated state before this step."""
        if vertex not in self.states_before:
            self.states_before[vertex] = aggregate(vertex, self.values)

    def place(self, graph: Graph, type_: str, id_: str) -> Vertex:
        """The entity, or a placeholder for it."""
        vertex = graph.entity(type_, id_)
        if vertex is None:
            vertex = ensure(self.undo, graph, type_, id_)
            self.entities_before[vertex] = "absent"
        return vertex

    def derive(self, vertex: Vertex) -> Derived:
        """The part of a vertex that rules write."""
        if vertex.derived is None:
            self.undo.set(vertex, "derived", Derived())
        assert vertex.derived is not None
        return vertex.derived

    def link(self, source: Vertex, label: str, target: Vertex, edge: Edge) -> None:
        """Adds an edge."""
        link(self.undo, source, label, target, edge)
        self.changes.append(Linked(source, label, target))

    def unlink(self, source: Vertex, label: str, target: Vertex) -> None:
        """Removes an edge, and placeholders at its ends that nothing else needs."""
        unlink(self.undo, source, label, target)
        self.changes.append(Unlinked(source, label, target))
        self.sweep(source)
        self.sweep(target)

    def sweep(self, vertex: Vertex) -> None:
        """Removes a placeholder to which nothing is linked."""
        if vertex.live or vertex.alarm is not None or vertex.out or vertex.into:
            return
        graph = vertex.graph
        ids = graph.entities.get(vertex.type)
        if ids is None or ids.get(vertex.id) is not vertex:
            return
        self.touch(vertex)
        self.undo.drop(graph.placeholders, vertex)
        self.undo.drop(ids, vertex.id)
        if not ids:
            self.undo.drop(graph.entities, vertex.type)

    def drop_alarm(self, alarm: Vertex) -> None:
        """Takes an alarm out of the graph with its edges."""
        assert alarm.alarm is not None
        graph = alarm.graph
        self.undo.set(alarm, "live", False)
        self.changes.append(Removed(alarm))
        keys = graph.alarms[alarm.type]
        self.undo.drop(keys, alarm.alarm.key)
        if not keys:
            self.undo.drop(graph.alarms, alarm.type)
        self.unlink(alarm, ON, alarm.alarm.resource)

    def tomb(self, graph: Graph, key: str) -> Tomb:
        """The memory of a removed element, made when there is none."""
        tomb = graph.tombs.get(key)
        if tomb is None:
            tomb = Tomb(self.now)
            self.undo.put(graph.tombs, key, tomb)
        return tomb

    def deleted_since(self, vertex_type: str, vertex_id: str, graph: Graph, time: int) -> bool:
        """Whether the entity was deleted at ``time`` or later (whoever came first)."""
        if not graph.tombs:
            return False
        tomb = graph.tombs.get(graph.entity_key(vertex_type, vertex_id))
        return tomb is not None and time <= tomb.deleted

    def ignored(self, kind: str, key: str, reason: str, **more: Any) -> None:
        """Notes that the record changes nothing."""
        self.outcome = "repeated" if kind == "REPEATED" else "older"
        self.journal.append({"kind": kind, "key": key, "reason": reason, **more})


def presence(vertex: Vertex) -> str:
    """``live``, ``placeholder`` or ``absent``."""
    if vertex.live:
        return "live"
    ids = vertex.graph.entities.get(vertex.type)
    return "placeholder" if ids is not None and ids.get(vertex.id) is vertex else "absent"


def aggregate(vertex: Vertex, values: Values) -> Aggregate:
    """Own state, aggregated state and its operational value; all None when not live."""
    if not vertex.live:
        return None, None, None
    derived = vertex.derived.state if vertex.derived is not None else None
    return (vertex.state, *values.aggregate(vertex.type, vertex.state, derived))


__all__ = [
    "Added",
    "Change",
    "Changed",
    "Linked",
    "Removed",
    "Step",
    "Unlinked",
    "aggregate",
    "linked",
    "presence",
]
