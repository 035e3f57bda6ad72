"""A record's net effect as output records: deduced alarms, workflow starts, the journal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..events import ALARM, Output
from ..graph.alarms import told
from ..graph.merge import described
from ..graph.step import Step, aggregate, presence
from ..graph.store import Graph
from ..graph.vertex import DEDUCED, Vertex
from ..ids import identify
from .effects import Facts
from .facts import AlarmFact, CauseFact, DownFact, Fact, ShadowFact, StartFact, Support, winner
from .shadow import change as shadow_change
from .waiting import stood

Before = dict[Fact, tuple[Any, ...]]
# Changes in one record of the journal: about a quarter of a megabyte.
PART = 400


def outputs(step: Step, of: Callable[[Graph], Facts], before: Before, starts: bool) -> list[Output]:
    """Everything that follows from a step. ``starts`` is false while definitions change:
    what a rule finds when it comes is there already and starts nothing."""
    journal: dict[str, list[dict[str, Any]]] = {step.input.domain: []}
    for entry in step.journal:
        journal.setdefault(entry.pop("domain", step.input.domain), []).append(_shown(step, entry))
    alarms: list[Output] = []
    commands: list[Output] = []
    _entities(step, journal)
    changed = [entry for entry in before.items() if entry[0].snapshot(step.values) != entry[1]]
    if len(changed) > 1:
        changed.sort(key=lambda entry: _order(entry[0]))
    for fact, snapshot in changed:
        domain = (fact.graph if isinstance(fact, StartFact | ShadowFact) else fact.target.graph).domain
        changes = journal.setdefault(domain, [])
        if isinstance(fact, ShadowFact):
            _shadow(step, fact, snapshot, starts, changes)
        elif isinstance(fact, AlarmFact):
            _alarm(step, fact, snapshot, domain, alarms, changes)
        elif isinstance(fact, CauseFact):
            _cause(step, fact, changes)
        elif isinstance(fact, DownFact):
            changes.append(
                {"kind": "DOWN", "key": fact.target.key, "down": fact.down, **_because(winner(fact))}
            )
        elif isinstance(fact, StartFact) and fact.wanted and starts and _fresh(fact):
            _start(step, fact, commands, changes)
    _states(step, of, journal)
    parts = [part for domain, changes in journal.items() for part in _journal(step, domain, changes)]
    return [*alarms, *commands, *parts]


def _alarm(
    step: Step,
    fact: AlarmFact,
    snapshot: tuple[Any, ...],
    domain: str,
    alarms: list[Output],
    changes: list[dict[str, Any]],
) -> None:
    if fact.severity is not None:
        if snapshot[0] is None:
            step.undo.set(fact, "episode", fact.episode + 1)
        support = winner(fact)
        assert support is not None
        rule = support.match.clause.rule
        announced = {
            "severity": fact.severity,
            "rule": {
                "name": rule.name,
                "revision": rule.revision,
                "scenario": support.match.clause.scenario.index,
            },
            "match": support.match.named(),
        }
        step.undo.set(fact, "announced", announced)
    status = "CLEARED" if fact.severity is None else "ACTIVE"
    told_last = fact.announced or {"severity": snapshot[0], "rule": None, "match": {}}
    severity = told_last["severity"]
    operational = step.values.severity(DEDUCED, severity)[1]
    resource = {"type": fact.target.type, "id": fact.target.id}
    key, record = fact.key, step.input
    id_ = _identify(step, "alarm", domain, key, status, severity)
    value = {
        "id": id_,
        "time": record.time,
        "source": DEDUCED,
        "domain": domain,
        "alarm": {
            "key": key,
            "name": fact.name,
            "severity": severity,
            "operational_severity": operational,
            "status": status,
            "resource": resource,
            "episode": fact.episode,
        },
        "rule": told_last["rule"],
        "match": told_last["match"],
        "cause": {"record": record.id},
        "position": [step.partition, step.offset],
    }
    alarms.append(Output("alarms.deduced", domain, id_, record.time, value))
    op = "CLEARED" if fact.severity is None else "RAISED" if snapshot[0] is None else "CHANGED"
    changes.append(
        {
            "kind": ALARM,
            "op": op,
            "key": key,
            "deduced": True,
            "id": id_,
            "alarm": {
                "source": DEDUCED,
                "name": fact.name,
                "severity": severity,
                "operational_severity": operational,
                "status": status,
                "resource": resource,
                "attributes": {},
                "episode": fact.episode,
            },
            "rule": told_last["rule"],
            "match": told_last["match"],
        }
    )
    step.dirty.add(f"d\x1f{domain}\x1f{key}")


def _cause(step: Step, fact: CauseFact, changes: list[dict[str, Any]]) -> None:
    # An edge that is gone has no reason left. What was last told of it is not kept, so telling
    # it again would make a journal that depends on whether the shard was restored in between.
    because = _because(winner(fact) if fact.active else None)
    op = "ADDED" if fact.active else "REMOVED"
    changes.append(
        {"kind": "CAUSE", "op": op, "source": fact.source.key, "target": fact.target.key, **because}
    )


def _start(step: Step, fact: StartFact, commands: list[Output], changes: list[dict[str, Any]]) -> None:
    support = winner(fact)
    assert support is not None
    match, record = support.match, step.input
    root = identify("start", fact.workflow, fact.canonical, step.partition, step.offset)
    step.undo.set(fact, "execution", root)
    id_ = identify("START", root)
    alarm = next((vertex.key for vertex in match.bind if vertex.category == ALARM), None)
    rule = match.clause.rule
    value = {
        "id": id_,
        "time": record.time,
        "command": "START",
        "root": root,
        "execution": root,
        "workflow": fact.workflow,
        "input": fact.input,
        "by": {
            "rule": rule.name,
            "revision": rule.revision,
            "alarm": alarm,
            "domain": fact.graph.domain,
            "record": record.id,
            "position": [step.partition, step.offset],
        },
    }
    commands.append(Output("workflow.commands", root, id_, record.time, value))
    changes.append(
        {
            "kind": "WORKFLOW",
            "workflow": fact.workflow,
            "input": fact.input,
            "execution": root,
            **_because(support),
        }
    )


def _shadow(
    step: Step, fact: ShadowFact, snapshot: tuple[Any, ...], starts: bool, changes: list[dict[str, Any]]
) -> None:
    if isinstance(fact.about, StartFact) and not (fact.standing and starts and _fresh(fact)):
        return
    made = shadow_change(fact, snapshot[0], step.values)
    changes.append({**made, **_because(winner(fact) if fact.standing else None, fact.rule)})


def _fresh(fact: StartFact | ShadowFact) -> bool:
    """Whether any match that wants it was not there already when its rule came."""
    return any(not stood(entry.match) for among in fact.supports.values() for entry in among)


def _entities(step: Step, journal: dict[str, list[dict[str, Any]]]) -> None:
    for vertex, before in sorted(step.entities_before.items(), key=lambda entry: entry[0].key):
        after = presence(vertex)
        if after == before or after == "live":
            continue
        if after == "placeholder":
            _entity(journal, vertex, "UPSERT")
        elif before == "placeholder":
            _entity(journal, vertex, "DELETE")


def _entity(journal: dict[str, list[dict[str, Any]]], vertex: Vertex, op: str) -> None:
    change = {"kind": "ENTITY", "op": op, "key": vertex.key, "entity": described(vertex)}
    journal.setdefault(vertex.graph.domain, []).append(change)


def _states(step: Step, of: Callable[[Graph], Facts], journal: dict[str, list[dict[str, Any]]]) -> None:
    changed = []
    for vertex, before in step.states_before.items():
        after = aggregate(vertex, step.values)
        if after[1:] != before[1:] and vertex.live:
            changed.append((vertex, after))
    for vertex, after in sorted(changed, key=lambda entry: entry[0].key):
        domain = vertex.graph.domain
        fact = of(vertex.graph).states.get(vertex)
        derives = (
            fact is not None
            and fact.word is not None
            and after[1] == fact.word.upper() != (after[0] or "").upper()
        )
        because = _because(winner(fact) if fact is not None and derives else None)
        change = {
            "kind": "STATE",
            "key": vertex.key,
            "state": after[0],
            "aggregated_state": after[1],
            "operational_state": after[2],
            **because,
        }
        journal.setdefault(domain, []).append(change)


def _because(support: Support | None, name: str | None = None) -> dict[str, Any]:
    if support is None:
        return {"rule": None if name is None else {"name": name}, "match": None}
    clause = support.match.clause
    rule = {"name": clause.rule.name, "revision": clause.rule.revision, "scenario": clause.scenario.index}
    return {"rule": rule, "match": support.match.named()}


def _shown(step: Step, entry: dict[str, Any]) -> dict[str, Any]:
    vertex = entry.pop("vertex", None)
    if vertex is None:
        if step.time < step.now and entry["kind"] in ("REPEATED", "IGNORED"):
            entry["late"] = True
        return entry
    if entry["kind"] == "ENTITY":
        return {
            "kind": "ENTITY",
            "op": entry["op"],
            "key": vertex.key,
            "entity": entry.get("entity") or described(vertex),
        }
    return {**entry, "alarm": told(vertex, step)}


def _journal(step: Step, domain: str, changes: list[dict[str, Any]]) -> list[Output]:
    """The journal's record; several where there is too much for one Kafka record."""
    parts = [changes[start : start + PART] for start in range(0, len(changes), PART)]
    record, outputs = step.input, []
    for number, part in enumerate(parts):
        id_ = _identify(step, "journal", domain, *((str(number),) if number else ()))
        value: dict[str, Any] = {
            "id": id_,
            "time": record.time,
            "at": record.at,
            "domain": domain,
            "source": record.source,
            "record": record.id,
            "position": [step.partition, step.offset],
            "changes": part,
        }
        if len(parts) > 1:
            value["part"] = [number + 1, len(parts)]
        if record.origin is not None:
            origin = record.origin
            value["origin"] = [origin.topic, origin.topic_id, origin.partition, origin.offset]
        if step.time < step.now:
            value["late"] = True
        outputs.append(Output("graph.journal", domain, id_, record.time, value))
    return outputs


def _identify(step: Step, kind: str, *causes: str) -> str:
    if step.salt:
        causes = (*causes, step.salt)
    return identify(kind, step.partition, step.offset, *causes)


def _order(fact: Fact) -> tuple[Any, ...]:
    if isinstance(fact, AlarmFact):
        return 0, fact.target.graph.domain, fact.key
    if isinstance(fact, CauseFact):
        return 1, fact.target.graph.domain, fact.source.key, fact.target.key
    if isinstance(fact, StartFact):
        return 3, fact.graph.domain, fact.workflow, fact.canonical
    if isinstance(fact, ShadowFact):
        return 4, fact.graph.domain, *fact.key
    return 2, fact.target.graph.domain, fact.target.key
