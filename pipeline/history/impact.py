"""What a fault of an entity brings about: along relationships, and along the causal edges of alarms."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from . import surroundings
from .causality import Window, causal, worst
from .dependence import downstream
from .queries import SEVERITIES, alarms
from .reading import Reading
from .surroundings import resource

if TYPE_CHECKING:
    import networkx as nx

#: A causal edge has no beginning: with ended alarms, all that ever stood count.
EVER: Window = ("1970-01-01T00:00:00.000000Z", None)
ROUNDS = 20
ON, CAUSES = "on", "causes"
Node = tuple[str, str]


def impact(history: Reading, key: str, domain: str | None = None, *, ended: bool = False) -> dict[str, Any]:
    """What depends on an entity, the worst hit first, and the alarms there or caused from there.

    ``entities`` are reached along relationships or because an alarm here caused one there;
    each has the ``path`` to it and its ``alarms``, and ``affected`` tells whether it shows a fault. An alarm
    is ``caused`` when causal edges lead to it from an alarm on the entity itself.
    With ``ended`` alarms that have cleared count, too. Raises ``NotFound``, or ``InvalidCall`` when several
    domains have the entity.
    """
    import networkx as nx

    here = surroundings.find(history, key, domain)
    standing = {
        one["key"]: one for one in alarms(history, every=ended) if one["domain"] == here
    }  # fmt: skip
    graph, causes = _reach(history, here, key, standing, EVER if ended else None)
    paths = nx.single_source_shortest_path(graph, ("entity", key))
    reached = [at for kind, at in paths if kind == "entity"]
    rows = {row["key"]: row for row in surroundings.entities(history, here, reached)}
    own = [one["key"] for one in standing.values() if resource(one) == key]
    caused = {below for one in own if one in causes for below in nx.descendants(causes, one)}
    shown = [
        {**standing[at], "caused": at in caused, "path": _path(graph, paths["alarm", at])}
        for kind, at in paths
        if kind == "alarm" and at in standing
    ]
    shown.sort(
        key=lambda one: (one["status"] != "ACTIVE", not (one["caused"] or one["key"] in own), worst(one),
                         one["since"], one["key"])
    )  # fmt: skip
    there: dict[str, list[dict[str, Any]]] = {}
    for one in shown:
        there.setdefault(resource(one), []).append(one)
    entities = [
        _entity(rows[at], there.get(at, []), _path(graph, paths["entity", at]))
        for at in reached
        if at in rows and at != key
    ]
    entities.sort(key=_hit)
    return {
        "entity": {**rows.get(key, {"key": key}), "domain": here},
        "entities": [{**one, "domain": here} for one in entities],
        "alarms": shown,
        "affected": sum(one["affected"] for one in entities),
    }


def _reach(
    history: Reading, domain: str, key: str, standing: dict[str, dict[str, Any]], window: Window
) -> tuple[nx.DiGraph[Node], nx.DiGraph[str]]:
    """Entities and alarms in one graph, as far as a fault of ``key`` goes; and its causal edges alone."""
    import networkx as nx

    graph: nx.DiGraph[Node] = nx.DiGraph()
    graph.add_node(("entity", key))
    causes: nx.DiGraph[str] = nx.DiGraph()
    on: dict[str, list[str]] = {}
    for alarm in standing.values():
        on.setdefault(resource(alarm), []).append(alarm["key"])
    fresh = [key]
    for _ in range(ROUNDS):
        below = downstream(history, domain, fresh)
        graph.add_edges_from(
            (("entity", one), ("entity", other), {"label": label})
            for one, other, label in below.edges(data="label")
        )
        alarms_there = [alarm for one in below for alarm in on.get(one, ())]
        graph.add_edges_from(
            (("entity", resource(standing[alarm])), ("alarm", alarm), {"label": ON}) for alarm in alarms_there
        )
        further = causal(history, domain, [one for one in alarms_there if one not in causes], window)
        causes.add_nodes_from(alarms_there)
        causes.add_edges_from(further.edges)
        graph.add_edges_from(
            (("alarm", one), ("alarm", other), {"label": CAUSES}) for one, other in further.edges
        )
        known = {at for kind, at in graph if kind == "entity"}
        fresh = []
        for one in further:
            if one not in standing:
                continue
            place = resource(standing[one])
            # An alarm tells of its entity: that is how a fault leaves the topology.
            graph.add_edge(("alarm", one), ("entity", place), label=ON)
            if place not in known:
                fresh.append(place)
        fresh = list(dict.fromkeys(fresh))
        if not fresh:
            break
    return graph, causes


def _path(graph: nx.DiGraph[Node], path: list[Node]) -> list[dict[str, str]]:
    labels = ["", *(graph.edges[pair]["label"] for pair in pairwise(path))]
    return [
        {"kind": kind, "key": key, "label": label} for (kind, key), label in zip(path, labels, strict=True)
    ]


def _entity(row: dict[str, Any], alarms_: list[dict[str, Any]], path: list[dict[str, str]]) -> dict[str, Any]:
    active = [one for one in alarms_ if one["status"] == "ACTIVE"]
    return {
        **row,
        "alarms": [one["key"] for one in alarms_],
        "caused": any(one["caused"] for one in alarms_),
        "affected": bool(active) or (row["operational_state"] or "OK") not in ("OK", "N/A"),
        "severity": min((one["operational_severity"] for one in active), key=_rank, default=None),
        "distance": len(path) - 1,
        "path": path,
    }


def _hit(entity: dict[str, Any]) -> tuple[Any, ...]:
    """Caused from here first, then what shows a fault, the worst, the nearest."""
    return (
        not (entity["caused"] and entity["affected"]),
        not entity["affected"],
        _rank(entity["severity"]),
        entity["distance"],
        entity["key"],
    )


def _rank(severity: str | None) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)
