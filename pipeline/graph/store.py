"""The graph of one domain: vertices by type and id, typed adjacency, what was removed."""

from __future__ import annotations

from collections.abc import Iterator
from sys import intern
from typing import TYPE_CHECKING, Any

from ..events import EntityRef
from .said import Tomb
from .single import Few, Single
from .undo import Undo
from .vertex import Adjacency, Edge, Vertex

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
    """Adds ``edge``, which is not there yet, to both ends' adjacency."""
    _join(source, label, target, edge)
    undo.call(_cut, source, label, target)


def unlink(undo: Undo, source: Vertex, label: str, target: Vertex) -> None:
    """Removes the edge from both ends' adjacency; it must be there."""
    undo.call(_join, source, label, target, _cut(source, label, target))


def _join(source: Vertex, label: str, target: Vertex, edge: Edge) -> None:
    source.out = _with(source.out, label, target, edge)
    target.into = _with(target.into, label, source, edge)


def _cut(source: Vertex, label: str, target: Vertex) -> Edge:
    assert source.out is not None
    assert target.into is not None
    edge = source.out[label][target]
    source.out = _without(source.out, label, target)
    target.into = _without(target.into, label, source)
    return edge


def _with(adjacency: Adjacency | None, label: str, other: Vertex, edge: Edge) -> Adjacency:
    if adjacency is None:
        return Single(label, Single(other, edge))
    ends = adjacency.get(label)
    if type(ends) is dict:
        ends[other] = edge
        return adjacency
    more: Few[Vertex, Edge] = Single(other, edge) if ends is None else {**dict(ends.items()), other: edge}
    if type(adjacency) is dict:
        adjacency[label] = more
        return adjacency
    return Single(label, more) if ends is not None else {**dict(adjacency.items()), label: more}


def _without(adjacency: Adjacency, label: str, other: Vertex) -> Adjacency | None:
    ends = adjacency[label]
    if type(ends) is dict and len(ends) > 1:
        del ends[other]
        return adjacency
    if type(adjacency) is dict and len(adjacency) > 1:
        del adjacency[label]
        return adjacency
    return None
