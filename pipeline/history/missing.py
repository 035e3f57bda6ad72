"""Why a live rule does not hold for an entity, from what history says is there now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from ..graph.values import Values
from ..graph.vertex import Vertex
from ..rules.clause import Clause, wanted
from ..rules.properties import getter
from ..rules.whynot import Walk, why_not
from . import rulebook
from .reading import Reading
from .surroundings import around, find


def missing(history: Reading, rule: str, key: str, domain: str | None = None) -> dict[str, Any]:
    """``walks`` of the rule's scenarios from an entity or active alarm: the elements of each pattern in
    the order in which they are looked for, and the first that found no partner.

    ``holds`` says whether any scenario has a whole match, ``waits`` whether one has that speaks of
    time, of which the present tells nothing. Raises ``NotFound``, or ``InvalidCall`` when
    several domains have the entity.
    """
    compiled = rulebook.compiled(history, rule)
    domain = find(history, key, domain, alarms=True)
    # An element more than the longest pattern has, so that what is near is seen too.
    hops = 1 + max((len(clause.pattern.ids) for clause in compiled.clauses), default=0)
    near = around(history, key, domain, hops, _types(compiled.clauses))
    values = compiled.values
    walks = why_not(compiled.clauses, near.vertex, lambda: values, near.ended)
    return {
        "rule": {
            "name": compiled.name,
            "revision": compiled.revision,
            "error": compiled.error,
            "shadow": compiled.shadow,
        },
        "entity": _shown(near.vertex, values, domain),
        "holds": any(walk.count and not walk.waits for walk in walks),
        "waits": any(walk.count and walk.waits for walk in walks),
        "walks": [_told(walk) for walk in walks],
    }


def _types(clauses: Iterable[Clause]) -> frozenset[str] | None:
    """The types that patterns speak of; None when an element may be of any."""
    types = {wanted(wants, "type") for clause in clauses for wants in clause.pattern.wants}
    return None if None in types else frozenset(one for one in types if one is not None)


def _told(walk: Walk) -> dict[str, Any]:
    first = walk.missing
    return {**asdict(walk), "missing": first.what if first is not None else None}


def _shown(vertex: Vertex, values: Values, domain: str) -> dict[str, Any]:
    def read(name: str) -> Any:
        return getter(name, lambda: values)(vertex)

    alarm = vertex.alarm
    return {
        "domain": domain,
        "key": vertex.key,
        "type": vertex.type,
        "id": vertex.id,
        "name": vertex.name,
        "category": vertex.category,
        "placeholder": not vertex.live,
        "state": vertex.state,
        "aggregated_state": read("aggregated_state"),
        "operational_state": read("operational_state"),
        "severity": alarm.severity if alarm is not None else None,
        "operational_severity": read("operational_severity"),
    }
