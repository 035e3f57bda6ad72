"""The two sides of an edge, put in and taken out, and taken back."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.graph.store import Graph, ensure, link, unlink
from pipeline.graph.undo import Undo
from pipeline.graph.vertex import Edge, Vertex

EDGES = [("a", "has", "b"), ("a", "has", "c"), ("a", "on", "c"), ("b", "on", "a"), ("a", "has", "d")]


def _sides(graph: Graph) -> dict[str, Any]:
    def of(adjacency: Any) -> dict[str, dict[str, int]]:
        return {
            label: {end.id: id(edge) for end, edge in ends.items()}
            for label, ends in (adjacency.items() if adjacency is not None else ())
        }

    return {vertex.id: (of(vertex.out), of(vertex.into)) for vertex in graph.entities["t"].values()}


def _graph(number: int) -> tuple[Graph, dict[str, Vertex]]:
    graph, undo = Graph("default"), Undo()
    found = {name: ensure(undo, graph, "t", name) for name in "abcd"}
    for source, label, target in EDGES[:number]:
        link(undo, found[source], label, found[target], Edge(base=True))
    return graph, found


@pytest.mark.parametrize("number", range(len(EDGES)))
def test_a_new_edge_is_taken_back(number: int) -> None:
    graph, found = _graph(number)
    before, undo = _sides(graph), Undo()
    source, label, target = EDGES[number]
    link(undo, found[source], label, found[target], Edge(base=True))
    assert _sides(graph)[source][0][label].keys() >= {target}
    assert _sides(graph)[target][1][label].keys() >= {source}
    undo.rollback()
    assert _sides(graph) == before


@pytest.mark.parametrize("number", range(1, len(EDGES) + 1))
def test_edges_that_are_gone_come_back(number: int) -> None:
    graph, found = _graph(number)
    before, undo = _sides(graph), Undo()
    for source, label, target in EDGES[:number]:
        unlink(undo, found[source], label, found[target])
    assert set(map(str, _sides(graph).values())) == {"({}, {})"}
    undo.rollback()
    assert _sides(graph) == before
