"""How alarm reports merge into the graph."""

from __future__ import annotations

from sys import intern
from typing import Any

from ..events import ALARM, Alarm, alarm_key
from .said import Tomb, judge, move, note
from .step import Added, Changed, Step
from .store import Graph
from .vertex import ACTIVE, ON, AlarmPart, Edge, Vertex
from .watches import forget, steady
from .words import CLEARING

_SEVERITY = ("severity", "aggregated_severity", "operational_severity")


def merge_alarm(step: Step, graph: Graph, report: Alarm) -> None:
    """Applies an alarm report."""
    record = step.input
    source = record.source
    resource = report.resource
    shown = alarm_key(source, report.name, resource, report.external_id)
    key = graph.alarm_key(source, shown)
    alarm = graph.alarm(source, shown)
    tomb = graph.tombs.get(key) if graph.tombs else None
    claims: Vertex | Tomb | None = alarm if alarm is not None else tomb
    if claims is not None:
        verdict = judge(claims, source, step.time, record.id)
        if verdict != "new":
            kind = "IGNORED" if verdict == "older" else "REPEATED"
            step.ignored(kind, shown, verdict, alarm=reported(step, report))
            return
    step.dirty.add(key)
    gone = step.deleted_since(resource.type, resource.id, graph, step.time)
    cleared = gone or report.status == "CLEARED" or report.severity.upper() in CLEARING
    why = ""
    if not gone and (graph.watches or step.values.hygiene is not None):
        applied, why = steady(step, graph, report, alarm, key, cleared)
        if applied is None:
            step.ignored("REPEATED", shown, why, alarm=reported(step, report))
            note(step.undo, alarm or step.tomb(graph, key), source, step.time, record.id)
            return
        if why:
            cleared = False
            if alarm is not None:
                _hold(step, graph, alarm, report, applied, why)
                note(step.undo, alarm, source, step.time, record.id)
                return
        report = applied
    if cleared:
        if alarm is not None:
            remove_alarm(step, alarm, "REMOVED" if gone else "CLEARED", report)
        elif gone:
            step.ignored("IGNORED", shown, "resource deleted", alarm=reported(step, report))
        else:
            step.ignored("REPEATED", shown, "not active", alarm=reported(step, report))
        tomb = step.tomb(graph, key)
        step.undo.set(tomb, "since", step.now)
        note(step.undo, tomb, source, step.time, record.id)
        return
    if alarm is None:
        alarm = _raise(step, graph, report, shown)
        if tomb is not None:
            move(step.undo, tomb, alarm)
            step.undo.drop(graph.tombs, key)
        step.journal.append(
            {"kind": "ALARM", "op": "RAISED", "key": shown, "deduced": False, "vertex": alarm}
        )
    elif _update(step, graph, alarm, report):
        step.journal.append(
            {"kind": "ALARM", "op": "CHANGED", "key": shown, "deduced": False, "vertex": alarm}
        )
    else:
        step.ignored("REPEATED", shown, "same", alarm=told(alarm, step))
    note(step.undo, alarm, source, step.time, record.id)


def pass_on(step: Step, alarm: Vertex, report: Alarm) -> None:
    """Applies what was held back of a restless alarm."""
    graph, part = alarm.graph, alarm.alarm
    assert part is not None
    step.dirty.add(graph.alarm_key(alarm.type, part.key))
    first = len(step.journal)
    if report.status == "CLEARED":
        remove_alarm(step, alarm, "CLEARED")
    elif _update(step, graph, alarm, report):
        step.journal.append(
            {"kind": "ALARM", "op": "CHANGED", "key": part.key, "deduced": False, "vertex": alarm}
        )
    for entry in step.journal[first:]:
        entry["domain"] = graph.domain


def _hold(step: Step, graph: Graph, alarm: Vertex, report: Alarm, applied: Alarm, why: str) -> None:
    """Keeps a restless alarm at what ``applied`` says instead of ``report``."""
    assert alarm.alarm is not None
    shown = alarm.alarm.key
    if _update(step, graph, alarm, applied):
        step.journal.append(
            {"kind": "ALARM", "op": "CHANGED", "key": shown, "deduced": False, "reason": why, "vertex": alarm}
        )
    else:
        step.ignored("REPEATED", shown, why, alarm=reported(step, report))


def remove_alarm(step: Step, alarm: Vertex, op: str, report: Alarm | None = None) -> None:
    """Takes an alarm away; what was said of it is remembered."""
    assert alarm.alarm is not None
    shown = alarm.alarm.key
    key = alarm.graph.alarm_key(alarm.type, shown)
    tomb = step.tomb(alarm.graph, key)
    move(step.undo, alarm, tomb)
    step.undo.set(tomb, "since", step.now)
    step.dirty.add(key)
    object_ = told(alarm, step)
    object_["status"] = "CLEARED"
    if report is not None and report.severity:
        object_["severity"] = report.severity
        object_["operational_severity"] = step.values.severity(alarm.type, report.severity)[1]
    step.journal.append({"kind": "ALARM", "op": op, "key": shown, "deduced": False, "alarm": object_})
    if op == "REMOVED" and alarm.graph.watches:
        forget(step, alarm.graph, key)
    step.drop_alarm(alarm)


def _raise(step: Step, graph: Graph, report: Alarm, key: str) -> Vertex:
    resource = step.place(graph, report.resource.type, report.resource.id)
    source = intern(step.input.source)
    alarm = Vertex(graph, source, report.external_id or key)
    alarm.alarm = AlarmPart(key, resource, intern(report.severity), report.external_id)
    alarm.name = intern(report.name)
    alarm.category = ALARM
    alarm.state = ACTIVE
    alarm.attributes = {
        intern(name): value for name, value in report.attributes.items() if value is not None
    } or None
    alarm.live = True
    keys = graph.alarms.get(source)
    if keys is None:
        keys = {}
        step.undo.put(graph.alarms, source, keys)
    step.undo.put(keys, key, alarm)
    step.link(alarm, ON, resource, Edge(base=True))
    step.changes.append(Added(alarm))
    return alarm


def _update(step: Step, graph: Graph, alarm: Vertex, report: Alarm) -> bool:
    part, undo, name = alarm.alarm, step.undo, alarm.name
    assert part is not None
    properties: set[str] = set()
    if report.name != alarm.name:
        undo.set(alarm, "name", intern(report.name))
        properties.add("name")
    if report.severity and report.severity != part.severity:
        undo.set(part, "severity", intern(report.severity))
        properties.update(_SEVERITY)
    if report.attributes:
        merged = dict(alarm.attributes or {})
        for key, value in report.attributes.items():
            if value is None:
                merged.pop(key, None)
            else:
                merged[intern(key)] = value
        if merged != (alarm.attributes or {}):
            old = alarm.attributes or {}
            properties.update(key for key in merged.keys() | old.keys() if merged.get(key) != old.get(key))
            undo.set(alarm, "attributes", merged or None)
    moved = (part.resource.type, part.resource.id) != (report.resource.type, report.resource.id)
    if moved:
        resource = step.place(graph, report.resource.type, report.resource.id)
        before = part.resource
        undo.set(part, "resource", resource)
        step.link(alarm, ON, resource, Edge(base=True))
        step.unlink(alarm, ON, before)
        properties.update(("resource_id", "resource_type", "resource_name", "resource_project_id"))
    if properties:
        step.changes.append(Changed(alarm, frozenset(properties), name))
    return bool(properties)


def told(alarm: Vertex, step: Step) -> dict[str, Any]:
    """An alarm as the journal tells it."""
    part = alarm.alarm
    assert part is not None
    object_: dict[str, Any] = {
        "source": alarm.type,
        "name": alarm.name,
        "severity": part.severity,
        "operational_severity": step.values.severity(alarm.type, part.severity)[1],
        "status": "ACTIVE",
        "resource": {"type": part.resource.type, "id": part.resource.id},
        "attributes": alarm.attributes or {},
    }
    if part.external_id:
        object_["external_id"] = part.external_id
    return object_


def reported(step: Step, report: Alarm) -> dict[str, Any]:
    """A report as the journal tells it when it changes nothing."""
    source = step.input.source
    object_: dict[str, Any] = {
        "source": source,
        "name": report.name,
        "severity": report.severity,
        "operational_severity": step.values.severity(source, report.severity)[1],
        "status": report.status,
        "resource": {"type": report.resource.type, "id": report.resource.id},
        "attributes": report.attributes,
    }
    if report.external_id:
        object_["external_id"] = report.external_id
    return object_
