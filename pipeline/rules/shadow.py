"""What rules in shadow mode would bring about, as the journal and the end state show it.

Such a rule is evaluated like any other, over what is and what the other rules deduce. What follows
is written down and nothing else: no alarm, state, mark or cause comes of it, no workflow starts, and
no rule reads it, not even the one that deduced it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..graph.values import Values
from ..graph.vertex import DEDUCED
from .facts import AlarmFact, CauseFact, Fact, ShadowFact, StartFact, StateFact


def change(fact: ShadowFact, before: str | None, values: Values) -> dict[str, Any]:
    """The journal's change for a fact that was ``before``: RAISED, CHANGED or CLEARED for an alarm,
    WANTED for a workflow, ADDED, CHANGED or REMOVED for the rest."""
    began, ended = ("RAISED", "CLEARED") if isinstance(fact.about, AlarmFact) else ("ADDED", "REMOVED")
    if isinstance(fact.about, StartFact):
        began = "WANTED"
    op = began if before is None else ended if fact.word is None else "CHANGED"
    return {"kind": "SHADOW", "op": op, **told(fact, fact.word if fact.word is not None else before, values)}


def told(fact: ShadowFact, word: str | None, values: Values) -> dict[str, Any]:
    """What the fact is about, with the severity or state that it has."""
    about = fact.about
    found: dict[str, Any] = {"deduces": fact.key[1]}
    if isinstance(about, AlarmFact):
        target = about.target
        severity = word or ""
        found |= {
            "key": about.key,
            "name": about.name,
            "severity": severity,
            "operational_severity": values.severity(DEDUCED, severity)[1],
            "resource": {"type": target.type, "id": target.id},
        }
    elif isinstance(about, CauseFact):
        found |= {"source": about.source.key, "target": about.target.key}
    elif isinstance(about, StartFact):
        found |= {"workflow": about.workflow, "input": about.input}
    else:
        found["key"] = about.target.key
        if isinstance(about, StateFact):
            found["state"] = word
    return found


def standing(facts: Iterable[ShadowFact], values: Values) -> list[dict[str, Any]]:
    """What rules in shadow mode deduce now, each with its rule; wishes to start workflows among it."""
    return [
        {**told(fact, fact.word, values), "rule": fact.rule}
        for fact in sorted(facts, key=lambda fact: fact.key)
        if fact.standing
    ]


def touch(facts: Iterable[ShadowFact], before: dict[Fact, tuple[Any, ...]], values: Values) -> None:
    """Takes the snapshot of those whose word depends on value mappings."""
    for fact in facts:
        if isinstance(fact.about, AlarmFact | StateFact):
            before.setdefault(fact, fact.snapshot(values))
