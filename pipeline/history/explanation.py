"""Why an alarm is, or was, there: the rule as it held, the match, the records, the chain down to reports."""

from __future__ import annotations

from typing import Any

from ..errors import NotFound
from . import rulebook
from .causality import find_alarm
from .lives import Domain
from .queries import parsed
from .reading import Reading

DEEPEST = 20
NODES = 200


def explain(
    history: Reading, key: str, domain: str | None = None, until: str | None = None
) -> dict[str, Any]:
    """Everything about the present life of an alarm, or its last one (of those that began by ``until``).

    ``records`` are what made it what it is, in order. A deduced alarm has ``rule``, ``match`` and
    ``chain``; a reported one has ``repeated``, how often the same was said again. Raises
    ``NotFound``, or ``InvalidCall`` when several domains have the alarm.
    """
    alarm = find_alarm(history, key, domain)
    place = Domain(history, alarm["domain"], until)
    life = place.life(alarm["key"])
    if not life:
        first = Domain(history, alarm["domain"], None).life(alarm["key"])
        since = f"; its latest life began at {first[0]['event_time']}" if first else ""
        raise NotFound(f"no alarm {alarm['key']!r} by {until}{since}")
    found: dict[str, Any] = {"alarm": alarm, "records": [_record(place, row) for row in life]}
    deciding = next((row for row in reversed(life) if row["status"] == "ACTIVE"), None)
    if not alarm["deduced"]:
        return {**found, "rule": None, "match": [], "chain": None, "repeated": place.repeated(life)}
    if deciding is None:
        return {**found, "rule": None, "match": [], "chain": None, "repeated": None}
    rule, wants = _rule(history, deciding)
    walk = _Chain(place)
    return {
        **found,
        "rule": rule,
        "match": _match(place, deciding, wants),
        "chain": walk.node(deciding, wants),
        "repeated": None,
    }


class _Chain:
    """What an alarm was deduced from, and that from what, down to what was reported."""

    def __init__(self, place: Domain) -> None:
        self.place = place
        self.seen: set[str] = set()

    def node(
        self, row: dict[str, Any], wants: dict[str, dict[str, str]] | None = None, depth: int = 0
    ) -> Any:
        """The node of an alarm's row; ``from`` are the nodes below it."""
        key, position = row["key"], row["log_offset"]
        again = key in self.seen
        self.seen.add(key)
        node = _node(self.place, row)
        if again or depth >= DEEPEST or len(self.seen) >= NODES or not row["deduced"]:
            return {**node, "again": again, "from": []}
        if wants is None:
            _, wants = _rule(self.place.history, row)
        match = _bound(row)
        causes = [one for one in self.place.causes(key, position) if one not in match.values()]
        alarms = self.place.standing(list(dict.fromkeys([*match.values(), *causes])), position)
        below = []
        for alarm in alarms:
            by = [name for name, bound in match.items() if bound == alarm["key"]]
            below.append({**self.node(alarm, None, depth + 1), "as": by[0] if by else "cause"})
        known = {alarm["key"] for alarm in alarms}
        reads = {name for name, want in wants.items() if _states(want)}
        entities = {bound: name for name, bound in match.items() if bound not in known and name in reads}
        for at, entity in self.place.entities(list(entities), position).items():
            state = entity.get("set")
            if state is not None and state["rule"] and at not in self.seen:
                below.append({**self._state(at, state, depth), "as": entities[at]})
        return {**node, "again": False, "from": below}

    def _state(self, key: str, row: dict[str, Any], depth: int) -> dict[str, Any]:
        self.seen.add(key)
        match = {name: bound for name, bound in (row["match"] or {}).items() if bound != key}
        alarms = self.place.standing(list(dict.fromkeys(match.values())), row["log_offset"])
        names = {bound: name for name, bound in match.items()}
        return {
            "entity": key,
            "state": row["aggregated_state"],
            "operational_state": row["operational_state"],
            "rule": row["rule"],
            "event_time": row["event_time"],
            "record": row["record"],
            "origin": _origin(self.place, row),
            "again": False,
            "from": [{**self.node(one, None, depth + 1), "as": names[one["key"]]} for one in alarms],
        }


def _node(place: Domain, row: dict[str, Any]) -> dict[str, Any]:
    return {
        "alarm": row["key"],
        "severity": row["severity"],
        "operational_severity": row["operational_severity"],
        "deduced": row["deduced"],
        "rule": row["rule"],
        "scenario": row["scenario"] if row["deduced"] else None,
        "event_time": row["event_time"],
        "record": row["record"],
        "origin": _origin(place, row),
    }


def _record(place: Domain, row: dict[str, Any]) -> dict[str, Any]:
    """One row of an alarm as the record that made it."""
    what = row["outcome"] if not row["deduced"] or row["status"] == "CLEARED" else "ACTIVE"
    return {
        "what": what,
        "reason": row["reason"],
        "severity": row["severity"],
        "operational_severity": row["operational_severity"],
        "event_time": row["event_time"],
        "ingest_time": row["ingest_time"],
        "late": row["late"],
        "id": row["id"],
        "record": row["record"],
        "said": place.origin(row).get("what", ""),
        "origin": _origin(place, row),
        "log": {"topic": "graph.input", "partition": row["log_partition"], "offset": row["log_offset"]},
        "told": {"topic": row["topic"], "partition": row["partition"], "offset": row["offset"]},
        "attributes": parsed({"attributes": row["attributes"]}, "attributes")["attributes"],
    }


def _origin(place: Domain, row: dict[str, Any]) -> dict[str, Any] | None:
    """Where the inbound record stood; None where history was not told."""
    found = place.origin(row)
    if not found["topic"]:
        return None
    return {name: found[name] for name in ("topic", "partition", "offset")}


def _rule(history: Reading, row: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
    """The rule of a deduced alarm's row, and what each element of its pattern wants."""
    found: dict[str, Any] = {
        "name": row["rule"], "revision": row["rule_revision"], "scenario": row["scenario"],
        "condition": "", "excerpt": "", "text": None, "path": "", "parameters": {}, "live_since": None,
        "live": rulebook.live(history, row["rule"]),
    }  # fmt: skip
    kept = rulebook.text(history, row["rule"], row["rule_revision"], row["ingest_time"])
    if kept is None:
        return found, {}
    found |= {
        "text": kept["text"],
        "path": kept["path"],
        "parameters": parsed({"parameters": kept["parameters"]}, "parameters")["parameters"] or {},
        "live_since": kept["event_time"],
    }
    read = rulebook.scenario(history, kept, row["scenario"])
    if read is None:
        return found, {}
    template, scenario = read
    found["condition"] = scenario.text
    found["excerpt"] = rulebook.excerpt(kept, template, row["scenario"])
    return found, template.entities


def _match(place: Domain, row: dict[str, Any], wants: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    """Which element was bound to what, and how that was then."""
    match, position = _bound(row), row["log_offset"]
    keys = list(dict.fromkeys(match.values()))
    alarms = {one["key"]: one for one in place.standing(keys, position)}
    entities = place.entities([key for key in keys if key not in alarms], position)
    found = []
    for name, key in match.items():
        one: dict[str, Any] = {"element": name, "key": key, "wants": wants.get(name, {})}
        if key in alarms:
            alarm = alarms[key]
            one["alarm"] = {
                field: alarm[field]
                for field in ("severity", "operational_severity", "deduced", "event_time", "record")
            }
        elif key in entities:
            entity = entities[key]
            state = entity.get("set") or {}
            one["entity"] = {
                "name": entity.get("name"),
                "state": entity.get("state"),
                "aggregated_state": state.get("aggregated_state"),
                "operational_state": state.get("operational_state"),
                "event_time": entity.get("event_time"),
                "record": entity.get("record"),
            }
        found.append(one)
    return found


def _bound(row: dict[str, Any]) -> dict[str, str]:
    match = parsed({"match": row["match"]}, "match")["match"]
    return match if isinstance(match, dict) else {}


def _states(wants: dict[str, str]) -> bool:
    """Whether an element is chosen by a state that rules may have set."""
    names = {name.removesuffix(".regex").removeprefix("vitrage_") for name in wants}
    return not names.isdisjoint({"aggregated_state", "operational_state"}) or "vitrage_state" in wants
