"""Which clauses a change concerns: one look-up by type, whatever the number of rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from .clause import Clause, reads_of, wanted


@dataclass(frozen=True, slots=True)
class Place:
    """A vertex of a clause's pattern."""

    clause: Clause
    number: int


@dataclass(frozen=True, slots=True)
class Gap:
    """The vertex that must not be there: the free end of a clause's absence."""

    clause: Clause
    number: int
    reads: frozenset[str]


@dataclass(frozen=True, slots=True)
class Side:
    """An edge of a clause's pattern; ``absence`` when it is one that must not be there."""

    clause: Clause
    number: int
    absence: bool
    target_type: str | None


# (type, name, what waits) and (label, source type, source name, what waits)
_PlaceEntry = tuple[str | None, str | None, Place | Gap]
_SideEntry = tuple[str, str | None, str | None, Side]


@dataclass(slots=True)
class Bucket:
    """What is waiting for vertices of one type: by name, or (``plain``) of any name."""

    plain: list[Place | Gap] = field(default_factory=list)
    named: dict[str, list[Place | Gap]] = field(default_factory=dict)
    reads: frozenset[str] = frozenset()

    def waiting(self, name: str | None) -> Iterator[Place | Gap]:
        yield from self.plain
        if name is not None and name in self.named:
            yield from self.named[name]


@dataclass(slots=True)
class Sides:
    """What is waiting for edges of one label from sources of one type."""

    plain: list[Side] = field(default_factory=list)
    named: dict[str, list[Side]] = field(default_factory=dict)

    def waiting(self, name: str | None) -> Iterator[Side]:
        yield from self.plain
        if name is not None and name in self.named:
            yield from self.named[name]


class Index:
    """All clauses of a rule set, by what they wait for."""

    __slots__ = ("_any", "_any_sides", "_sides", "_types", "sights")

    def __init__(self, clauses: Iterable[Clause] = ()) -> None:
        self._types: dict[str, Bucket] = {}
        self._any = Bucket()
        self._sides: dict[str, dict[str, Sides]] = {}
        self._any_sides: dict[str, Sides] = {}
        # What must be reported now and then, by type (None: of any).
        self.sights: dict[str | None, list[Clause]] = {}
        places: list[_PlaceEntry] = []
        sides: list[_SideEntry] = []
        for clause in clauses:
            if clause.entries is None:
                clause.entries = _entries(clause)
            places += clause.entries[0]
            sides += clause.entries[1]
            if clause.sight is not None:
                self.sights.setdefault(clause.sight.type, []).append(clause)
        by_type: dict[str | None, list[_PlaceEntry]] = {None: []}
        for place in places:
            by_type.setdefault(place[0], []).append(place)
        untyped = by_type.pop(None)
        self._any = _bucket(untyped)
        self._types = {str(type_): _bucket([*these, *untyped]) for type_, these in by_type.items()}
        by_label: dict[str, dict[str | None, list[_SideEntry]]] = {}
        for side in sides:
            by_label.setdefault(side[0], {None: []}).setdefault(side[1], []).append(side)
        for label, types in by_label.items():
            loose = types.pop(None)
            self._any_sides[label] = _sides(loose)
            self._sides[label] = {str(type_): _sides([*these, *loose]) for type_, these in types.items()}

    def vertex(self, type_: str) -> Bucket:
        """What waits for vertices of this type."""
        return self._types.get(type_, self._any)

    def edge(self, label: str, source_type: str) -> Sides | None:
        """What waits for edges of this label from a source of this type."""
        types = self._sides.get(label)
        return None if types is None else types.get(source_type) or self._any_sides[label]


def _entries(clause: Clause) -> tuple[list[_PlaceEntry], list[_SideEntry]]:
    pattern = clause.pattern
    places: list[_PlaceEntry] = []
    sides: list[_SideEntry] = []
    for number, wants in enumerate(pattern.wants):
        places.append((wanted(wants, "type"), wanted(wants, "name"), Place(clause, number)))
    for number, edge in enumerate(pattern.edges):
        source, target = pattern.wants[edge.source], pattern.wants[edge.target]
        side = Side(clause, number, False, wanted(target, "type"))
        sides.append((edge.label, wanted(source, "type"), wanted(source, "name"), side))
    for number, absence in enumerate(pattern.absences):
        if absence.unseen:
            continue
        near = pattern.wants[absence.bound]
        far = absence.wants if absence.other < 0 else pattern.wants[absence.other]
        source, target = (near, far) if absence.outgoing else (far, near)
        side = Side(clause, number, True, wanted(target, "type"))
        sides.append((absence.label, wanted(source, "type"), wanted(source, "name"), side))
        if absence.other < 0:
            gap = Gap(clause, number, reads_of(absence))
            places.append((wanted(absence.wants, "type"), wanted(absence.wants, "name"), gap))
    return places, sides


def _bucket(places: list[_PlaceEntry]) -> Bucket:
    bucket = Bucket()
    reads: set[str] = set()
    for _, name, place in places:
        reads |= place.clause.reads[place.number] if isinstance(place, Place) else place.reads
        if name is None:
            bucket.plain.append(place)
        else:
            bucket.named.setdefault(name, []).append(place)
    bucket.reads = frozenset(reads)
    return bucket


def _sides(entries: list[_SideEntry]) -> Sides:
    sides = Sides()
    for _, _, name, side in entries:
        if name is None:
            sides.plain.append(side)
        else:
            sides.named.setdefault(name, []).append(side)
    return sides
