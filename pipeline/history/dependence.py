"""What depends on what, along relationships: as NetworkX graphs from supplier to dependent.

A relationship leads from what is needed to what needs it (a host contains an instance, a
volume is attached to one). What is comprised of parts suffers with them, too; but a part
does not suffer because a sister does, so no way leads through a whole to its other parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .reading import Reading
from .surroundings import ends, relationships

if TYPE_CHECKING:
    import networkx as nx

WHOLE = "comprised"
PART = "part of"
DEEPEST = 100
HIGHEST = 10


def downstream(history: Reading, domain: str, starts: list[str]) -> nx.DiGraph[str]:
    """Everything that depends on the entities ``starts``, directly or not; edges have a ``label``."""
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(starts)
    _spread(history, domain, graph, _ONWARD, DEEPEST)
    _spread(history, domain, graph, _WHOLES, DEEPEST)
    return graph


def upstream(history: Reading, domain: str, start: str) -> nx.DiGraph[str]:
    """Everything that the entity ``start`` depends on, directly or not."""
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_node(start)
    _spread(history, domain, graph, _PARTS, HIGHEST)
    _spread(history, domain, graph, _BACKWARD, HIGHEST)
    return graph


@dataclass(frozen=True, slots=True)
class _Step:
    """How to go on from an entity: along relationships in which it is the ``side``, of those of one
    ``label`` only as the ``part``s of a whole."""

    side: Literal["source", "target"]
    part: bool = False


_ONWARD, _BACKWARD = _Step("source"), _Step("target")
_WHOLES, _PARTS = _Step("target", part=True), _Step("source", part=True)


def _spread(history: Reading, domain: str, graph: nx.DiGraph[str], step: _Step, most: int) -> None:
    """Adds the edges that the relationships of what is there make, until nothing is new."""
    seen = set(graph.nodes)
    frontier = list(graph.nodes)
    for _ in range(most):
        if not frontier:
            return
        asked = set(frontier)
        reached: dict[str, None] = {}
        for edge in relationships(history, domain, frontier, step.side):
            source, target = ends(edge)
            if (source if step.side == "source" else target) not in asked:
                continue
            if not step.part:
                supplier, label, dependent = source, edge["type"], target
            elif edge["type"] == WHOLE:
                supplier, label, dependent = target, PART, source
            else:
                continue
            if not graph.has_edge(supplier, dependent):
                graph.add_edge(supplier, dependent, label=label)
            reached[target if step.side == "source" else source] = None
        frontier = [key for key in reached if key not in seen]
        seen.update(frontier)
