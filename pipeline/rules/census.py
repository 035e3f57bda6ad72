"""What a partition tells of itself: counts, what waits, and the state of each rule."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .shard import GraphShard

SHOWN = 50


def census(shard: GraphShard) -> dict[str, Any]:
    """Counts, placeholders with the alarms that wait on them, and the state of each rule."""
    placeholders: list[dict[str, Any]] = []
    number = 0
    for domain, graph in shard.graphs.items():
        number += len(graph.placeholders)
        for vertex in graph.placeholders:
            if len(placeholders) >= SHOWN:
                break
            ends = (vertex.into or {}).get("on", {})
            waiting = sorted(end.key for end in islice(ends, SHOWN) if end.alarm is not None)
            placeholders.append({"domain": domain, "key": vertex.key, "alarms": waiting})
    matches: dict[str, int] = {}
    for clause in shard.engine.clauses:
        if clause.feeds or clause.group is not None:
            # It serves another clause of its scenario, whose matches count.
            continue
        matches[clause.rule.name] = matches.get(clause.rule.name, 0) + len(clause.matches)
    return {
        **{name: shard.counts.get(name, 0) for name in ("applied", "older", "repeated", "duplicates")},
        "clock": shard.clock.now or None,
        "domains": {
            domain: {
                "entities": sum(map(len, graph.entities.values())) - len(graph.placeholders),
                "alarms": sum(map(len, graph.alarms.values())),
                "deduced": len(graph.alarms.get("vitrage", ())),
            }
            for domain, graph in shard.graphs.items()
        },
        "placeholders": number,
        "placeholder_list": placeholders,
        "rules": {
            rule.name: {
                "revision": rule.revision,
                "status": "ERROR" if rule.error else "ACTIVE",
                "reason": rule.error,
                "matches": matches.get(rule.name, 0),
                **({"mode": "shadow"} if rule.shadow else {}),
            }
            for rule in shard.rules.rules.values()
        },
        "values": {
            rule.name: {"revision": rule.revision, "reason": rule.error}
            for rule in shard.rules.values.values()
        },
        "unknown_values": {type_: dict(words) for type_, words in shard.unknown.items()},
        "expansions_cut": dict(shard.engine.search.cut),
    }
