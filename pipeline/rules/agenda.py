"""What is still to be looked at in a step, by level: matches that may have ended, places to search."""

from __future__ import annotations

from ..graph.step import Added, Change, Changed, Linked, Removed, Unlinked
from ..graph.vertex import Vertex
from .clause import Clause, Match
from .facts import Fact
from .index import Gap, Index, Place

Find = tuple[Clause, tuple[tuple[int, Vertex], ...]]


class Agenda:
    """Filled from changes by way of the index, emptied by the engine, lowest level first.

    ``shaken`` are facts taken out of the graph until the level that may support them in
    a circle has been gone through.
    """

    __slots__ = ("doubts", "finds", "shaken")

    def __init__(self) -> None:
        self.shaken: dict[int, dict[Fact, None]] = {}
        self.doubts: dict[int, dict[Match, None]] = {}
        self.finds: dict[int, dict[Find, None]] = {}

    def __bool__(self) -> bool:
        return bool(self.doubts or self.finds or self.shaken)

    def lowest(self) -> int:
        """The lowest level with anything to do."""
        return min([*self.doubts, *self.finds, *self.shaken])

    def doubt(self, match: Match) -> None:
        """Asks whether a match still holds."""
        self.doubts.setdefault(match.clause.level, {})[match] = None

    def find(self, clause: Clause, *bound: tuple[int, Vertex]) -> None:
        """Asks for matches with these vertices in these places."""
        self.finds.setdefault(clause.level, {})[(clause, bound)] = None

    def note(self, changes: list[Change], index: Index) -> None:
        """Enters what the changes may have ended or made possible."""
        added = {change.vertex for change in changes if type(change) is Added}
        for change in changes:
            kind = type(change)
            if kind is Linked:
                # A new vertex is searched from with all its edges.
                if change.source in added or change.target in added:  # type: ignore[union-attr]
                    continue
                self._edge(change.source, change.label, change.target, index, True)  # type: ignore[union-attr]
            elif kind is Added:
                self._added(change.vertex, index)  # type: ignore[union-attr]
            elif kind is Changed:
                self._changed(change, index)  # type: ignore[arg-type]
            elif kind is Removed:
                self._removed(change.vertex, index)  # type: ignore[union-attr]
            elif kind is Unlinked:
                self._unlinked(change, index)  # type: ignore[arg-type]

    def _added(self, vertex: Vertex, index: Index) -> None:
        for waiting in index.vertex(vertex.type).waiting(vertex.name):
            if type(waiting) is Place:
                self.find(waiting.clause, (waiting.number, vertex))
            else:
                self._gap(waiting, vertex)  # type: ignore[arg-type]

    def _removed(self, vertex: Vertex, index: Index) -> None:
        for match in vertex.matches or ():
            self.doubt(match)
        for waiting in index.vertex(vertex.type).waiting(vertex.name):
            if type(waiting) is Gap:
                self._gap(waiting, vertex)

    def _changed(self, change: Changed, index: Index) -> None:
        vertex, properties, name = change
        bucket = index.vertex(vertex.type)
        if bucket.reads.isdisjoint(properties):
            return
        for match in vertex.matches or ():
            number = match.bind.index(vertex)
            if not match.clause.reads[number].isdisjoint(properties):
                self.doubt(match)
        waiting = dict.fromkeys(bucket.waiting(vertex.name))
        if name != vertex.name:
            waiting.update(dict.fromkeys(bucket.waiting(name)))
        for entry in waiting:
            if type(entry) is Place:
                if not entry.clause.reads[entry.number].isdisjoint(properties):
                    self.find(entry.clause, (entry.number, vertex))
            elif type(entry) is Gap and not entry.reads.isdisjoint(properties):
                self._gap(entry, vertex)

    def _unlinked(self, change: Unlinked, index: Index) -> None:
        source, label, target = change
        fewer, other = source.matches, target
        if target.matches is None or (fewer is not None and len(target.matches) < len(fewer)):
            fewer, other = target.matches, source
        for match in fewer or ():
            if other in match.bind:
                self.doubt(match)
        self._edge(source, label, target, index, False)

    def _edge(self, source: Vertex, label: str, target: Vertex, index: Index, new: bool) -> None:
        sides = index.edge(label, source.type)
        if sides is None:
            return
        for side in sides.waiting(source.name):
            if side.target_type is not None and side.target_type != target.type:
                continue
            clause = side.clause
            if side.absence:
                bound, _, outgoing, _, _ = clause.absences[side.number]
                self._near(clause, bound, source if outgoing else target)
            elif new:
                first, _, second = clause.edges[side.number]
                self.find(clause, (first, source), (second, target))

    def _gap(self, gap: Gap, vertex: Vertex) -> None:
        """The free end of an absence came, went or changed: look at all that it is joined to."""
        bound, label, outgoing, _, _ = gap.clause.absences[gap.number]
        adjacency = vertex.into if outgoing else vertex.out
        for near in (adjacency or {}).get(label, ()):
            self._near(gap.clause, bound, near)

    def _near(self, clause: Clause, number: int, vertex: Vertex) -> None:
        for match in vertex.matches or ():
            if match.clause is clause and match.bind[number] is vertex:
                self.doubt(match)
        self.find(clause, (number, vertex))
