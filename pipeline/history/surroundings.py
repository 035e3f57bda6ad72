"""What lies around one thing as history has it now, and the graph of that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..errors import InvalidCall, NotFound
from ..graph.picture import picture
from ..graph.store import Graph
from ..graph.vertex import Vertex
from ..rules.whynot import Ended
from . import queries
from .queries import MANY, nearest, similar
from .reading import Reading, Rows

ENDED = 500
_ENTITIES = (
    "SELECT e.key AS key, e.type AS type, e.id AS id, e.name AS name, e.category AS category,"
    " e.state AS state, e.placeholder AS placeholder, e.attributes AS attributes, e.event_time AS event_time,"
    " s.aggregated_state AS aggregated_state, s.operational_state AS operational_state"
    " FROM faultline.entities_now AS e LEFT JOIN faultline.states_now AS s"
    " ON e.domain = s.domain AND e.key = s.key WHERE e.domain = {domain:String}"
)
_RELATIONSHIPS = (
    "SELECT source_type, source_id, type, target_type, target_id FROM faultline.relationships_now"
    " WHERE domain = {domain:String}"
)
_SIDES = {
    "source": "concat(source_type, '/', source_id)",
    "target": "concat(target_type, '/', target_id)",
}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The graph around ``vertex``, and the alarms that have cleared there, by their entity's key."""

    graph: Graph
    vertex: Vertex
    ended: dict[str, list[Ended]]


def find(history: Reading, key: str, domain: str | None, *, alarms: bool = False) -> str:
    """The domain that has an entity, or with ``alarms`` an active alarm, of that key.

    Raises ``NotFound`` with what may have been meant, or ``InvalidCall`` when several domains have it.
    """
    also = (
        " UNION DISTINCT SELECT domain FROM faultline.alarms_now"
        " WHERE key = {key:String} AND status = 'ACTIVE'"
    )
    found = history.rows(
        "SELECT domain FROM faultline.entities_now WHERE key = {key:String}" + (also if alarms else ""),
        key=key,
    )
    domains = sorted({row["domain"] for row in found if domain in (None, row["domain"])})
    if len(domains) > 1:
        raise InvalidCall(f"{key!r} is in several domains ({', '.join(domains)}); say which with --domain")
    if domains:
        return str(domains[0])
    near = [] if found else similar(history, key, "entities_now")
    where = f" in domain {domain!r}" if domain else ""
    what = "entity and no active alarm" if alarms else "entity"
    hint = nearest(near, "faultline topology shows all")
    raise NotFound(f"no {what} {key!r}{where}; {hint}")


def around(
    history: Reading, key: str, domain: str, hops: int, types: frozenset[str] | None = None
) -> Surroundings:
    """Everything within ``hops`` relationships, alarms and causes of an entity or active alarm.

    Ways lead on only through what is of ``types`` (None: through anything), so that a zone
    does not bring in all its hosts where zones do not matter. Raises ``NotFound`` when the
    domain has neither.
    """
    alarms = [one for one in queries.alarms(history) if one["domain"] == domain]
    causes = history.rows(
        "SELECT source, target FROM faultline.causes_now WHERE domain = {domain:String}", domain=domain
    )
    on = {one["key"]: resource(one) for one in alarms}
    sources = {one["key"]: one["source"] for one in alarms}
    beside: dict[str, list[str]] = {}
    for one, other in (*on.items(), *((edge["source"], edge["target"]) for edge in causes)):
        beside.setdefault(one, []).append(other)
        beside.setdefault(other, []).append(one)
    seen, frontier = {key}, [key]
    edges: dict[tuple[str, str, str], dict[str, Any]] = {}
    for _ in range(hops):
        reached = [other for one in frontier for other in beside.get(one, ())]
        for edge in relationships(history, domain, [one for one in frontier if one not in on]):
            source, target = ends(edge)
            edges[source, edge["type"], target] = edge
            reached += (source, target)
        fresh = [one for one in dict.fromkeys(reached) if one not in seen]
        seen.update(fresh)
        frontier = [
            one for one in fresh if types is None or (sources.get(one) or one.partition("/")[0]) in types
        ]
        if not frontier:
            break
    keys = [one for one in seen if one not in on]
    graph = picture(
        domain,
        entities=entities(history, domain, keys),
        # Whole domains are asked for at once where that is less work: what is too far away goes.
        relationships=[edge for (source, _, target), edge in edges.items() if {source, target} <= seen],
        # Those that are elsewhere, too: that is worth knowing where one is missing here.
        alarms=[
            one
            for one in alarms
            if types is None or one["source"] in types or {one["key"], on[one["key"]]} & seen
        ],
        causes=causes,
        down=_down(history, domain),
    )
    return Surroundings(graph, _vertex(graph, key, domain), _ended(history, domain, set(keys)))


def entities(history: Reading, domain: str, keys: list[str]) -> Rows:
    """The entities of ``keys`` that are there, placeholders too, with their states."""
    found = _asked(history, _ENTITIES, ("e.key",), keys, domain)
    wanted = set(keys)
    return [queries.parsed(row, "attributes") for row in found if row["key"] in wanted]


def relationships(history: Reading, domain: str, keys: list[str], *sides: str) -> Rows:
    """The relationships of which ``keys`` are an end, or only ``sides`` of ``source`` and ``target``.

    With very many keys those of the whole domain are answered.
    """
    columns = [_SIDES[side] for side in sides or _SIDES]
    return [
        {
            "source": {"type": row["source_type"], "id": row["source_id"]},
            "type": row["type"],
            "target": {"type": row["target_type"], "id": row["target_id"]},
        }
        for row in _asked(history, _RELATIONSHIPS, columns, keys, domain)
    ]


def ends(edge: dict[str, Any]) -> tuple[str, str]:
    """The keys of a relationship's ends."""
    source, target = edge["source"], edge["target"]
    return f"{source['type']}/{source['id']}", f"{target['type']}/{target['id']}"


def resource(alarm: dict[str, Any]) -> str:
    """The key of the entity that an alarm is on."""
    return f"{alarm['resource_type']}/{alarm['resource_id']}"


def _asked(history: Reading, sql: str, columns: Iterable[str], keys: list[str], domain: str) -> Rows:
    if not keys:
        return []
    if len(keys) > MANY:
        return history.rows(sql, domain=domain)
    among = " OR ".join(f"{column} IN {{keys:Array(String)}}" for column in columns)
    return history.rows(f"{sql} AND ({among})", domain=domain, keys=keys)


def _down(history: Reading, domain: str) -> list[str]:
    found = history.rows(
        "SELECT key FROM faultline.changes WHERE kind = 'DOWN' AND domain = {domain:String}"
        " GROUP BY key HAVING argMax(op, (epoch, log_offset, n)) = 'ADDED'",
        domain=domain,
    )
    return [row["key"] for row in found]


def _ended(history: Reading, domain: str, keys: set[str]) -> dict[str, list[Ended]]:
    found = history.rows(
        "SELECT key, source, name, severity, resource_type, resource_id, event_time"
        " FROM faultline.alarms_now WHERE status = 'CLEARED' AND domain = {domain:String}"
        f" ORDER BY event_time DESC LIMIT {ENDED}",
        domain=domain,
    )
    ended: dict[str, list[Ended]] = {}
    for row in found:
        if resource(row) in keys:
            ended.setdefault(resource(row), []).append(
                Ended(row["key"], row["source"], row["name"], row["severity"], row["event_time"])
            )
    return ended


def _vertex(graph: Graph, key: str, domain: str) -> Vertex:
    kind, _, identity = key.partition("/")
    vertex = graph.entity(kind, identity)
    if vertex is None:
        vertex = next((alarms[key] for alarms in graph.alarms.values() if key in alarms), None)
    if vertex is None:
        raise NotFound(
            f"no entity and no active alarm {key!r} in domain {domain!r};"
            " faultline topology and faultline alarms --all show what there is"
        )
    return vertex
