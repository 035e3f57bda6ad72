"""The graph of one domain: vertices by type and id, typed adjacency, what was removed."""

from __future__ import annotations

from collections.abc import Iterator
from sys import intern
from typing import TYPE_CHECKING, Any

from ..events import EntityRef
from .said import Tomb
from .single import Single
from .undo import Undo
from .vertex import Edge, Vertex

if TYPE_CHECKING:
    from .watches import Watch

WORD, WORDS = 40, 8192


class Graph:
    """Holds a domain's facts. It is changed through ``Step`` (``step.py``) alone."""

    __slots__ = ("alarms", "domain", "entities", "placeholders", "tombs", "watches", "words")

    def __init__(self, domain: str) -> None:
        self.domain = domain
        self.entities: dict[str, dict[str, Vertex]] = {}
        self.alarms: dict[str, dict[str, Vertex]] = {}
        self.placeholders: dict[Vertex, None] = {}
        self.tombs: dict[str, Tomb] = {}
        self.watches: dict[str, Watch] = {}
        self.words: dict[str, str] = {}

    def shared(self, value: Any) -> Any:
        """The value of an attribute, one copy of each word that recurs (racks, flavors, projects)."""
        if type(value) is not str or len(value) > WORD:
            return value
        known = self.words.get(value)
        if known is None and len(self.words) < WORDS:
            known = self.words[value] = value
        return known or value

    def entity(self, type_: str, id_: str) -> Vertex | None:
        """The entity or placeholder, if it is there."""
        ids = self.entities.get(type_)
        return None if ids is None else ids.get(id_)

    def alarm(self, source: str, key: str) -> Vertex | None:
        """The active alarm of ``source`` (``vitrage`` for deduced ones), if it is there."""
        keys = self.alarms.get(source)
        return None if keys is None else keys.get(key)

    def candidates(self, type_: str | None) -> Iterator[Vertex]:
        """Every vertex of a type (None: of all), entities and alarms alike, live or not."""
        for kind in (self.entities, self.alarms):
            if type_ is None:
                for members in kind.values():
                    yield from members.values()
            else:
                yield from kind.get(type_, {}).values()

    def size(self, type_: str | None) -> int:
        """How many ``candidates`` there are."""
        if type_ is None:
            return sum(map(len, self.entities.values())) + sum(map(len, self.alarms.values()))
        return len(self.entities.get(type_, ())) + len(self.alarms.get(type_, ()))

    # The keys of the table that holds a partition's state. The separator does not occur in names.

    def entity_key(self, type_: str, id_: str) -> str:
        return f"e\x1f{self.domain}\x1f{type_}\x1f{id_}"

    def relationship_key(self, source: Vertex | EntityRef, label: str, target: Vertex | EntityRef) -> str:
        ends = f"{source.type}\x1f{source.id}\x1f{label}\x1f{target.type}\x1f{target.id}"
        return f"r\x1f{self.domain}\x1f{ends}"

    def alarm_key(self, source: str, key: str) -> str:
        return f"a\x1f{self.domain}\x1f{source}\x1f{key}"


def ensure(undo: Undo, graph: Graph, type_: str, id_: str) -> Vertex:
    """The entity, made as a placeholder when it is not there."""
    ids = graph.entities.get(type_)
    if ids is None:
        ids = {}
        undo.put(graph.entities, intern(type_), ids)
    vertex = ids.get(id_)
    if vertex is None:
        vertex = Vertex(graph, intern(type_), id_)
        undo.put(ids, id_, vertex)
        undo.put(graph.placeholders, vertex, None)
    return vertex


def link(undo: Undo, source: Vertex, label: str, target: Vertex, edge: Edge) -> None:
    """Adds ``edge`` to both ends' adjacency."""
    _enter(undo, source, "out", label, target, edge)
    _enter(undo, target, "into", label, source, edge)


def unlink(undo: Undo, source: Vertex, label: str, target: Vertex) -> None:
    """Removes the edge from both ends' adjacency; it must be there."""
    _leave(undo, source, "out", label, target)
    _leave(undo, target, "into", label, source)


def _enter(undo: Undo, vertex: Vertex, side: str, label: str, other: Vertex, edge: Edge) -> None:
    adjacency = getattr(vertex, side)
    if adjacency is None:
        undo.set(vertex, side, Single(label, Single(other, edge)))
        return
    ends = adjacency.get(label)
    if type(ends) is dict:
        undo.put(ends, other, edge)
        return
    fewer = Single(other, edge) if ends is None else {**dict(ends.items()), other: edge}
    if type(adjacency) is dict:
        undo.put(adjacency, label, fewer)
    elif ends is None:
        undo.set(vertex, side, {**dict(adjacency.items()), label: fewer})
    else:
        undo.set(adjacency, "value", fewer)


def _leave(undo: Undo, vertex: Vertex, side: str, label: str, other: Vertex) -> None:
    adjacency = getattr(vertex, side)
    ends = adjacency[label]
    if len(ends) > 1:
        undo.drop(ends, other)
    elif len(adjacency) > 1:
        undo.drop(adjacency, label)
    else:
        undo.set(vertex, side, None)
