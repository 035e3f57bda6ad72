"""Finding a clause's matches from one element on, by the cheaper end at each hop.

The order in which a pattern's edges are walked is chosen as the search goes: always
the edge whose known end has the fewest neighbours. So a hub with fifty thousand ports
is entered through the port that has an alarm, not through the hub; where the hub itself
changed, the search goes on from the rarest kind of vertex in the pattern.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..graph.vertex import Vertex, linked
from .clause import Clause

MAX_VISITS = 200_000
# Above this many neighbours it is worth asking whether another vertex of the pattern is rarer.
HUB = 64


class Search:
    """Counts what it visits: ``visited`` in all, ``cut`` the searches that were cut short."""

    __slots__ = ("cut", "limit", "visited")

    def __init__(self, limit: int = MAX_VISITS) -> None:
        self.limit = limit
        self.visited = 0
        self.cut: dict[str, int] = {}

    def at(self, clause: Clause, bound: dict[int, Vertex]) -> list[tuple[Vertex, ...]]:
        """Every match of ``clause`` in which the vertices of ``bound`` stand at those places."""
        bind: list[Vertex | None] = [None] * len(clause.tests)
        for number, vertex in bound.items():
            if vertex in bind or not clause.fits(number, vertex):
                return []
            bind[number] = vertex
        found: list[tuple[Vertex, ...]] = []
        if not self._extend(clause, bind, clause.edges, found, self.visited + self.limit):
            name = clause.rule.name
            self.cut[name] = self.cut.get(name, 0) + 1
        return found

    def _extend(
        self,
        clause: Clause,
        bind: list[Vertex | None],
        edges: tuple[tuple[int, str, int], ...],
        found: list[tuple[Vertex, ...]],
        limit: int,
    ) -> bool:
        self.visited += 1
        if self.visited > limit:
            return False
        best: tuple[int, str, int] | None = None
        best_size = 0
        left: list[tuple[int, str, int]] = []
        for edge in edges:
            near, far = bind[edge[0]], bind[edge[2]]
            if near is not None and far is not None:
                if linked(near, edge[1], far) is None:
                    return True
                continue
            left.append(edge)
            if near is not None:
                ends = None if near.out is None else near.out.get(edge[1])
            elif far is not None:
                ends = None if far.into is None else far.into.get(edge[1])
            else:
                continue
            if not ends:
                return True
            if best is None or len(ends) < best_size:
                best, best_size = edge, len(ends)
        if best is None:
            match = tuple(vertex for vertex in bind if vertex is not None)
            if clause.absent(match):
                found.append(match)
            return True
        near, far = bind[best[0]], bind[best[2]]
        place = best[0] if near is None else best[2]
        candidates: Iterable[Vertex] | None = None
        if best_size > HUB:
            place, candidates, best_size = self._rarest(clause, bind, place, best_size)
        if candidates is None:
            candidates = (near.out if near is not None else far.into)[best[1]]  # type: ignore[index, union-attr]
            left.remove(best)
        rest = tuple(left)
        tests = clause.tests[place]
        self.visited += best_size
        for vertex in candidates:
            if not vertex.live or vertex in bind:
                continue
            for test in tests:
                if not test(vertex):
                    break
            else:
                bind[place] = vertex
                if not self._extend(clause, bind, rest, found, limit):
                    return False
                bind[place] = None
        return True

    def _rarest(
        self, clause: Clause, bind: list[Vertex | None], place: int, size: int
    ) -> tuple[int, Iterable[Vertex] | None, int]:
        """A place whose whole type has fewer members than a hub has neighbours, if there is one."""
        graph = next(vertex for vertex in bind if vertex is not None).graph
        found: tuple[int, Iterable[Vertex] | None, int] = (place, None, size)
        for number, type_ in enumerate(clause.types):
            if bind[number] is None and type_ is not None and 2 * graph.size(type_) < found[2]:
                found = number, graph.candidates(type_), graph.size(type_)
        return found
