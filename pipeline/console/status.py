"""How the pipeline is doing, and whether it has done what there was to do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ..errors import BrokerUnavailable
from ..history.reading import Reading
from .board import Board, Positions
from .offsets import Extents

FACTS = ("topology.changes", "alarms.raw")
INBOUND = (*FACTS, "definitions.changes")
KEPT = ("graph.journal", "alarms.deduced", "workflow.steps", "dead.letters", "definitions.changes")
#: Who works on what, in the order in which a record goes through.
Stages = tuple[tuple[str, tuple[str, ...]], ...]
STAGES: Stages = (
    ("ingest", INBOUND),
    ("correlate", ("graph.input",)),
    # Those who watch for triggers learn first what to watch.
    ("triggers", ("definitions.changes",)),
    ("triggers", ()),
    ("workflow", ("workflow.commands",)),
    ("history", KEPT),
)
READERS = (*STAGES, ("executor", ("workflow.actions",)))
POLL = 0.05
AGAIN = 0.5


@dataclass(slots=True)
class Sight:
    """Where to look: what roles say, where topics end, how far history is."""

    board: Board
    extents: Callable[[tuple[str, ...]], Awaitable[Extents]]
    kept: Callable[[], dict[str, dict[str, int]]]

    def positions(self, role: str) -> Positions:
        """How far ``role`` has come; history is asked itself."""
        if role == "triggers":
            return self.board.watching()
        if role != "history":
            return self.board.positions(role)
        return {
            topic: {int(number): offset for number, offset in partitions.items()}
            for topic, partitions in self.kept().items()
        }


def behind(extents: Extents, positions: Positions) -> dict[str, dict[int, int]]:
    """How many records each partition is behind its end; those that are not are left out."""
    found: dict[str, dict[int, int]] = {}
    for topic, partitions in extents.items():
        for number, (first, end) in partitions.items():
            # What retention has removed is nobody's to do.
            reached = max(first, positions.get(topic, {}).get(number, 0))
            if reached < end:
                found.setdefault(topic, {})[number] = end - reached
    return found


async def settled(sight: Sight, seconds: float, stages: Stages = STAGES) -> dict[str, Any]:
    """Waits until all that stood in the inbound topics, and what follows from it, can be read from history.

    ``settled`` says whether that came to be in time, ``lagging`` which role it was waiting
    for, ``detail`` on what. What playbooks do later is not waited for: a stage's end is
    taken when the stage before has come to its own.
    """
    deadline = time.monotonic() + seconds
    for role, topics in stages:
        if role == "triggers":
            watched = tuple(sight.positions(role))
            if not watched:
                continue
            topics = topics or watched
        while True:
            try:
                ends = await sight.extents(topics)
                break
            except BrokerUnavailable as error:
                # It may be restarting: what it holds is still to be waited for.
                if time.monotonic() >= deadline:
                    return {"settled": False, "lagging": role, "detail": str(error)}
                await asyncio.sleep(AGAIN)
        while left := behind(ends, sight.positions(role)):
            if time.monotonic() >= deadline:
                return {"settled": False, "lagging": role, "detail": _detail(sight, role, left)}
            await asyncio.sleep(POLL)
    return {"settled": True, "lagging": None, "detail": ""}


def _detail(sight: Sight, role: str, left: dict[str, dict[int, int]]) -> str:
    words = ", ".join(f"{sum(counts.values())} records behind on {topic}" for topic, counts in left.items())
    if role in ("history", "triggers") or sight.board.alive(role):
        return f"{role} is {words}"
    return f"{role} is {words} and has not been heard of lately: is it running?"


async def overview(sight: Sight, history: Reading) -> dict[str, Any]:
    """Everything that ``faultline status`` shows."""
    found = await sight.extents(tuple(topic for _, topics in READERS for topic in topics))
    lag = {}
    for role, topics in READERS:
        positions = sight.positions(role)
        for topic in topics:
            # Who is named first has the topic in hand; others read it too.
            if topic in found and topic not in lag:
                left = behind({topic: found[topic]}, positions).get(topic, {})
                lag[topic] = {
                    "role": role,
                    "end": sum(end for _, end in found[topic].values()),
                    "lag": sum(left.values()),
                    "partitions": {str(number): count for number, count in sorted(left.items())},
                }
    roles = sight.board.roles()
    counts = await asyncio.to_thread(_counts, history)
    ingested = sight.positions("ingest")
    read = sum(sum(ingested.get(topic, {}).values()) for topic in FACTS)
    return {
        "roles": roles,
        "lag": lag,
        "records": {"read": read, **counts.pop("records")},
        **counts,
        "matches": _matches(roles),
        "shadow": _shadow(roles),
    }


def _counts(history: Reading) -> dict[str, Any]:
    """What the tables say of facts, not of definitions; a record that was sent twice counts once."""
    [records] = history.rows(
        "SELECT uniqExactIf(place, outcome NOT IN ('REPEATED', 'IGNORED')) AS applied,"
        " uniqExactIf(place, outcome = 'IGNORED') AS ignored,"
        " uniqExactIf(place, outcome = 'REPEATED') AS repeated FROM ("
        "SELECT (epoch, log_partition, log_offset) AS place, outcome FROM faultline.changes"
        " WHERE kind != 'DOWN' UNION ALL"
        " SELECT (epoch, log_partition, log_offset), outcome FROM faultline.alarms WHERE NOT deduced)"
    )
    [letters] = history.rows(
        "SELECT uniqExact(origin_topic, origin_partition, origin_offset) AS dead_lettered"
        " FROM faultline.dead_letters"
    )
    placeholders = history.rows(
        "SELECT e.domain AS domain, e.key AS key, arraySort(groupArrayIf(a.key, a.key != '')) AS alarms"
        " FROM (SELECT domain, key FROM faultline.entities_now WHERE placeholder) AS e"
        " LEFT JOIN (SELECT domain, key, concat(resource_type, '/', resource_id) AS resource"
        " FROM faultline.alarms_now WHERE status = 'ACTIVE') AS a"
        " ON a.domain = e.domain AND a.resource = e.key GROUP BY domain, key ORDER BY domain, key LIMIT 1000"
    )
    rules = history.rows("SELECT name, op, revision, reason FROM faultline.rules_now ORDER BY name")
    executions = history.rows(
        "SELECT state, count() AS executions FROM faultline.executions_now GROUP BY state ORDER BY state"
    )
    return {
        "records": {**records, **letters},
        "placeholders": placeholders,
        "rules": {
            "loaded": [rule["name"] for rule in rules if rule["op"] != "ERROR"],
            "error": [
                {"name": rule["name"], "reason": rule["reason"]} for rule in rules if rule["op"] == "ERROR"
            ],
        },
        "executions": {row["state"]: row["executions"] for row in executions},
    }


def _shadow(roles: list[dict[str, Any]]) -> list[str]:
    """The rules that are in shadow mode."""
    told = [role.get("counters", {}).get("rules", {}) for role in roles if role.get("role") == "correlate"]
    return sorted({name for rules in told for name, rule in rules.items() if rule.get("mode") == "shadow"})


def _matches(roles: list[dict[str, Any]]) -> dict[str, int]:
    """Standing matches of each rule, over the partitions that somebody holds now."""
    found: dict[str, int] = {}
    for role in roles:
        if role.get("role") == "correlate" and role["alive"]:
            for name, rule in role.get("counters", {}).get("rules", {}).items():
                found[name] = found.get(name, 0) + rule.get("matches", 0)
    return found
