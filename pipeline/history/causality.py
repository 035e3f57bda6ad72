"""Why an alarm is there: along the causal edges that rules drew, and up the topology where none did."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ..errors import InvalidCall, NotFound
from .dependence import upstream
from .queries import MANY, SEVERITIES, alarms, nearest, similar
from .reading import Reading, Rows
from .surroundings import resource

if TYPE_CHECKING:
    import networkx as nx

DEEPEST = 100
SUSPECTS = 20
#: From when to when edges count; None: those that stand now.
Window = tuple[str, str | None] | None
_TIME = "parseDateTime64BestEffort({{{}:String}}, 6, 'UTC')"
_LAST = "(epoch, log_offset, n)"


def root_causes(
    history: Reading, key: str, domain: str | None = None, *, ended: bool = False
) -> dict[str, Any]:
    """The root causes of an alarm, the likeliest first, each with its ``path`` down to the alarm.

    ``edges`` are all causal edges above it. ``suspects`` are active alarms on what its entity
    depends on, or on that entity itself, which no rule has joined to it: the likeliest first, each with the
    ``way`` down the topology. An alarm that has cleared is explained by the edges that stood
    in its last life; with ``ended`` an active one too, and suspects may have cleared since it began.
    Raises ``NotFound``, or ``InvalidCall`` when several domains have the alarm.
    """
    import networkx as nx

    alarm = find_alarm(history, key, domain)
    here, key = alarm["domain"], alarm["key"]
    window = span(alarm) if ended or alarm["status"] != "ACTIVE" else None
    graph = causal(history, here, [key], window, upward=True)
    graph.add_node(key)
    tops = _tops(graph, key)
    below = causal(history, here, [one for circle in tops for one in circle], window)
    known = {
        one["key"]: one for one in alarms(history, every=True, keys=list(graph)) if one["domain"] == here
    }
    # From the alarm on, so that the nearest way of several is the first by name.
    paths = nx.single_source_shortest_path(graph.reverse(copy=False), key)
    needs = upstream(history, here, resource(alarm))
    roots = []
    for circle in tops:
        top = min(circle, key=lambda one: _standing(known.get(one, {"key": one})))
        root = {"alarm": known.get(top, {"key": top}), "path": paths[top][::-1],
                "explains": len({one for each in circle for one in _below(below, each)} - set(circle)),
                "way": _way(needs, known.get(top), alarm)}  # fmt: skip
        roots.append({**root, "circle": sorted(circle)} if len(circle) > 1 else root)
    roots.sort(key=_likelihood)
    suspects = _suspects(history, alarm, needs, set(graph), window)
    edges = [
        {"source": source, "target": target, "rules": rules}
        for source, target, rules in graph.edges(data="rules")
    ]
    return {
        "alarm": alarm,
        "roots": roots,
        "suspects": suspects,
        "edges": edges,
        "alarms": {at: known[at] for at in graph if at in known},
    }


def find_alarm(history: Reading, key: str, domain: str | None) -> dict[str, Any]:
    """The alarm, active or not. Raises ``NotFound`` with what may have been meant, or ``InvalidCall``."""
    found = alarms(history, every=True, keys=[key])
    fit = [one for one in found if domain in (None, one["domain"])]
    if len(fit) > 1:
        domains = ", ".join(sorted(one["domain"] for one in fit))
        raise InvalidCall(f"alarm {key!r} is in several domains ({domains}); say which with --domain")
    if fit:
        return fit[0]
    near = [] if found else similar(history, key)
    where = f" in domain {domain!r}" if domain else ""
    hint = nearest(near, "faultline alarms --all lists the keys")
    raise NotFound(f"no alarm {key!r}{where}; {hint}")


def span(alarm: dict[str, Any]) -> Window:
    """From when to when an alarm was there in its latest life."""
    return alarm["since"], None if alarm["status"] == "ACTIVE" else alarm["event_time"]


def causal(
    history: Reading, domain: str, starts: list[str], window: Window, *, upward: bool = False
) -> nx.DiGraph[str]:
    """The causal edges that lead on from alarms, down to effects or ``upward`` to causes, with ``rules``.

    Those that stand now, or with a ``window`` those that stood at any time in it.
    """
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    near, far = ("target", "source") if upward else ("source", "target")
    frontier, seen = list(starts), set(starts)
    for _ in range(DEEPEST):
        if not frontier:
            break
        # So many at once that asking for all there are is less work; it answers every further step.
        wide = len(frontier) > MANY
        found = _edges(history, domain, window, near, None if wide else frontier)
        graph.add_edges_from((edge["source"], edge["target"], {"rules": edge["rules"]}) for edge in found)
        if wide:
            reach = _upward(graph, starts) if upward else _downward(graph, starts)
            return graph.subgraph(reach).copy()
        frontier = [key for key in dict.fromkeys(edge[far] for edge in found) if key not in seen]
        seen.update(frontier)
    return graph


def worst(alarm: dict[str, Any]) -> int:
    """How bad an alarm is, for sorting: the worst first."""
    severity = alarm.get("operational_severity", "N/A")
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _edges(history: Reading, domain: str, window: Window, near: str, keys: list[str] | None) -> Rows:
    conditions = ["domain = {domain:String}"]
    parameters: dict[str, Any] = {"domain": domain}
    if keys is not None:
        conditions.append(f"{near} IN {{keys:Array(String)}}")
        parameters["keys"] = keys
    table, rules, having = "faultline.causes_now", "groupUniqArray(rule)", ""
    if window is not None:
        since, until = window
        parameters["since"] = since
        if until is not None:
            conditions.append(f"event_time <= {_TIME.format('until')}")
            parameters["until"] = until
        began = _TIME.format("since")
        table, rules = "faultline.causes", "groupUniqArrayIf(rule, op = 'ADDED')"
        # It stood when the window began, or came in it.
        having = (
            f" HAVING argMaxIf(op, {_LAST}, event_time <= {began}) = 'ADDED'"
            f" OR countIf(op = 'ADDED' AND event_time > {began}) > 0"
        )
    return history.rows(
        f"SELECT source, target, arraySort({rules}) AS rules FROM {table}"
        f" WHERE {' AND '.join(conditions)} GROUP BY source, target{having} ORDER BY source, target",
        **parameters,
    )


def _tops(graph: nx.DiGraph[str], key: str) -> list[list[str]]:
    """What nothing causes: single alarms, or circles of alarms that cause one another."""
    import networkx as nx

    condensed = nx.condensation(graph)
    circles = (condensed.nodes[at]["members"] for at, degree in condensed.in_degree() if not degree)
    return sorted(sorted(circle) for circle in circles if key not in circle)


def _suspects(
    history: Reading, alarm: dict[str, Any], needs: nx.DiGraph[str], causes: set[str], window: Window
) -> list[dict[str, Any]]:
    """Alarms up the topology that no rule has joined to this one and that nothing else explains."""
    import networkx as nx

    here, start = alarm["domain"], resource(alarm)
    distance = nx.single_source_shortest_path_length(needs.reverse(copy=False), start)
    near = [
        one
        for one in alarms(history, every=window is not None)
        if one["domain"] == here and resource(one) in distance and one["key"] not in causes
        and (window is None or _overlaps(one, window))
    ]  # fmt: skip
    effects = causal(history, here, [alarm["key"]], window)
    explained = causal(history, here, [one["key"] for one in near], window, upward=True)
    suspects = [
        {
            "alarm": one,
            "way": _way(needs, one, alarm),
            "distance": distance[resource(one)],
            "earlier": one["since"] <= alarm["since"],
        }
        for one in near
        # One that was deduced later may well have been deduced from this one.
        if not (one["deduced"] and one["since"] >= alarm["since"])
        and one["key"] not in effects
        and not explained.in_degree(one["key"])
    ] if near else []  # fmt: skip
    suspects.sort(
        key=lambda one: (
            not one["earlier"], one["distance"], _standing(one["alarm"])
        )
    )  # fmt: skip
    return suspects[:SUSPECTS]


def _overlaps(alarm: dict[str, Any], window: tuple[str, str | None]) -> bool:
    since, until = window
    if until is not None and alarm["since"] > until:
        return False
    return alarm["status"] == "ACTIVE" or bool(alarm["event_time"] >= since)


def _way(needs: nx.DiGraph[str], top: dict[str, Any] | None, alarm: dict[str, Any]) -> Any:
    """From a cause's entity down the topology to the alarm's; None where it is not up from there."""
    import networkx as nx

    if top is None or "resource_type" not in top or resource(top) not in needs:
        return None
    try:
        path = nx.shortest_path(needs, resource(top), resource(alarm))
    except nx.NetworkXNoPath:
        return None
    return steps(needs, path)


def steps(graph: nx.DiGraph[str], path: list[str]) -> list[dict[str, str]]:
    """A path as its steps: each ``key``, and the ``label`` that led to it."""
    labels = [graph.edges[pair]["label"] for pair in pairwise(path)]
    return [{"key": key, "label": label} for key, label in zip(path, ["", *labels], strict=True)]


def _below(graph: nx.DiGraph[str], key: str) -> set[str]:
    import networkx as nx

    return nx.descendants(graph, key) if key in graph else set()


def _upward(graph: nx.DiGraph[str], starts: Iterable[str]) -> set[str]:
    import networkx as nx

    return {one for start in starts if start in graph for one in (start, *nx.ancestors(graph, start))}


def _downward(graph: nx.DiGraph[str], starts: Iterable[str]) -> set[str]:
    import networkx as nx

    return {one for start in starts if start in graph for one in (start, *nx.descendants(graph, start))}


def _standing(alarm: dict[str, Any]) -> tuple[Any, ...]:
    """Worse first, then what came earlier."""
    return worst(alarm), alarm.get("since", ""), alarm["key"]


def _likelihood(root: dict[str, Any]) -> tuple[Any, ...]:
    """What explains more comes first, then what is worse, nearer in the topology, earlier."""
    way = root["way"]
    rank, since, key = _standing(root["alarm"])
    return -root["explains"], rank, DEEPEST if way is None else len(way), since, key
