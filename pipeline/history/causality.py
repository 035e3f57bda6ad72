"""Why an alarm is there and what follows from a fault, along the causal edges that rules drew."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from ..errors import InvalidCall, NotFound
from .queries import MANY, SEVERITIES, alarms, similar, topology
from .reading import Reading

DEEPEST = 100
Edges = dict[str, list[dict[str, Any]]]


def root_causes(history: Reading, key: str, domain: str | None = None) -> dict[str, Any]:
    """The root causes of an alarm, the likeliest first, each with its ``path`` down to the alarm.

    ``edges`` are all causal edges above it. An alarm that has cleared is explained by the
    edges of its last life. Raises ``NotFound``, or ``InvalidCall`` when several domains have the alarm.
    """
    alarm = _find(history, key, domain)
    upward = _edges(history, alarm, [alarm["key"]], "target")
    found, order = _walk(alarm["key"], lambda at: [edge["source"] for edge in upward.get(at, [])])
    tops = [at for at in order if not upward.get(at) and at != alarm["key"]]
    downward = _edges(history, alarm, tops, "source")
    named = alarms(history, every=True, keys=order)
    known = {one["key"]: one for one in named if one["domain"] == alarm["domain"]}
    roots = []
    for reached in tops:
        below, _ = _walk(reached, lambda at: [edge["target"] for edge in downward.get(at, [])])
        roots.append({"alarm": known.get(reached, {"key": reached}), "path": _path(found, reached),
                      "explains": len(below) - 1})  # fmt: skip
    roots.sort(key=_likelihood)
    edges = [edge for at in order for edge in upward.get(at, [])]
    return {
        "alarm": alarm,
        "roots": roots,
        "edges": edges,
        "alarms": {at: known[at] for at in order if at in known},
    }


def impact(history: Reading, key: str, domain: str | None = None) -> dict[str, Any]:
    """What depends on an entity: ``entities`` along relationships, and ``alarms`` there or caused from there.

    Raises ``NotFound``, or ``InvalidCall`` when several domains have the entity.
    """
    world = topology(history)
    entity = _only([one for one in world["entities"] if one["key"] == key], "entity", key, domain)
    here = entity["domain"]
    known = {one["key"]: one for one in world["entities"] if one["domain"] == here}
    onward: dict[str, list[str]] = {}
    for edge in world["relationships"]:
        if edge["domain"] == here:
            onward.setdefault(_key(edge["source"]), []).append(_key(edge["target"]))
    found, order = _walk(key, lambda at: onward.get(at, []))
    standing = {one["key"]: one for one in world["alarms"] if one["domain"] == here}
    there = [
        one["key"] for one in standing.values() if f"{one['resource_type']}/{one['resource_id']}" in found
    ]
    downward = _edges(history, {"domain": here, "status": "ACTIVE"}, there, "source")
    caused: dict[str, None] = dict.fromkeys(there)
    for alarm in there:
        _, more = _walk(alarm, lambda at: [edge["target"] for edge in downward.get(at, [])])
        caused.update(dict.fromkeys(more))
    return {
        "entity": entity,
        "entities": [known[at] for at in order if at in known and at != key],
        "alarms": [standing[at] for at in caused if at in standing],
    }


def _find(history: Reading, key: str, domain: str | None) -> dict[str, Any]:
    exact = alarms(history, every=True, keys=[key])
    if exact:
        return _only(exact, "alarm", key, domain)
    near = similar(history, key)
    hint = f"; did you mean {near[0]!r}?" if near else "; faultline alarms lists the keys"
    raise NotFound(f"no alarm {key!r}{hint}")


def _only(found: list[dict[str, Any]], what: str, key: str, domain: str | None) -> dict[str, Any]:
    fit = [one for one in found if domain in (None, one["domain"])]
    if not fit:
        raise NotFound(
            f"no {what} {key!r}{f' in domain {domain!r}' if domain else ''}; faultline topology shows all"
        )
    if len(fit) > 1:
        domains = ", ".join(sorted(one["domain"] for one in fit))
        raise InvalidCall(f"{what} {key!r} is in several domains ({domains}); say which with --domain")
    return fit[0]


def _edges(history: Reading, alarm: dict[str, Any], starts: list[str], end: str) -> Edges:
    """The causal edges that lead on from ``starts``, by their ``end``; one for each pair of alarms.

    With ``end`` target they lead upward, to causes.
    """
    edges: Edges = {}
    frontier, seen = list(starts), set(starts)
    other = "source" if end == "target" else "target"
    for _ in range(DEEPEST):
        if not frontier:
            break
        wide = len(frontier) > MANY
        found = _standing(history, alarm, end, None if wide else frontier)
        if wide:
            # So many at once that asking for all there are is less work; it answers every further step.
            edges.clear()
        for edge in found:
            edges.setdefault(edge[end], []).append(edge)
        if wide:
            break
        frontier = [key for key in dict.fromkeys(edge[other] for edge in found) if key not in seen]
        seen.update(frontier)
    return edges


def _standing(
    history: Reading, alarm: dict[str, Any], end: str, keys: list[str] | None
) -> list[dict[str, Any]]:
    conditions = ["domain = {domain:String}"]
    parameters: dict[str, Any] = {"domain": alarm["domain"]}
    if keys is not None:
        conditions.append(f"{end} IN {{keys:Array(String)}}")
        parameters["keys"] = keys
    table = "faultline.causes_now"
    if alarm["status"] != "ACTIVE":
        # What stood while it was there.
        table = "faultline.causes"
        conditions.append(
            "op = 'ADDED' AND event_time BETWEEN parseDateTime64BestEffort({since:String}, 6, 'UTC')"
            " AND parseDateTime64BestEffort({until:String}, 6, 'UTC')"
        )
        parameters |= {"since": alarm["since"], "until": alarm["event_time"]}
    return history.rows(
        f"SELECT source, target, arraySort(groupUniqArray(rule)) AS rules FROM {table}"
        f" WHERE {' AND '.join(conditions)} GROUP BY source, target ORDER BY source, target",
        **parameters,
    )


def _walk(start: str, onward: Callable[[str], Iterable[str]]) -> tuple[dict[str, str], list[str]]:
    """Breadth first from ``start``: from where each was reached, and all in order."""
    came: dict[str, str] = {start: ""}
    queue = deque([(start, 0)])
    order = []
    while queue:
        at, depth = queue.popleft()
        order.append(at)
        if depth == DEEPEST:
            continue
        for following in onward(at):
            if following not in came:
                came[following] = at
                queue.append((following, depth + 1))
    return came, order


def _path(came: dict[str, str], reached: str) -> list[str]:
    path = [reached]
    while came[path[-1]]:
        path.append(came[path[-1]])
    return path


def _likelihood(root: dict[str, Any]) -> tuple[Any, ...]:
    """What explains more comes first, then what is worse, then what came earlier."""
    alarm = root["alarm"]
    severity = alarm.get("operational_severity", "N/A")
    rank = SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)
    return (-root["explains"], rank, alarm.get("since", ""), alarm["key"])


def _key(ref: dict[str, str]) -> str:
    return f"{ref['type']}/{ref['id']}"
