"""From a match to what it supports: values filled in, the fact looked up or made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..graph.step import Step
from ..graph.store import Graph
from ..graph.values import Values
from ..graph.vertex import Vertex
from .clause import Match
from .facts import (
    AlarmFact,
    CauseFact,
    Deed,
    DownFact,
    Fact,
    ShadowFact,
    StartFact,
    StateFact,
    Support,
    same,
    shadow_key,
)
from .properties import canonical, getter, text
from .template import CAUSE, MARK_DOWN, RAISE, SET_STATE, Action, GetAttr, Text

MAX_DEPTH = 8
_canonical = msgspec.json.Encoder(order="deterministic")
Bound = dict[str, Vertex]


class Facts:
    """The facts of one domain, by what they are about."""

    __slots__ = ("alarms", "causes", "downs", "shadows", "starts", "states")

    def __init__(self) -> None:
        self.alarms: dict[str, AlarmFact] = {}
        self.states: dict[Vertex, StateFact] = {}
        self.downs: dict[Vertex, DownFact] = {}
        self.causes: dict[tuple[Vertex, Vertex], CauseFact] = {}
        self.starts: dict[tuple[str, str], StartFact] = {}
        self.shadows: dict[tuple[str, ...], ShadowFact] = {}

    def release(self, step: Step, fact: Fact) -> None:
        """Forgets a fact that nothing supports; of alarms the count of lives is kept."""
        if isinstance(fact, StateFact):
            step.undo.drop(self.states, fact.target)
        elif isinstance(fact, DownFact):
            step.undo.drop(self.downs, fact.target)
        elif isinstance(fact, CauseFact):
            step.undo.drop(self.causes, (fact.source, fact.target))
        elif isinstance(fact, StartFact):
            step.undo.drop(self.starts, (fact.workflow, fact.canonical))
        elif isinstance(fact, ShadowFact):
            step.undo.drop(self.shadows, fact.key)


def support(step: Step, facts: Facts, match: Match, values: Callable[[], Values]) -> list[Support]:
    """Enters everything that a new match supports; the supports."""
    clause = match.clause
    graph = match.bind[0].graph
    bound: Bound = dict(zip(clause.pattern.ids, match.bind, strict=True))
    made: list[Support] = []
    shadow = clause.rule.shadow
    # The facts of a rule in shadow are looked up beside those that count.
    own = Facts() if shadow else facts
    for number, action in clause.actions:
        for deed, word in _wanted(step, own, graph, action, bound, values):
            fact = _shadowed(step, facts, clause.rule.name, deed, graph) if shadow else deed
            entry = Support(match, number, fact, word)
            entry.enter()
            step.undo.call(entry.leave)
            made.append(entry)
    return made


def withdraw(step: Step, entry: Support) -> None:
    """Takes a support back."""
    entry.leave()
    step.undo.call(entry.enter)


def alarm_fact(step: Step | None, facts: Facts, name: str, target: Vertex) -> AlarmFact:
    """The deduced alarm ``name`` on ``target``."""
    key = f"vitrage/{name}@{target.key if target.alarm is None else f'{target.type}/{target.id}'}"
    fact = facts.alarms.get(key)
    if fact is None or fact.target is not target:
        old = fact
        fact = AlarmFact(name, target)
        if old is not None:
            # The target was removed and came back: the count of lives goes on.
            fact.episode, fact.announced = old.episode, old.announced
        if step is None:
            facts.alarms[key] = fact
        else:
            step.undo.put(facts.alarms, key, fact)
    return fact


def _wanted(
    step: Step, facts: Facts, graph: Graph, action: Action, bound: Bound, values: Callable[[], Values]
) -> list[tuple[Deed, str]]:
    kind = action.kind
    if kind == RAISE:
        assert action.target is not None
        name = _word(action.name, bound, values)
        if not name:
            # get_attr found no such property: an alarm without a name is none.
            return []
        _check_depth(bound[action.target])
        fact = alarm_fact(step, facts, name, bound[action.target])
        wanted: list[tuple[Deed, str]] = [(fact, same(_word(action.severity, bound, values)))]
        if action.causing is not None:
            wanted.append((_cause(step, facts, bound[action.causing], fact.vertex), ""))
        return wanted
    if kind == SET_STATE:
        assert action.target is not None
        target, wanted_state = bound[action.target], _word(action.state, bound, values)
        if not wanted_state:
            return []
        state = facts.states.get(target)
        if state is None:
            state = StateFact(target)
            step.undo.put(facts.states, target, state)
        return [(state, same(wanted_state))]
    if kind == MARK_DOWN:
        assert action.target is not None
        target = bound[action.target]
        down = facts.downs.get(target)
        if down is None:
            down = DownFact(target)
            step.undo.put(facts.downs, target, down)
        return [(down, "")]
    if kind == CAUSE:
        assert action.source is not None
        assert action.target is not None
        return [(_cause(step, facts, bound[action.source], bound[action.target]), "")]
    workflow, input_ = _word(action.workflow, bound, values), _filled(action.input or {}, bound, values)
    canonical_input = _canonical.encode(input_).decode()
    start = facts.starts.get((workflow, canonical_input))
    if start is None:
        start = StartFact(graph, workflow, input_, canonical_input)
        step.undo.put(facts.starts, (workflow, canonical_input), start)
    return [(start, "")]


def _shadowed(step: Step, facts: Facts, rule: str, deed: Deed, graph: Graph) -> ShadowFact:
    key = shadow_key(rule, deed)
    fact = facts.shadows.get(key)
    if fact is None:
        fact = ShadowFact(rule, deed, graph)
        step.undo.put(facts.shadows, key, fact)
    return fact


def _check_depth(target: Vertex) -> None:
    """Refuses a tower of deduced alarms on deduced alarms: such a rule never comes to an end."""
    depth = 0
    while target.alarm is not None and target.alarm.deduced:
        depth += 1
        target = target.alarm.resource
        if depth > MAX_DEPTH:
            raise ValueError(f"it raises alarms on alarms more than {MAX_DEPTH} deep; name the target's type")


def _word(value: Any, bound: Bound, values: Callable[[], Values]) -> str:
    return value if type(value) is str else text(_filled(value, bound, values)) or ""


def _filled(value: Any, bound: Bound, values: Callable[[], Values]) -> Any:
    # No function within `_wanted`: one that calls itself is a cycle, left to the collector at each match.
    if isinstance(value, GetAttr):
        return getter(canonical(value.property), values)(bound[value.entity])
    if isinstance(value, Text):
        return "".join(text(_filled(part, bound, values)) or "" for part in value)
    if isinstance(value, dict):
        return {key: _filled(child, bound, values) for key, child in value.items()}
    if isinstance(value, list):
        return [_filled(child, bound, values) for child in value]
    return value


def _cause(step: Step, facts: Facts, source: Vertex, target: Vertex) -> CauseFact:
    cause = facts.causes.get((source, target))
    if cause is None:
        cause = CauseFact(source, target)
        step.undo.put(facts.causes, (source, target), cause)
    return cause
