"""A partition's state as one document, sorted: equal states are equal bytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..graph.step import aggregate
from ..graph.store import Graph
from ..graph.vertex import ON, Vertex
from .effects import Facts
from .shadow import standing

if TYPE_CHECKING:
    from .shard import GraphShard


def document(shard: GraphShard, started: Iterable[dict[str, Any]] = ()) -> dict[str, list[dict[str, Any]]]:
    """What is active; ``started`` are the START commands so far. A domain other than ``default`` is named
    in each entry. ``shadow``, what rules in shadow mode deduce, is there where such a rule is."""
    values = shard.engine.values
    found: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("entities", "relationships", "alarms", "causes", "workflows")
    }
    for domain, graph in sorted(shard.graphs.items()):
        facts = shard.engine.of(graph)
        mark = {} if domain == "default" else {"domain": domain}
        for vertex in _sorted(v for ids in graph.entities.values() for v in ids.values()):
            _, aggregated, operational = aggregate(vertex, values)
            live = vertex.live
            found["entities"].append(
                {
                    "type": vertex.type,
                    "id": vertex.id,
                    "name": vertex.name if live else None,
                    "category": vertex.category if live else None,
                    "state": vertex.state if live else None,
                    "aggregated_state": aggregated,
                    "operational_state": operational,
                    "placeholder": not live,
                    "marked_down": vertex.derived is not None and vertex.derived.down,
                    "attributes": dict(sorted((vertex.attributes or {}).items())) if live else {},
                    **({} if live else _waiting(vertex)),
                    **mark,
                }
            )
        found["relationships"] += [{**relationship, **mark} for relationship in _relationships(graph)]
        found["alarms"] += [{**alarm, **mark} for alarm in _alarms(graph, facts, shard)]
        causes = sorted((fact.source.key, fact.target.key) for fact in facts.causes.values() if fact.active)
        found["causes"] += [{"source": source, "target": target, **mark} for source, target in causes]
        shadow = [{**one, **mark} for one in standing(facts.shadows.values(), values)]
        if shadow or any(rule.shadow for rule in shard.rules.rules.values()):
            found["shadow"] = [*found.get("shadow", ()), *shadow]
    found["workflows"] = sorted(
        (
            {
                "workflow": command["workflow"],
                "input": command["input"],
                # What a trigger started has no rule.
                "rule": command["by"].get("rule"),
                "execution_id": command["execution"],
            }
            for command in started
        ),
        key=lambda entry: (entry["workflow"], repr(sorted(entry["input"].items())), entry["execution_id"]),
    )
    return found


def _waiting(placeholder: Vertex) -> dict[str, list[str]]:
    """The alarms that no rule sees before somebody describes what they are on."""
    ends = (placeholder.into or {}).get(ON, ())
    keys = sorted(end.key for end in ends if end.alarm is not None)
    return {"waiting": keys} if keys else {}


def _sorted(vertices: Iterable[Vertex]) -> list[Vertex]:
    return sorted(vertices, key=lambda vertex: (vertex.type, vertex.id))


def _relationships(graph: Graph) -> list[dict[str, Any]]:
    found = [
        (source.type, source.id, label, target.type, target.id)
        for ids in graph.entities.values()
        for source in ids.values()
        for label, ends in (source.out or {}).items()
        for target, edge in ends.items()
        if edge.base
    ]
    return [
        {
            "source": {"type": source_type, "id": source_id},
            "type": label,
            "target": {"type": target_type, "id": target_id},
        }
        for source_type, source_id, label, target_type, target_id in sorted(found)
    ]


def _alarms(graph: Graph, facts: Facts, shard: GraphShard) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for alarm in (a for keys in graph.alarms.values() for a in keys.values()):
        part = alarm.alarm
        assert part is not None
        fact = facts.alarms.get(part.key) if part.deduced else None
        rules = (
            {entry.match.clause.rule.name for among in fact.supports.values() for entry in among}
            if fact
            else set()
        )
        found.append(
            {
                "key": part.key,
                "source": alarm.type,
                "name": alarm.name,
                "severity": part.severity,
                "operational_severity": shard.engine.values.severity(alarm.type, part.severity)[1],
                "resource": {"type": part.resource.type, "id": part.resource.id},
                "deduced": part.deduced,
                "episode": fact.episode if fact is not None else None,
                "rules": sorted(rules),
                **({"flapping": True} if (alarm.attributes or {}).get("flapping") is True else {}),
            }
        )
    return sorted(found, key=lambda entry: (str(entry["key"]), str(entry["source"])))
