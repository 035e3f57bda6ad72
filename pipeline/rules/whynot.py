"""Why a rule does not hold for something: the first element of its pattern that finds no partner.

A pattern is walked from the place where the entity can stand, along its relationships
in the order of the condition, with all partial matches at once. The first element that
none of them can be extended by is the answer, with what came near.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..graph.values import Values
from ..graph.vertex import ON, Vertex, linked
from .clause import REGEX, Clause, counted, tests, wanted
from .pattern import Absence, PatternEdge, Tally, Wants
from .properties import Test, canonical, getter, text
from .search import Search
from .spelling import some, spelt, spelt_tally, waits
from .waiting import Open

#: How many keys and near misses an element shows, and how many partial matches are carried on.
SHOWN = 5
PARTIAL = 2_000

Bind = dict[int, Vertex]
Mapped = Callable[[], Values]


@dataclass(frozen=True, slots=True)
class Ended:
    """An alarm that was there: ``resource`` is its entity's key, ``at`` when it cleared."""

    key: str
    source: str
    name: str
    severity: str
    at: str


@dataclass(frozen=True, slots=True)
class Miss:
    """Something that came near, and why it is no partner."""

    key: str
    why: str


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a pattern. ``found`` are partners (a few of ``count``), ``misses`` what came near
    when there are none; ``wants`` are the properties of what it looks for."""

    what: str
    wants: dict[str, str]
    holds: bool
    found: tuple[str, ...] = ()
    count: int = 0
    misses: tuple[Miss, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Walk:
    """One alternative of one scenario, walked from ``start``, the template id at which the entity stands
    ("" when it can stand nowhere). ``matches`` are whole ones; then nothing is missing but the time that
    ``waits`` speaks of, if the scenario has one."""

    scenario: int
    condition: str
    alternative: int
    start: str
    elements: tuple[Element, ...]
    matches: tuple[dict[str, str], ...] = ()
    count: int = 0
    waits: str = ""

    @property
    def missing(self) -> Element | None:
        """The first element that found no partner."""
        return next((element for element in self.elements if not element.holds), None)


def why_not(
    clauses: Iterable[Clause], vertex: Vertex, values: Mapped, ended: Mapping[str, Sequence[Ended]] = {}
) -> list[Walk]:
    """One ``Walk`` for each alternative of each scenario: the one that comes farthest of all places where
    ``vertex`` can stand.

    ``ended`` are alarms that have cleared, by the key of the entity they were on.
    """
    told: Counter[int] = Counter()
    walks = []
    for clause in clauses:
        if _telling(clause):
            number = clause.scenario.index
            walks.append(replace(_farthest(clause, vertex, values, ended), alternative=told[number]))
            told[number] += 1
    return walks


def _telling(clause: Clause) -> bool:
    """Whether a clause spells what the author wrote: one that speaks of time is made of several, of which
    one counts or waits, with the whole pattern, and others lack a part."""
    return not clause.feeds and not any(isinstance(guard, Open) for guard in clause.guards)


def _farthest(clause: Clause, vertex: Vertex, values: Mapped, ended: Mapping[str, Sequence[Ended]]) -> Walk:
    wants = clause.pattern.wants
    places = [place for place, each in enumerate(wants) if _possible(each, vertex)]
    scenario = clause.scenario
    head = Walk(scenario.index, scenario.text, clause.index, "", (), waits=waits(scenario.timing))
    if not places:
        types = ", ".join(sorted({wanted(each, "type") or "anything" for each in wants}))
        reason = f"no element of it is a {vertex.type}: it speaks of {types}"
        return replace(head, elements=(Element(vertex.key, {}, False, reason=reason),))
    walks = [_Walker(clause, values, ended).walk(head, place, vertex) for place in places]
    return max(walks, key=lambda walk: (walk.count > 0, sum(each.holds for each in walk.elements)))


class _Walker:
    """The partial matches of one walk."""

    def __init__(self, clause: Clause, values: Mapped, ended: Mapping[str, Sequence[Ended]]) -> None:
        self.clause = clause
        self.pattern = clause.pattern
        self.values = values
        self.ended = ended
        self.partial: list[Bind] = []
        self.elements: list[Element] = []
        self.cut = False

    def walk(self, head: Walk, place: int, vertex: Vertex) -> Walk:
        ids = self.pattern.ids
        head = replace(head, start=ids[place])
        misses = self._differences(self.pattern.wants[place], vertex)
        self.partial = [{place: vertex}]
        if misses:
            miss = Miss(vertex.key, "; ".join(misses))
            self._note(ids[place], self.pattern.wants[place], (), (miss,))
            return replace(head, elements=tuple(self.elements))
        self._note(ids[place], self.pattern.wants[place], (vertex,))
        if not (self._edges() and self._absences() and self._rest()):
            whole = Search().at(self.clause, {place: vertex}) if self.cut else []
            if not whole:
                return replace(head, elements=tuple(self.elements))
            # What was cut off had matches: nothing is missing.
            self.elements = [each for each in self.elements if each.holds]
            self.partial = [dict(enumerate(match)) for match in whole]
        matches = tuple(
            {ids[number]: bind[number].key for number in range(len(ids))} for bind in self.partial[:SHOWN]
        )
        return replace(head, elements=tuple(self.elements), matches=matches, count=len(self.partial))

    def _edges(self) -> bool:
        left = list(self.pattern.edges)
        while left:
            bound = self.partial[0]
            edge = next(edge for edge in left if edge.source in bound or edge.target in bound)
            left.remove(edge)
            if not (
                self._join(edge) if edge.source in bound and edge.target in bound else self._extend(edge)
            ):
                return False
        return True

    def _join(self, edge: PatternEdge) -> bool:
        kept = [bind for bind in self.partial if linked(bind[edge.source], edge.label, bind[edge.target])]
        misses = [
            Miss(bind[edge.source].key, f"not joined to {bind[edge.target].key} by [{edge.label}]")
            for bind in self.partial[:SHOWN]
        ]
        self._note(self._spelt(edge), (), [bind[edge.target] for bind in kept], () if kept else misses)
        self.partial = kept
        return bool(kept)

    def _extend(self, edge: PatternEdge) -> bool:
        outgoing = edge.source in self.partial[0]
        near, place = (edge.source, edge.target) if outgoing else (edge.target, edge.source)
        wants, checks = self.pattern.wants[place], self.clause.tests[place]
        grown: list[Bind] = []
        for bind in self.partial:
            taken = bind.values()
            grown += [
                {**bind, place: end}
                for end in _ends(bind[near], edge.label, outgoing)
                if end.live and end not in taken and all(test(end) for test in checks)
            ]
            if len(grown) > PARTIAL:
                self.cut = True
                break
        misses: tuple[Miss, ...] = ()
        if not grown:
            misses = self._near(edge, near, outgoing, wants, checks)
        around = {bind[near].key for bind in self.partial}
        reason = "" if grown or misses else f"nothing has [{edge.label}] with {some(around)}"
        self._note(self._spelt(edge), wants, [bind[place] for bind in grown], misses, reason)
        self.partial = grown[:PARTIAL]
        return bool(grown)

    def _near(
        self, edge: PatternEdge, near: int, outgoing: bool, wants: Wants, checks: tuple[Test, ...]
    ) -> tuple[Miss, ...]:
        """What came near to extend any of the partial matches, the nearest first."""
        found: dict[Miss, int] = {}
        places = self.pattern.ids
        for bind in self.partial[:PARTIAL]:
            vertex = bind[near]
            taken = {other: places[number] for number, other in bind.items()}
            for end in _ends(vertex, edge.label, outgoing):
                if end in taken:
                    found[Miss(end.key, f"it stands as {taken[end]} already")] = 90
                    continue
                why = self._differences(wants, end)
                found[Miss(end.key, "; ".join(why))] = len(why) if _kin(wants, end) else 10 + len(why)
            for end in _ends(vertex, edge.label, not outgoing):
                if end.live and all(test(end) for test in checks):
                    found[Miss(end.key, f"[{edge.label}] goes the other way round")] = 1
            for label, end in _others(vertex, edge.label):
                if end.live and all(test(end) for test in checks):
                    found[Miss(end.key, f"joined by [{label}], not by [{edge.label}]")] = 1
            if edge.label == ON and not outgoing:
                for one in self.ended.get(vertex.key, ()):
                    if _named(wants, one):
                        found[Miss(one.key, f"it cleared at {one.at}")] = 0
        if edge.label == ON and not outgoing:
            for alarm in self._alarms():
                if all(test(alarm) for test in checks):
                    assert alarm.alarm is not None
                    found[Miss(alarm.key, f"it is on {alarm.alarm.resource.key}")] = 2
        ordered = sorted(found, key=lambda miss: (found[miss], miss.key, miss.why))
        return tuple(ordered[:SHOWN])

    def _absences(self) -> bool:
        for absence in (each for each in self.pattern.absences if not each.unseen):
            if not (
                self._absence(absence) if absence.tally is None else self._counted(absence, absence.tally)
            ):
                return False
        return True

    def _absence(self, absence: Absence) -> bool:
        """Goes on with the partial matches that lack what must not be there."""
        checks = tests(absence.wants, self.values)
        kept: list[Bind] = []
        against: dict[Miss, None] = {}
        for bind in self.partial:
            blockers = _blockers(absence, bind, checks)
            if not blockers:
                kept.append(bind)
            place = bind[absence.bound].key
            for blocker in blockers[:SHOWN]:
                against[Miss(blocker.key, f"it is there, with [{absence.label}] at {place}")] = None
        misses = () if kept else tuple(against)[:SHOWN]
        self._note(f"NOT {self._gap(absence)}", absence.wants, (), misses, holds=bool(kept))
        self.partial = kept
        return bool(kept)

    def _counted(self, absence: Absence, tally: Tally) -> bool:
        """Goes on with the partial matches that have as many as there must be."""
        checks = tests(absence.wants, self.values)
        are = None if tally.are is None else tests(tally.are, self.values)
        kept: list[Bind] = []
        against: dict[Miss, None] = {}
        numbers = set()
        for bind in self.partial:
            ends = _ends(bind[absence.bound], absence.label, absence.outgoing)
            if counted(ends, checks, tally.least, tally.most, are):
                kept.append(bind)
                continue
            fit = [end for end in ends if end.live and all(test(end) for test in checks)]
            numbers.add(len(fit))
            few = len(fit) < tally.least
            for end in [end for end in ends if end not in fit] if few else fit:
                why = self._differences(absence.wants if few else tally.are or (), end)
                if why or not (few or tally.are):
                    against[Miss(end.key, "; ".join(why) or "it is counted")] = None
        said = "" if kept else f"counted: {' or '.join(map(str, sorted(numbers)))}"
        what = f"having {self._gap(absence)}: {spelt_tally(tally)}"
        misses = () if kept else tuple(against)[:SHOWN]
        self._note(what, absence.wants, (), misses, said, holds=bool(kept))
        self.partial = kept
        return bool(kept)

    def _rest(self) -> bool:
        """Whatever else the clause asks of whole matches now; what it asks of the past, ``waits`` tells."""
        if self.clause.guards:
            return True
        numbers = range(len(self.pattern.ids))
        kept = [bind for bind in self.partial if self.clause.holds(tuple(bind[number] for number in numbers))]
        if not kept:
            self._note(
                "the condition as a whole", (), (), (), "a further condition does not hold", holds=False
            )
        self.partial = kept
        return bool(kept)

    def _note(
        self, what: str, wants: Wants, found: Sequence[Vertex], misses: Sequence[Miss] = (), reason: str = "",
        *, holds: bool | None = None,
    ) -> None:  # fmt: skip
        keys = tuple(dict.fromkeys(vertex.key for vertex in found))
        good = bool(keys) and not misses if holds is None else holds
        self.elements.append(Element(what, dict(wants), good, keys[:SHOWN], len(keys), tuple(misses), reason))

    def _differences(self, wants: Wants, vertex: Vertex) -> list[str]:
        """What keeps a vertex from standing at a place; nothing when it can."""
        if not vertex.live:
            return ["a placeholder: nothing has described it yet"]
        found = []
        for name, value in wants:
            [test] = tests(((name, value),), self.values)
            if test(vertex):
                continue
            short = canonical(name.removesuffix(REGEX))
            has = text(getter(short, self.values)(vertex))
            shown = "missing" if has is None else repr(has)
            meant = f"to begin with {value!r} (regex)" if name.endswith(REGEX) else repr(value)
            found.append(f"{short} is {shown}, wanted {meant}")
        return found

    def _alarms(self) -> Iterable[Vertex]:
        for keys in self.partial[0][next(iter(self.partial[0]))].graph.alarms.values():
            yield from keys.values()

    def _spelt(self, edge: PatternEdge) -> str:
        return f"{self.pattern.ids[edge.source]} [{edge.label}] {self.pattern.ids[edge.target]}"

    def _gap(self, absence: Absence) -> str:
        ids = self.pattern.ids
        other = ids[absence.other] if absence.other >= 0 else self._called(absence.wants)
        ends = (ids[absence.bound], other) if absence.outgoing else (other, ids[absence.bound])
        return f"{ends[0]} [{absence.label}] {ends[1]}"

    def _called(self, wants: Wants) -> str:
        """The template id of what must not be there; what it wants where that stands for it."""
        template = self.clause.rule.template
        for name, properties in {} if template is None else template.entities.items():
            if tuple(sorted(properties.items())) == wants:
                return name
        return spelt(wants)


def _possible(wants: Wants, vertex: Vertex) -> bool:
    """Whether the type that a place wants is the vertex's; a place without one goes by category."""
    kind = wanted(wants, "type")
    if kind is not None:
        return kind == vertex.type
    return not vertex.live or wanted(wants, "category") in (None, vertex.category)


def _ends(vertex: Vertex, label: str, outgoing: bool) -> Iterable[Vertex]:
    adjacency = vertex.out if outgoing else vertex.into
    ends = None if adjacency is None else adjacency.get(label)
    return () if ends is None else tuple(ends)


def _others(vertex: Vertex, label: str) -> Iterable[tuple[str, Vertex]]:
    for adjacency in (vertex.out, vertex.into):
        for other, ends in () if adjacency is None else adjacency.items():
            if other != label:
                for end in ends:
                    yield other, end


def _blockers(absence: Absence, bind: Bind, checks: tuple[Test, ...]) -> list[Vertex]:
    ends = _ends(bind[absence.bound], absence.label, absence.outgoing)
    if absence.other >= 0:
        return [end for end in ends if end is bind[absence.other]]
    taken = set(bind.values())
    return [end for end in ends if end.live and end not in taken and all(test(end) for test in checks)]


def _kin(wants: Wants, vertex: Vertex) -> bool:
    """Whether it is at least of the type that is wanted, or has the name."""
    return wanted(wants, "type") in (None, vertex.type) or wanted(wants, "name") == vertex.name


def _named(wants: Wants, one: Ended) -> bool:
    return wanted(wants, "type") in (None, one.source) and wanted(wants, "name") in (None, one.name)
