"""What matches support: deduced alarms, states, marks, causes, and wishes to start workflows.

A fact counts its supports by word (a severity, a state), so the worst is found
whatever their number, and the next worst takes over when it goes. What a fact does to
the graph follows from its supports alone, never from the order in which they came.
"""

from __future__ import annotations

from collections.abc import Callable
from sys import intern
from typing import Any

from ..events import ALARM
from ..graph.step import Added, Changed, Step
from ..graph.store import Graph
from ..graph.values import Values
from ..graph.vertex import ACTIVE, CAUSES, DEDUCED, ON, AlarmPart, Edge, Vertex, linked
from .clause import Match

_SEVERITY = frozenset(("severity", "aggregated_severity", "operational_severity"))
_STATE = frozenset(("aggregated_state", "operational_state", "vitrage_state"))
_DOWN = frozenset(("is_marked_down",))


class Support:
    """One action of one match, in favour of one fact."""

    __slots__ = ("action", "fact", "match", "word")

    def __init__(self, match: Match, action: int, fact: Fact, word: str) -> None:
        self.match = match
        self.action = action
        self.fact = fact
        self.word = word

    def enter(self) -> None:
        """Counts in favour of its fact."""
        among = self.fact.supports.get(self.word)
        if among is None:
            self.fact.supports[self.word] = {self: None}
        else:
            among[self] = None

    def leave(self) -> None:
        """Counts no longer."""
        supports = self.fact.supports
        among = supports[self.word]
        del among[self]
        if not among:
            del supports[self.word]

    @property
    def order(self) -> tuple[Any, ...]:
        return (*self.match.order, self.action)


Supports = dict[str, dict[Support, None]]


def best(supports: Supports, word: str) -> Support:
    """The support that explains a fact: the first by name among those of the winning word."""
    among = supports[word]
    return next(iter(among)) if len(among) == 1 else min(among, key=lambda support: support.order)


class AlarmFact:
    """A deduced alarm on a target. ``episode`` counts its lives; ``announced`` is the last
    ``alarms.deduced`` value's rule, match and cause, told again when it clears."""

    __slots__ = ("announced", "episode", "name", "severity", "supports", "target", "vertex")

    def __init__(self, name: str, target: Vertex) -> None:
        self.name = name
        self.target = target
        self.severity: str | None = None
        self.episode = 0
        self.announced: dict[str, Any] | None = None
        self.supports: Supports = {}
        vertex = Vertex(target.graph, DEDUCED, "")
        key = f"{DEDUCED}/{name}@{target.type}/{target.id}"
        vertex.id = key
        vertex.name = name
        vertex.category = ALARM
        vertex.state = ACTIVE
        vertex.said_by = DEDUCED
        vertex.alarm = AlarmPart(key, target, "", deduced=True)
        self.vertex = vertex

    @property
    def key(self) -> str:
        assert self.vertex.alarm is not None
        return self.vertex.alarm.key

    @property
    def standing(self) -> bool:
        return self.severity is not None

    def snapshot(self, values: Values) -> tuple[Any, ...]:
        severity = self.severity
        return severity, None if severity is None else values.severity(DEDUCED, severity)[1]

    def settle(self, step: Step) -> None:
        """Brings the graph in line with the supports."""
        wanted = worst(self.supports, step.values.severity, DEDUCED)
        if wanted == self.severity:
            return
        vertex, graph = self.vertex, self.target.graph
        part = vertex.alarm
        assert part is not None
        if wanted is None:
            step.undo.set(self, "severity", None)
            step.drop_alarm(vertex)
            return
        before = self.severity
        step.undo.set(self, "severity", wanted)
        step.undo.set(part, "severity", wanted)
        if before is not None:
            step.changes.append(Changed(vertex, _SEVERITY, vertex.name))
            return
        step.undo.set(vertex, "live", True)
        step.undo.set(vertex, "time", step.time)
        keys = graph.alarms.get(DEDUCED)
        if keys is None:
            keys = {}
            step.undo.put(graph.alarms, DEDUCED, keys)
        step.undo.put(keys, part.key, vertex)
        step.link(vertex, ON, self.target, Edge(base=False, derived=True))
        step.changes.append(Added(vertex))

    def retract(self, step: Step) -> None:
        """Takes it out of the graph, whatever supports it, until it is settled again."""
        if self.severity is not None:
            step.undo.set(self, "severity", None)
            step.drop_alarm(self.vertex)


class StateFact:
    """The state that rules set of a vertex."""

    __slots__ = ("supports", "target", "word")

    def __init__(self, target: Vertex) -> None:
        self.target = target
        self.word: str | None = None
        self.supports: Supports = {}

    @property
    def standing(self) -> bool:
        return self.word is not None

    def snapshot(self, values: Values) -> tuple[Any, ...]:
        return ()

    def settle(self, step: Step) -> None:
        self._apply(step, worst(self.supports, step.values.state, self.target.type))

    def retract(self, step: Step) -> None:
        self._apply(step, None)

    def _apply(self, step: Step, wanted: str | None) -> None:
        if wanted == self.word:
            return
        step.touch_state(self.target)
        step.undo.set(self, "word", wanted)
        step.undo.set(step.derive(self.target), "state", wanted)
        if self.target.live:
            step.changes.append(Changed(self.target, _STATE, self.target.name))


class DownFact:
    """The mark that an entity is down."""

    __slots__ = ("down", "supports", "target")

    def __init__(self, target: Vertex) -> None:
        self.target = target
        self.down = False
        self.supports: Supports = {}

    @property
    def standing(self) -> bool:
        return self.down

    def snapshot(self, values: Values) -> tuple[Any, ...]:
        return (self.down,)

    def settle(self, step: Step) -> None:
        self._apply(step, bool(self.supports))

    def retract(self, step: Step) -> None:
        self._apply(step, False)

    def _apply(self, step: Step, wanted: bool) -> None:
        if wanted == self.down:
            return
        step.undo.set(self, "down", wanted)
        step.undo.set(step.derive(self.target), "down", wanted)
        if self.target.live:
            step.changes.append(Changed(self.target, _DOWN, self.target.name))


class CauseFact:
    """``source`` causes ``target``."""

    __slots__ = ("active", "source", "supports", "target")

    def __init__(self, source: Vertex, target: Vertex) -> None:
        self.source = source
        self.target = target
        self.active = False
        self.supports: Supports = {}

    @property
    def standing(self) -> bool:
        return self.active

    def snapshot(self, values: Values) -> tuple[Any, ...]:
        return (self.active,)

    def settle(self, step: Step) -> None:
        self._apply(step, bool(self.supports))

    def retract(self, step: Step) -> None:
        self._apply(step, False)

    def _apply(self, step: Step, wanted: bool) -> None:
        if wanted == self.active:
            return
        step.undo.set(self, "active", wanted)
        edge = linked(self.source, CAUSES, self.target)
        if wanted:
            if edge is None:
                step.link(self.source, CAUSES, self.target, Edge(base=False, derived=True))
            else:
                step.undo.set(edge, "derived", True)
        elif edge is not None:
            if edge.base:
                step.undo.set(edge, "derived", False)
            else:
                step.unlink(self.source, CAUSES, self.target)


class StartFact:
    """A wish to start ``workflow`` with ``input``; it stands while any match has it."""

    __slots__ = ("canonical", "execution", "graph", "input", "supports", "wanted", "workflow")

    def __init__(self, graph: Graph, workflow: str, input_: dict[str, Any], canonical: str) -> None:
        self.graph = graph
        self.workflow = workflow
        self.input = input_
        self.canonical = canonical
        self.wanted = False
        self.execution: str | None = None
        self.supports: Supports = {}

    @property
    def standing(self) -> bool:
        return self.wanted

    def snapshot(self, values: Values) -> tuple[Any, ...]:
        return (self.wanted,)

    def settle(self, step: Step) -> None:
        wanted = bool(self.supports)
        if wanted != self.wanted:
            step.undo.set(self, "wanted", wanted)

    def retract(self, step: Step) -> None:
        """A wish is read by no rule: it needs no retraction while loops are unwound."""


class ShadowFact:
    """What a rule in shadow mode would bring about: ``about`` is the fact that it would support.

    It is kept for each rule apart, reaches no graph, and is read by nothing.
    """

    __slots__ = ("about", "graph", "key", "rule", "supports", "word")

    def __init__(self, rule: str, about: Deed, graph: Graph) -> None:
        self.rule = rule
        self.about = about
        self.graph = graph
        self.key = shadow_key(rule, about)
        self.word: str | None = None
        self.supports: Supports = {}

    @property
    def standing(self) -> bool:
        return self.word is not None

    def snapshot(self, values: Values) -> tuple[Any, ...]:
        return (self.word,)

    def settle(self, step: Step) -> None:
        about = self.about
        if isinstance(about, AlarmFact):
            wanted = worst(self.supports, step.values.severity, DEDUCED)
        elif isinstance(about, StateFact):
            wanted = worst(self.supports, step.values.state, about.target.type)
        else:
            wanted = "" if self.supports else None
        if wanted != self.word:
            step.undo.set(self, "word", wanted)

    def retract(self, step: Step) -> None:
        """It is read by no rule: it needs no retraction while loops are unwound."""


def shadow_key(rule: str, about: Deed) -> tuple[str, ...]:
    """What tells the facts of rules in shadow mode apart."""
    if isinstance(about, AlarmFact):
        return rule, "ALARM", about.key
    if isinstance(about, CauseFact):
        return rule, "CAUSE", about.source.key, about.target.key
    if isinstance(about, StartFact):
        return rule, "WORKFLOW", about.workflow, about.canonical
    return rule, "STATE" if isinstance(about, StateFact) else "DOWN", about.target.key


Deed = AlarmFact | StateFact | DownFact | CauseFact | StartFact
Fact = Deed | ShadowFact


def worst(supports: Supports, score: Callable[[str, str], tuple[int, str]], type_: str) -> str | None:
    """The word of highest priority; among equals the first in the alphabet; None without any."""
    if not supports:
        return None
    if len(supports) == 1:
        return next(iter(supports))
    return min(supports, key=lambda word: (-score(type_, word)[0], word))


def winner(fact: Fact) -> Support | None:
    """The support that explains a standing fact."""
    if not fact.supports:
        return None
    if isinstance(fact, AlarmFact):
        word = fact.severity
    elif isinstance(fact, StateFact | ShadowFact):
        word = fact.word
    else:
        word = ""
    return best(fact.supports, word) if word is not None and word in fact.supports else None


def same(word: str) -> str:
    """A word as it is kept: one copy of each."""
    return intern(word)
