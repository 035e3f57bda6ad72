"""A pattern made ready to be matched, and its standing matches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from ..graph.values import Values
from ..graph.vertex import Vertex, linked
from .pattern import Absence, Pattern, Wants
from .properties import Test, canonical, equals, matches
from .template import GetAttr, Scenario

if TYPE_CHECKING:
    from .facts import Support
    from .rule import Rule
    from .waiting import Group, Guard, Hold

REGEX = ".regex"


class Match:
    """Vertices that together fit a clause, and what they support."""

    __slots__ = ("_named", "bind", "clause", "supports")

    def __init__(self, clause: Clause, bind: tuple[Vertex, ...]) -> None:
        self.clause = clause
        self.bind = bind
        self.supports: list[Support] = []
        self._named: dict[str, str] | None = None

    def enter(self) -> None:
        """Makes it stand, and known to each of its vertices."""
        self.clause.matches[self.bind] = self
        for vertex in self.bind:
            if vertex.matches is None:
                vertex.matches = {self: None}
            else:
                vertex.matches[self] = None

    def leave(self) -> None:
        """Takes it away again."""
        del self.clause.matches[self.bind]
        for vertex in self.bind:
            standing = vertex.matches
            assert standing is not None
            del standing[self]
            if not standing:
                vertex.matches = None

    def named(self) -> dict[str, str]:
        """The match as outputs show it: template id to key."""
        if self._named is None:
            pairs = zip(self.clause.pattern.ids, self.bind, strict=True)
            self._named = {name: vertex.key for name, vertex in pairs}
        return self._named

    @property
    def order(self) -> tuple[Any, ...]:
        """What chooses among matches: nothing that depends on when they came."""
        clause = self.clause
        return clause.rule.name, clause.scenario.index, clause.index, *(vertex.key for vertex in self.bind)


class Sight(NamedTuple):
    """What must be reported now and then, or the waits for its silence end: what is joined by ``label``
    and fits ``tests``."""

    label: str
    outgoing: bool
    type: str | None
    tests: tuple[Test, ...]


class Clause:
    """One pattern of one scenario of one rule. ``level`` says when in a step it is evaluated."""

    __slots__ = (
        "absences",
        "action_reads",
        "actions",
        "counted",
        "dead",
        "edges",
        "entries",
        "feeds",
        "group",
        "guards",
        "held",
        "hold",
        "index",
        "level",
        "matches",
        "pattern",
        "products",
        "reader",
        "reads",
        "rest",
        "rule",
        "scenario",
        "sight",
        "tallies",
        "tests",
        "timed",
        "types",
    )

    def __init__(
        self, rule: Rule, scenario: Scenario, index: int, pattern: Pattern, values: Callable[[], Values]
    ) -> None:
        self.rule = rule
        self.scenario = scenario
        self.index = index
        self.pattern = pattern
        self.level = 0
        self.dead = False
        # What the index and the order of evaluation make of it, once.
        self.entries: Any = None
        self.products: Any = None
        self.reader: bool | None = None
        # What a scenario that speaks of time adds (``parts.py``): how long matches must hold, which
        # windows and other clauses they wait for, and what they count for.
        self.timed = False
        self.hold = 0
        self.held: dict[tuple[Vertex, ...], Hold] = {}
        self.guards: tuple[Guard, ...] = ()
        self.feeds: tuple[tuple[Clause, int], ...] = ()
        self.group: Group | None = None
        self.sight: Sight | None = None
        self.counted = -1
        self.rest: tuple[int, ...] = ()
        self.matches: dict[tuple[Vertex, ...], Match] = {}
        self.tests = tuple(tests(wants, values) for wants in pattern.wants)
        self.types = tuple(wanted(wants, "type") for wants in pattern.wants)
        self.edges = tuple((edge.source, edge.label, edge.target) for edge in pattern.edges)
        absences = [absence for absence in pattern.absences if not absence.unseen]
        self.absences = tuple(
            (absence.bound, absence.label, absence.outgoing, absence.other, tests(absence.wants, values))
            for absence in absences
        )
        self.tallies = tuple(
            None
            if absence.tally is None
            else (
                absence.tally.least,
                absence.tally.most,
                None if absence.tally.are is None else tests(absence.tally.are, values),
            )
            for absence in absences
        )
        numbers = {name: number for number, name in enumerate(pattern.ids)}
        self.actions = tuple(
            (number, action)
            for number, action in enumerate(scenario.actions)
            if mentioned(action) <= numbers.keys()
        )
        self.action_reads: tuple[frozenset[str], ...] = tuple(
            frozenset(
                canonical(attr.property)
                for _, action in self.actions
                for attr in attributes(action)
                if attr.entity == name
            )
            for name in pattern.ids
        )
        self.reads = tuple(
            read(wants) | extra for wants, extra in zip(pattern.wants, self.action_reads, strict=True)
        )

    def fits(self, number: int, vertex: Vertex) -> bool:
        """Whether a vertex can stand at a place of the pattern, seen alone."""
        return vertex.live and all(test(vertex) for test in self.tests[number])

    def holds(self, bind: tuple[Vertex, ...]) -> bool:
        """Whether the vertices are (still) a match."""
        if self.dead:
            return False
        for number, vertex in enumerate(bind):
            if not self.fits(number, vertex):
                return False
        for source, label, target in self.edges:
            if linked(bind[source], label, bind[target]) is None:
                return False
        return not (self.absences or self.guards) or self.absent(bind)

    def absent(self, bind: tuple[Vertex, ...]) -> bool:
        """Whether all that must not be there is not, and of the rest as many as there must be."""
        for (bound, label, outgoing, other, wanted), tally in zip(self.absences, self.tallies, strict=True):
            vertex = bind[bound]
            adjacency = vertex.out if outgoing else vertex.into
            ends = None if adjacency is None else adjacency.get(label)
            if tally is not None:
                if not counted(ends or (), wanted, *tally):
                    return False
                continue
            if not ends:
                continue
            if other >= 0:
                if bind[other] in ends:
                    return False
                continue
            for end in ends:
                if end.live and end not in bind and all(test(end) for test in wanted):
                    return False
        return all(guard.holds(bind) for guard in self.guards) if self.guards else True


def counted(
    ends: Iterable[Vertex],
    wanted: tuple[Test, ...],
    least: int,
    most: int | None,
    are: tuple[Test, ...] | None,
) -> bool:
    """Whether as many of ``ends`` fit ``wanted`` as there must be, and all of these fit ``are``."""
    number = 0
    for end in ends:
        if not end.live or not all(test(end) for test in wanted):
            continue
        if are is not None and not all(test(end) for test in are):
            return False
        number += 1
        if most is not None and number > most:
            return False
        if most is None and are is None and number >= least:
            return True
    return number >= least


def tests(wants: Wants, values: Callable[[], Values]) -> tuple[Test, ...]:
    """The tests that ``wants`` spell, cheapest first."""
    found: list[tuple[int, Test]] = []
    for name, wanted in wants:
        if name.endswith(REGEX):
            found.append((2, matches(canonical(name[: -len(REGEX)]), wanted, values)))
        else:
            short = canonical(name)
            found.append((0 if short in ("type", "category", "name") else 1, equals(short, wanted, values)))
    return tuple(test for _, test in sorted(found, key=lambda entry: entry[0]))


def read(wants: Wants) -> frozenset[str]:
    """The properties that ``wants`` read, in their short forms."""
    return frozenset(canonical(name[: -len(REGEX)] if name.endswith(REGEX) else name) for name, _ in wants)


def reads_of(absence: Absence) -> frozenset[str]:
    """The properties that an absence reads of what stands, or does not, at its free end."""
    found = read(absence.wants)
    if absence.tally is not None and absence.tally.are is not None:
        found |= read(absence.tally.are)
    return found


def wanted(wants: Wants, name: str) -> str | None:
    """The value that the property ``name`` must be equal to, if ``wants`` say so."""
    for key, value in wants:
        if canonical(key) == name:
            return value
    return None


def mentioned(action: Any) -> set[str]:
    """The template ids that an action needs to be bound."""
    names = {name for name in (action.target, action.source, action.causing) if name is not None}
    return names | {attr.entity for attr in attributes(action)}


def attributes(action: Any) -> list[GetAttr]:
    """Every ``get_attr`` in an action's values."""
    found: list[GetAttr] = []

    def walk(value: Any) -> None:
        if isinstance(value, GetAttr):
            found.append(value)
        elif isinstance(value, dict):
            for child in value.values():
                walk(child)
        elif isinstance(value, list | tuple):
            for child in value:
                walk(child)

    for value in (action.name, action.severity, action.state, action.workflow, action.input):
        walk(value)
    return found
