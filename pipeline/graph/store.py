"""The graph of one domain: vertices by type and id, typed adjacency, what was removed."""

from __future__ import annotations

from collections.abc import Iterator
from sys import intern

from ..events import EntityRef
from .said import Tomb
from .undo import Undo
from .vertex import Edge, Vertex


class Graph:
    """Holds a domain's facts. It is changed through ``Step`` (``step.py``) alone."""

    __slots__ = ("alarms", "domain", "entities", "placeholders", "tombs")

    def __init__(self, domain: str) -> None:
        self.domain = domain
        self.entities: dict[str, dict[str, Vertex]] = {}
        self.alarms: dict[str, dict[str, Vertex]] = {}
        self.placeholders: dict[Vertex, None] = {}
        self.tombs: dict[str, Tomb] = {}

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
    if source.out is None:
        undo.set(source, "out", {})
    if target.into is None:
        undo.set(target, "into", {})
    assert source.out is not None
    assert target.into is not None
    out = source.out.get(label)
    if out is None:
        undo.put(source.out, label, {target: edge})
    else:
        undo.put(out, target, edge)
    into = target.into.get(label)
    if into is None:
        undo.put(target.into, label, {source: edge})
    else:
        undo.put(into, source, edge)


def unlink(undo: Undo, source: Vertex, label: str, target: Vertex) -> None:
    """Removes the edge from both ends' adjacency; it must be there."""
    assert source.out is not None
    assert target.into is not None
    for adjacency, near, far in ((source.out, label, target), (target.into, label, source)):
        ends = adjacency[near]
        undo.drop(ends, far)
        if not ends:
            undo.drop(adjacency, near)
    if not source.out:
        undo.set(source, "out", None)
    if not target.into:
        undo.set(target, "into", None)
