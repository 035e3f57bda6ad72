"""Which clauses a change concerns: one look-up by type, whatever the number of rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from .clause import Clause, read, wanted


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

    __slots__ = ("_any", "_any_sides", "_sides", "_types")

    def __init__(self, clauses: Iterable[Clause] = ()) -> None:
        self._types: dict[str, Bucket] = {}
        self._any = Bucket()
        self._sides: dict[str, dict[str, Sides]] = {}
        self._any_sides: dict[str, Sides] = {}
        places: list[tuple[str | None, str | None, Place | Gap]] = []
        sides: list[tuple[str, str | None, str | None, Side]] = []
        for clause in clauses:
            _enter(clause, places, sides)
        for type_ in {type_ for type_, _, _ in places if type_ is not None}:
            self._types[type_] = _bucket([place for place in places if place[0] in (None, type_)])
        self._any = _bucket([place for place in places if place[0] is None])
        for label in {label for label, _, _, _ in sides}:
            these = [side[1:] for side in sides if side[0] == label]
            self._sides[label] = {
                type_: _sides([side for side in these if side[0] in (None, type_)])
                for type_ in {side[0] for side in these if side[0] is not None}
            }
            self._any_sides[label] = _sides([side for side in these if side[0] is None])

    def vertex(self, type_: str) -> Bucket:
        """What waits for vertices of this type."""
        return self._types.get(type_, self._any)

    def edge(self, label: str, source_type: str) -> Sides | None:
        """What waits for edges of this label from a source of this type."""
        types = self._sides.get(label)
        return None if types is None else types.get(source_type) or self._any_sides[label]


def _enter(
    clause: Clause,
    places: list[tuple[str | None, str | None, Place | Gap]],
    sides: list[tuple[str, str | None, str | None, Side]],
) -> None:
    pattern = clause.pattern
    for number, wants in enumerate(pattern.wants):
        places.append((wanted(wants, "type"), wanted(wants, "name"), Place(clause, number)))
    for number, edge in enumerate(pattern.edges):
        source, target = pattern.wants[edge.source], pattern.wants[edge.target]
        side = Side(clause, number, False, wanted(target, "type"))
        sides.append((edge.label, wanted(source, "type"), wanted(source, "name"), side))
    for number, absence in enumerate(pattern.absences):
        near = pattern.wants[absence.bound]
        far = absence.wants if absence.other < 0 else pattern.wants[absence.other]
        source, target = (near, far) if absence.outgoing else (far, near)
        side = Side(clause, number, True, wanted(target, "type"))
        sides.append((absence.label, wanted(source, "type"), wanted(source, "name"), side))
        if absence.other < 0:
            gap = Gap(clause, number, read(absence.wants))
            places.append((wanted(absence.wants, "type"), wanted(absence.wants, "name"), gap))


def _bucket(places: list[tuple[str | None, str | None, Place | Gap]]) -> Bucket:
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


def _sides(entries: list[tuple[str | None, str | None, Side]]) -> Sides:
    sides = Sides()
    for _, name, side in entries:
        if name is None:
            sides.plain.append(side)
        else:
            sides.named.setdefault(name, []).append(side)
    return sides
