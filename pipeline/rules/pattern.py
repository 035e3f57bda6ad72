"""Patterns: one for each clause of a condition, over vertices numbered in order of appearance."""

from __future__ import annotations

from dataclasses import dataclass

from .condition import Expression, Link, Literal, Name, clauses
from .template import Having, Relation, Template

Wants = tuple[tuple[str, str], ...]
DISCONNECTED = "disconnected"


class PatternError(ValueError):
    """Raised when a condition can never be matched; ``code`` is the finding's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class PatternEdge:
    """``source -label-> target``, by number."""

    source: int
    label: str
    target: int


@dataclass(frozen=True, slots=True)
class Tally:
    """How many ends there must be: from ``least`` to ``most`` (None: any number). With ``are``,
    each of them must fit that as well."""

    least: int
    most: int | None
    are: Wants | None = None


@dataclass(frozen=True, slots=True)
class Absence:
    """There is no edge with ``label`` from (``outgoing``) or to the vertex ``bound`` at
    whose other end stands ``other``, or, if that is -1, anything that fits ``wants``.

    With a ``tally`` there may be such edges, and how many or which is the question. ``unseen``: they
    may be there as well, but what stands at their other end has not been reported for long."""

    bound: int
    label: str
    outgoing: bool
    other: int
    wants: Wants
    tally: Tally | None = None
    unseen: bool = False

    @property
    def free(self) -> bool:
        """Whether nothing that stands in the condition is at its other end, and nothing is counted."""
        return self.other < 0 and self.tally is None


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a match must be: distinct vertices that fit ``wants`` and are joined by ``edges``."""

    ids: tuple[str, ...]
    wants: tuple[Wants, ...]
    edges: tuple[PatternEdge, ...]
    absences: tuple[Absence, ...]


def patterns(template: Template, condition: Expression, having: tuple[Having, ...] = ()) -> list[Pattern]:
    """The patterns of a condition, and of what is counted beside it.

    Raises ``PatternError`` or ``ConditionError``.
    """
    literals = clauses(condition)
    for clause in literals:
        for literal in clause:
            if not literal.positive and isinstance(_link(template, literal), str):
                _refuse_not(literal)
    if not any(literal.positive for clause in literals for literal in clause):
        raise PatternError(
            "134",
            "a condition needs something that is there, not only NOT: such as host AND NOT alarm [on] host",
        )
    _check_common(template, literals)
    found: list[Pattern] = []
    dead: PatternError | None = None
    for clause in literals:
        try:
            pattern = _pattern(template, clause, having)
        except PatternError as error:
            # An alternative that nothing joins never holds; the others may.
            if error.code != DISCONNECTED:
                raise
            dead = dead or error
            continue
        if pattern is not None:
            found.append(pattern)
    if not found and dead is not None:
        raise dead
    if not found:
        raise PatternError(
            "contradiction",
            "the condition asks for a relationship and for its absence: it never holds; take one of them out",
        )
    return list(dict.fromkeys(found))


def _pattern(template: Template, clause: tuple[Literal, ...], having: tuple[Having, ...]) -> Pattern | None:
    links = [(_link(template, literal), literal.positive) for literal in clause]
    present = [link for link, positive in links if positive and isinstance(link, Relation)]
    absent = [link for link, positive in links if not positive]
    if any(link in present for link in absent):
        return None
    ids: dict[str, int] = {}
    for link, positive in links:
        if not positive:
            continue
        for name in (link,) if isinstance(link, str) else (link.source, link.target):
            ids.setdefault(name, len(ids))
    if not ids:
        raise PatternError(
            "134", "each alternative of a condition needs something that is there, not only NOT"
        )
    edges = tuple(dict.fromkeys(PatternEdge(ids[e.source], e.label, ids[e.target]) for e in present))
    connected(ids, edges)
    absences = []
    for link in absent:
        if isinstance(link, str):
            raise PatternError("86", f"NOT {link}: NOT stands before a relationship")
        absences.append(_absence(template, ids, link))
    absences += [_counted(template, ids, each) for each in having]
    wants = tuple(tuple(sorted(template.entities[name].items())) for name in ids)
    return Pattern(tuple(ids), wants, edges, tuple(absences))


def _refuse_not(literal: Literal) -> None:
    name = literal.term.name if isinstance(literal.term, Name) else str(literal.term)
    raise PatternError("86", f"NOT {name}: NOT stands before a relationship, such as NOT alarm [on] {name}")


def _check_common(template: Template, literals: list[tuple[Literal, ...]]) -> None:
    """Alternatives need an entity in common: what the actions are about."""
    common: set[str] | None = None
    for clause in literals:
        there: set[str] = set()
        for literal in clause:
            if literal.positive:
                link = _link(template, literal)
                there |= {link} if isinstance(link, str) else {link.source, link.target}
        common = there if common is None else common & there
    if len(literals) > 1 and not common:
        raise PatternError(
            "135",
            "the alternatives of OR need at least one entity in common that stands without NOT in each; "
            "write a scenario for each alternative",
        )


def _link(template: Template, literal: Literal) -> str | Relation:
    term = literal.term
    if isinstance(term, Link):
        return Relation(term.source, term.label, term.target)
    return template.relationships.get(term.name) or term.name


def connected(ids: dict[str, int], edges: tuple[PatternEdge, ...]) -> None:
    """Raises ``PatternError`` when the edges do not join all of ``ids``."""
    reached, grown = {0}, True
    while grown:
        grown = False
        for edge in edges:
            if (edge.source in reached) != (edge.target in reached):
                reached |= {edge.source, edge.target}
                grown = True
    if len(reached) < len(ids):
        apart = [name for name, number in ids.items() if number not in reached]
        raise PatternError(
            "disconnected",
            f"nothing joins {', '.join(apart)} to {next(iter(ids))}, so the condition never holds; "
            "add the relationship between them",
        )


def _absence(template: Template, ids: dict[str, int], link: Relation) -> Absence:
    source, target = ids.get(link.source), ids.get(link.target)
    if source is not None and target is not None:
        return Absence(source, link.label, True, target, ())
    bound = source if source is not None else target
    if bound is None:
        raise PatternError(
            "disconnected",
            f"NOT {link.source} [{link.label}] {link.target}: one of the two must stand in the condition "
            "without NOT",
        )
    free = link.target if source is not None else link.source
    wants = tuple(sorted(template.entities[free].items()))
    return Absence(bound, link.label, source is not None, -1, wants)


def _counted(template: Template, ids: dict[str, int], having: Having) -> Absence:
    term = having.of
    link = term if isinstance(term, Link) else template.relationships[term.name]
    source, target = ids.get(link.source), ids.get(link.target)
    shown = f"{link.source} [{link.label}] {link.target}"
    bound = source if source is not None else target
    if bound is None:
        raise PatternError("having", f"having {shown}: one of the two must stand in the condition")
    if source is not None and target is not None:
        raise PatternError(
            "having",
            f"having {shown}: both stand in the condition, where each is one thing; "
            "define another entity under `entities` for those that are counted",
        )
    free = link.target if source is not None else link.source
    wants = tuple(sorted(template.entities[free].items()))
    are = None if having.are is None else tuple(sorted(template.entities[having.are].items()))
    tally = Tally(having.least, having.most, are)
    return Absence(bound, link.label, source is not None, -1, wants, tally)
