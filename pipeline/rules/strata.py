"""The order of evaluation: every rule above the rules whose work it reads.

A rule *produces* deduced alarms, causes, states and marks; another *consumes* them
where a vertex or edge of its pattern may be one of these. Where it consumes them under
NOT, or reads a value that grows worse with further causes, the producer must be
finished before; a circle through such a reading has no meaning and is refused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..graph.values import Values
from ..graph.vertex import CAUSES, DEDUCED, ON
from .clause import REGEX, Clause, read, reads_of, wanted
from .pattern import Pattern, Wants
from .properties import DOWN, SEVERITIES, STATES, canonical
from .template import CAUSE, MARK_DOWN, RAISE, SET_STATE, Action
from .waiting import Open


@dataclass(frozen=True, slots=True)
class Product:
    """Something that a clause may bring about: an alarm, cause, state or mark."""

    kind: str
    clause: Clause
    target: Wants
    name: str | None = None
    word: str | None = None
    source: Wants = ()


@dataclass(frozen=True, slots=True)
class Cycle:
    """Rules that feed each other through a NOT or a value: they have no meaning together."""

    rules: tuple[str, ...]

    def __str__(self) -> str:
        return " -> ".join((*self.rules, self.rules[0]))


def order(clauses: Sequence[Clause], values: Values) -> tuple[dict[Clause, int], frozenset[int], list[Cycle]]:
    """The level of each clause, the levels whose clauses feed themselves, and the cycles
    that must be refused (then the levels mean nothing)."""
    by_alarm: dict[str | None, list[Product]] = defaultdict(list)
    others: dict[str, list[Product]] = defaultdict(list)
    for clause in clauses:
        if clause.products is None:
            clause.products = tuple(_products(clause))
            clause.reader = _reader(clause)
        for product in clause.products:
            if product.kind == RAISE:
                by_alarm[product.name].append(product)
            else:
                others[product.kind].append(product)
    needs: dict[Clause, dict[Clause, bool]] = {}
    for clause in clauses:
        wanted_of: dict[Clause, bool] = {}
        for producer, strict in _consumed(clause, by_alarm, others, values) if clause.reader else ():
            wanted_of[producer] = wanted_of.get(producer, False) or strict
        for guard in clause.guards:
            # A count that a rule adds to itself by its own work would have no end.
            if isinstance(guard, Open):
                wanted_of.update(dict.fromkeys(guard.group.feeders, True))
            else:
                wanted_of.setdefault(guard.helper, False)
        needs[clause] = wanted_of
    # One scenario's clauses act together: an action's fact may rest on any of them.
    components = _components(clauses, needs)
    component_of = {clause: number for number, members in enumerate(components) for clause in members}
    cycles: list[Cycle] = []
    looping: set[int] = set()
    level_of: dict[int, int] = {}
    for number, members in enumerate(components):
        level = 0
        for clause in members:
            for producer, strict in needs[clause].items():
                if component_of[producer] == number:
                    looping.add(number)
                    if strict:
                        cycles.append(Cycle(_path(clause, producer, needs, set(members))))
                else:
                    level = max(level, level_of[component_of[producer]] + 1)
        level_of[number] = level
    # A level that loops holds one component only, so that its rounds touch nothing else.
    taken: dict[int, int] = {}
    used: dict[tuple[int, int], int] = {}
    for number in sorted(level_of, key=lambda n: (level_of[n], n)):
        slot = (level_of[number], number if number in looping else -1)
        taken[number] = used.setdefault(slot, len(used))
    levels = {clause: taken[component_of[clause]] for clause in clauses}
    return levels, frozenset(taken[number] for number in looping), cycles


def _products(clause: Clause) -> Iterator[Product]:
    if clause.rule.shadow:
        return
    wants = dict(zip(clause.pattern.ids, clause.pattern.wants, strict=True))
    for _, action in clause.actions:
        if action.kind == RAISE:
            target = wants[action.target or ""]
            name = action.name if isinstance(action.name, str) else None
            word = action.severity if isinstance(action.severity, str) else None
            yield Product(RAISE, clause, target, name, word)
            if action.causing is not None:
                alarm = (
                    ("category", "ALARM"),
                    ("type", DEDUCED),
                    *((("name", name),) if name is not None else ()),
                )
                yield Product(CAUSE, clause, alarm, source=wants[action.causing])
        elif action.kind == SET_STATE:
            word = action.state if isinstance(action.state, str) else None
            yield Product(SET_STATE, clause, wants[action.target or ""], word=word)
        elif action.kind == MARK_DOWN:
            yield Product(MARK_DOWN, clause, wants[action.target or ""])
        elif action.kind == CAUSE:
            yield Product(CAUSE, clause, wants[action.target or ""], source=wants[action.source or ""])


def _reader(clause: Clause) -> bool:
    """Whether a clause may read at all what rules bring about."""
    pattern = clause.pattern
    everything = (*pattern.wants, *(absence.wants for absence in pattern.absences if absence.other < 0))
    if any(_maybe_deduced(wants) for wants in everything):
        return True
    labels = {edge.label for edge in pattern.edges} | {absence.label for absence in pattern.absences}
    if CAUSES in labels:
        return True
    reads = frozenset[str]().union(*clause.reads, *map(reads_of, pattern.absences))
    return bool(reads & STATES) or DOWN in reads


def _consumed(
    clause: Clause,
    by_alarm: dict[str | None, list[Product]],
    others: dict[str, list[Product]],
    values: Values,
) -> Iterator[tuple[Clause, bool]]:
    pattern = clause.pattern
    reads = [read(wants) | extra for wants, extra in zip(pattern.wants, clause.action_reads, strict=True)]
    for number, wants in enumerate(pattern.wants):
        for product in _alarms(by_alarm, wants):
            if _on_fits(pattern, number, product):
                yield (
                    product.clause,
                    _value_strict(wants, clause.action_reads[number], SEVERITIES, product, values),
                )
        yield from _values_read(wants, reads[number], clause.action_reads[number], others, values, False)
    for edge in pattern.edges:
        if edge.label == CAUSES:
            for product in others[CAUSE]:
                if _may_be(pattern.wants[edge.source], product.source) and _may_be(
                    pattern.wants[edge.target], product.target
                ):
                    yield product.clause, False
    for absence in pattern.absences:
        near = pattern.wants[absence.bound]
        far = absence.wants if absence.other < 0 else pattern.wants[absence.other]
        source, target = (near, far) if absence.outgoing else (far, near)
        if absence.label == ON:
            for product in _alarms(by_alarm, source):
                if _may_be(target, product.target):
                    yield product.clause, True
        if absence.label == CAUSES:
            for product in others[CAUSE]:
                if _may_be(source, product.source) and _may_be(target, product.target):
                    yield product.clause, True
        yield from _values_read(absence.wants, reads_of(absence), frozenset(), others, values, True)


def _values_read(
    wants: Wants,
    reads: frozenset[str],
    acted: frozenset[str],
    others: dict[str, list[Product]],
    values: Values,
    negative: bool,
) -> Iterator[tuple[Clause, bool]]:
    if reads & STATES:
        for product in others[SET_STATE]:
            if _may_be(wants, product.target):
                yield product.clause, negative or _value_strict(wants, acted, STATES, product, values)
    if DOWN in reads:
        for product in others[MARK_DOWN]:
            if _may_be(wants, product.target):
                strict = (wanted(wants, DOWN) or "").lower() != "true" or DOWN in acted
                yield product.clause, negative or strict


def _value_strict(
    wants: Wants, acted: frozenset[str], names: frozenset[str], product: Product, values: Values
) -> bool:
    """Whether a further product could end a match that reads a value, rather than only begin one."""
    if acted & names:
        return True
    for name, value in wants:
        short = canonical(name[: -len(REGEX)] if name.endswith(REGEX) else name)
        if short not in names:
            continue
        if name.endswith(REGEX) or product.word is None:
            return True
        if short.startswith("operational"):
            return True
        type_ = DEDUCED if names is SEVERITIES else wanted(wants, "type")
        if type_ is None:
            return True
        score = values.severity if names is SEVERITIES else values.state
        if product.word.upper() != value.upper() and score(type_, product.word)[0] >= score(type_, value)[0]:
            return True
    return False


def _alarms(by_alarm: dict[str | None, list[Product]], wants: Wants) -> Iterator[Product]:
    """The products that may be the deduced alarm that ``wants`` describe."""
    if not _maybe_deduced(wants):
        return
    name = wanted(wants, "name")
    if name is not None:
        yield from by_alarm.get(name, ())
        yield from by_alarm.get(None, ())
    else:
        for products in by_alarm.values():
            yield from products


def _maybe_deduced(wants: Wants) -> bool:
    return (
        wanted(wants, "type") in (None, DEDUCED)
        and wanted(wants, "category") in (None, "ALARM")
        and read(wants) <= _DEDUCED_HAS
    )


# A deduced alarm has no attributes: a pattern that asks for one does not mean it.
_DEDUCED_HAS = SEVERITIES | {
    "type",
    "category",
    "name",
    "id",
    "state",
    "vitrage_id",
    "is_deleted",
    "is_placeholder",
    "resource_id",
    "resource_type",
    "resource_name",
    "resource_project_id",
    "update_timestamp",
    "source",
}


def _on_fits(pattern: Pattern, number: int, product: Product) -> bool:
    """Whether the vertex that the alarm stands ``on`` in the pattern may be the product's target."""
    return all(
        _may_be(pattern.wants[edge.target], product.target)
        for edge in pattern.edges
        if edge.source == number and edge.label == ON
    )


def _may_be(one: Wants, other: Wants) -> bool:
    """Whether one vertex may fit both: no property is asked to have two values."""
    theirs = {canonical(name): value for name, value in other if not name.endswith(REGEX)}
    for name, value in one:
        short = canonical(name)
        if name.endswith(REGEX) or short not in theirs or short in _MOVING:
            continue
        if theirs[short] != value:
            return False
    return True


_MOVING = STATES | SEVERITIES | {DOWN}


def _components(clauses: Sequence[Clause], needs: dict[Clause, dict[Clause, bool]]) -> list[list[Clause]]:
    """Strongly connected components, producers first (Tarjan, without recursion)."""
    number: dict[Clause, int] = {}
    low: dict[Clause, int] = {}
    stack: list[Clause] = []
    on_stack: set[Clause] = set()
    found: list[list[Clause]] = []
    for root in clauses:
        if root in number:
            continue
        work: list[tuple[Clause, Iterator[Clause]]] = [(root, iter(needs[root]))]
        number[root] = low[root] = len(number)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, rest = work[-1]
            for below in rest:
                if below not in number:
                    number[below] = low[below] = len(number)
                    stack.append(below)
                    on_stack.add(below)
                    work.append((below, iter(needs[below])))
                    break
                if below in on_stack:
                    low[node] = min(low[node], number[below])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == number[node]:
                    members: list[Clause] = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        members.append(member)
                        if member is node:
                            break
                    found.append(members)
    return found


def _path(
    start: Clause, end: Clause, needs: dict[Clause, dict[Clause, bool]], within: set[Clause]
) -> tuple[str, ...]:
    """The names of the rules on the way by which ``end`` comes to need ``start`` again."""
    before: dict[Clause, Clause | None] = {end: None}
    queue = [end]
    for clause in queue:
        if clause is start:
            break
        for below in needs[clause]:
            if below in within and below not in before:
                before[below] = clause
                queue.append(below)
    names: list[str] = []
    at: Clause | None = start
    while at is not None:
        if at.rule.name not in names:
            names.append(at.rule.name)
        at = before.get(at)
    return tuple(names)


def named(cycles: Iterable[Cycle]) -> dict[str, str]:
    """For each rule that stands in a cycle, the cycle spelled out."""
    return {rule: str(cycle) for cycle in cycles for rule in cycle.rules}


__all__ = ["Action", "Cycle", "Product", "named", "order"]
