"""Keeping the standing matches, and what they support, equal to those of the graph.

Levels are evaluated from the lowest up; a rule lies above every rule whose work it
reads (``strata.py``), so each level sees the finished work of those below. Within a
level of rules that feed themselves, what may have lost its ground is first taken away
with all that rests on it and then derived again from what is left, so that a loop
cannot keep itself alive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..errors import FaultlineError
from ..graph.step import Changed, Step, Unlinked
from ..graph.store import Graph
from ..graph.values import Values
from ..graph.vertex import CAUSES, Vertex
from .agenda import Agenda
from .clause import Clause, Match, wanted
from .effects import Facts, support, withdraw
from .facts import Fact, ShadowFact, StartFact
from .index import Index
from .pattern import Wants
from .properties import STATES
from .search import Search
from .waiting import Waiting

MAX_ROUNDS = 10_000


class RuleFailed(FaultlineError):
    """Raised when a rule cannot be evaluated; it is set aside and the others go on."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(f"rule {rule} failed: {reason}")
        self.rule = rule
        self.reason = reason


class Engine:
    """The evaluation of one partition's rules over its graphs."""

    __slots__ = ("clauses", "facts", "index", "levels", "search", "values", "waiting")

    def __init__(self) -> None:
        self.clauses: tuple[Clause, ...] = ()
        self.index = Index()
        self.levels: frozenset[int] = frozenset()
        self.facts: dict[Graph, Facts] = {}
        self.search = Search()
        self.values = Values()
        self.waiting = Waiting()

    def current_values(self) -> Values:
        return self.values

    def of(self, graph: Graph) -> Facts:
        """The facts of a domain."""
        facts = self.facts.get(graph)
        if facts is None:
            facts = self.facts[graph] = Facts()
        return facts

    def run(self, step: Step, agenda: Agenda, before: dict[Fact, tuple[Any, ...]]) -> None:
        """Evaluates what the step's changes concern; ``before`` takes each touched fact's
        snapshot from before the step. Raises ``RuleFailed``."""
        self.evaluate(step, agenda, before)
        self.release(step, before)

    def evaluate(self, step: Step, agenda: Agenda, before: dict[Fact, tuple[Any, ...]]) -> None:
        """``run`` without its end, for a step in which further changes follow. Raises ``RuleFailed``."""
        waiting = self.waiting
        if waiting.lapsed:
            waiting.lapsed.clear()
        if waiting.came:
            waiting.came.clear()
        if self.levels:
            self._unsettle(step, agenda, before)
        while True:
            if step.changes:
                changes, step.changes = step.changes, []
                agenda.note(changes, self.index)
            if not agenda:
                break
            level = agenda.lowest()
            if level in self.levels:
                self._loop(step, agenda, level, before)
            else:
                self._once(step, agenda, level, before)
            if waiting.came:
                waiting.count(step, agenda)

    def release(self, step: Step, before: dict[Fact, tuple[Any, ...]]) -> None:
        """Forgets what nothing supports any more."""
        for fact in before:
            if not fact.supports:
                graph = fact.graph if isinstance(fact, StartFact | ShadowFact) else fact.target.graph
                self.of(graph).release(step, fact)

    def _once(self, step: Step, agenda: Agenda, level: int, before: dict[Fact, tuple[Any, ...]]) -> None:
        touched: dict[Fact, None] = {}
        for match in agenda.doubts.pop(level, {}):
            self._doubt(step, match, touched, before)
        shaken = {fact for fact in touched if self._shake(step, agenda, fact, level)} if self.levels else ()
        for clause, bound in agenda.finds.pop(level, {}):
            self._find(step, clause, bound, touched, before)
        for fact in touched:
            if fact not in shaken:
                fact.settle(step)

    def _loop(self, step: Step, agenda: Agenda, level: int, before: dict[Fact, tuple[Any, ...]]) -> None:
        for _ in range(MAX_ROUNDS):
            shaken = agenda.shaken.pop(level, {})
            while doubts := agenda.doubts.pop(level, None):
                for match in doubts:
                    lost: dict[Fact, None] = {}
                    self._doubt(step, match, lost, before)
                    for fact in lost:
                        if not self._shake(step, agenda, fact, level):
                            fact.retract(step)
                            shaken[fact] = None
                    self._note(step, agenda)
            for fact in shaken:
                fact.settle(step)
            self._note(step, agenda)
            if level in agenda.doubts:
                continue
            touched: dict[Fact, None] = {}
            for clause, bound in agenda.finds.pop(level, {}):
                self._find(step, clause, bound, touched, before)
            for fact in touched:
                fact.settle(step)
            self._note(step, agenda)
            if level not in agenda.doubts and level not in agenda.finds:
                return
        name = next(clause.rule.name for clause in self.clauses if clause.level == level)
        raise RuleFailed(name, f"it feeds itself without end ({MAX_ROUNDS} rounds); break the loop")

    def _note(self, step: Step, agenda: Agenda) -> None:
        if step.changes:
            changes, step.changes = step.changes, []
            agenda.note(changes, self.index)

    def _unsettle(self, step: Step, agenda: Agenda, before: dict[Fact, tuple[Any, ...]]) -> None:
        """Shakes facts that a record may have left without ground: what the record itself said
        (a state, a cause) may have begun a circle of rules that now only holds itself."""
        for change in list(step.changes):
            fact: Fact | None = None
            if isinstance(change, Changed):
                vertex, facts = change.vertex, self.of(change.vertex.graph)
                if vertex.alarm is not None and vertex.alarm.deduced:
                    fact = facts.alarms.get(vertex.alarm.key)
                elif not change.properties.isdisjoint(STATES | {"state"}):
                    fact = facts.states.get(vertex)
            elif isinstance(change, Unlinked) and change.label == CAUSES:
                fact = self.of(change.source.graph).causes.get((change.source, change.target))
            if fact is not None:
                before.setdefault(fact, fact.snapshot(step.values))
                self._shake(step, agenda, fact, -1)

    def _shake(self, step: Step, agenda: Agenda, fact: Fact, level: int) -> bool:
        """Takes a fact that lost a support out until a higher level that feeds itself, and has a
        part in it, is gone through: what is left to it there may rest on the fact itself."""
        above = [
            entry.match.clause.level
            for among in fact.supports.values()
            for entry in among
            if entry.match.clause.level > level and entry.match.clause.level in self.levels
        ]
        if not above:
            return False
        fact.retract(step)
        agenda.shaken.setdefault(max(above), {})[fact] = None
        return True

    def _doubt(
        self, step: Step, match: Match, touched: dict[Fact, None], before: dict[Fact, tuple[Any, ...]]
    ) -> None:
        clause = match.clause
        if clause.matches.get(match.bind) is not match:
            return
        holds = self._guard(clause, lambda: clause.holds(match.bind))
        if holds and not any(clause.action_reads) and not (clause.hold and self.waiting.ready(match)):
            return
        self._remove(step, match, touched, before)
        if holds:
            # It stands, but what its actions say of it may be something else now.
            self._add(step, clause, match.bind, touched, before)

    def _find(
        self,
        step: Step,
        clause: Clause,
        bound: tuple[tuple[int, Vertex], ...],
        touched: dict[Fact, None],
        before: dict[Fact, tuple[Any, ...]],
    ) -> None:
        if clause.dead:
            return
        for bind in self._guard(clause, lambda: self.search.at(clause, dict(bound))):
            if bind not in clause.matches:
                self._add(step, clause, bind, touched, before)

    def _add(
        self,
        step: Step,
        clause: Clause,
        bind: tuple[Vertex, ...],
        touched: dict[Fact, None],
        before: dict[Fact, tuple[Any, ...]],
    ) -> None:
        match = Match(clause, bind)
        facts = self.of(bind[0].graph)
        match.enter()
        step.undo.call(match.leave)
        if clause.timed and not self.waiting.begin(step, match):
            return
        match.supports = self._guard(clause, lambda: support(step, facts, match, self.current_values))
        for entry in match.supports:
            fact = entry.fact
            if fact not in before:
                before[fact] = fact.snapshot(step.values)
            touched[fact] = None

    def _remove(
        self, step: Step, match: Match, touched: dict[Fact, None], before: dict[Fact, tuple[Any, ...]]
    ) -> None:
        match.leave()
        step.undo.call(match.enter)
        if match.clause.timed:
            self.waiting.end(step, match)
        for entry in match.supports:
            fact = entry.fact
            if fact not in before:
                before[fact] = fact.snapshot(step.values)
            touched[fact] = None
            withdraw(step, entry)

    def _guard(self, clause: Clause, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except Exception as error:
            raise RuleFailed(clause.rule.name, f"{type(error).__name__}: {error}") from error

    def seed(self, agenda: Agenda, graphs: Iterable[Graph], clauses: Iterable[Clause]) -> None:
        """Asks for all matches of these clauses, each from its rarest kind of vertex."""
        for graph in graphs:
            kinds = Kinds(graph)
            for clause in clauses:
                chosen = [kinds.fitting(wants) for wants in clause.pattern.wants]
                number = min(range(len(chosen)), key=lambda place: len(chosen[place]))
                for vertex in chosen[number]:
                    agenda.find(clause, (number, vertex))


class Kinds:
    """The live vertices of a graph by type and by type and name, gathered as they are asked for."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.types: dict[str | None, list[Vertex]] = {}
        self.names: dict[str | None, dict[str | None, list[Vertex]]] = {}

    def fitting(self, wants: Wants) -> list[Vertex]:
        """Those of the type and name that a pattern asks for, where it does."""
        type_, name = wanted(wants, "type"), wanted(wants, "name")
        if type_ not in self.types:
            self.types[type_] = [vertex for vertex in self.graph.candidates(type_) if vertex.live]
        if name is None:
            return self.types[type_]
        if type_ not in self.names:
            names = self.names[type_] = {}
            for vertex in self.types[type_]:
                names.setdefault(vertex.name, []).append(vertex)
        return self.names[type_].get(name, [])
