"""Restless alarms: what their sources said lately, and what of that is held back for now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ..events import Alarm, EntityRef
from .deadlines import Deadlines, moment
from .store import Graph
from .vertex import Vertex

if TYPE_CHECKING:
    from .step import Step

FLAPPING = "flapping"
HOLD_DOWN = "hold-down"


class Watch(msgspec.Struct, frozen=True, array_like=True):
    """What is remembered of an alarm that changed lately. ``changes`` are times with the severity that
    was then reported ("" for a clear); ``cleared`` tells that a clear is held back, ``severity`` what
    was reported last, ``worst`` what a flapping alarm stands at ("" for one that does not flap).
    ``until`` is when what is held is passed on, or nothing is left to remember."""

    changes: tuple[tuple[int, str], ...]
    cleared: bool
    severity: str
    worst: str
    until: int

    @property
    def holds(self) -> bool:
        return self.cleared or bool(self.worst)


def key_of(alarm_key: str) -> str:
    """The table key of the watch over the alarm with this table key."""
    return "h" + alarm_key[1:]


def steady(
    step: Step, graph: Graph, report: Alarm, alarm: Vertex | None, alarm_key: str, cleared: bool
) -> tuple[Alarm | None, str]:
    """What of a report is to be applied: the report itself, another in its place, or nothing; and why
    something is held back ("" when nothing is)."""
    settings = step.values.hygiene
    key = key_of(alarm_key)
    watch = graph.watches.get(key)
    if settings is None and watch is None:
        return report, ""
    care = settings.of(step.input.source, report.name) if settings is not None else None
    flapping = care.flapping if care is not None else None
    shown = alarm.alarm.severity if alarm is not None and alarm.alarm is not None else ""
    before = (
        ""
        if watch is not None and watch.cleared
        else watch.severity
        if watch is not None and watch.worst
        else shown
    )
    after = "" if cleared else report.severity or before or shown
    if before == after:
        if watch is None or not watch.holds:
            return report, ""
        return None, FLAPPING if watch.worst else HOLD_DOWN
    now = moment(step)
    changes: tuple[tuple[int, str], ...] = ()
    if flapping is not None:
        since = max(now, step.time) - flapping.within
        known = watch.changes if watch is not None else ()
        changes = tuple(sorted(each for each in (*known, (step.time, after)) if each[0] > since))
        changes = changes[-flapping.changes - 1 :]
    worst = watch.worst if watch is not None else ""
    if worst or (flapping is not None and len(changes) > flapping.changes):
        words = {worst, shown, after, *(word for _, word in changes)} - {""}
        worst = min(words, key=lambda word: (-step.values.severity(step.input.source, word)[0], word))
        quiet = flapping.quiet if flapping is not None else 0
        _put(step, graph, key, Watch(changes, cleared, after or shown, worst, now + quiet))
        body = {} if cleared else report.attributes
        return _standing(report, worst, {**body, FLAPPING: True}), FLAPPING
    if cleared and care is not None and care.hold_down:
        _put(step, graph, key, Watch(changes, True, shown, "", now + care.hold_down))
        return None, HOLD_DOWN
    if changes and flapping is not None:
        _put(step, graph, key, Watch(changes, False, after, "", changes[-1][0] + flapping.within))
    else:
        forget(step, graph, alarm_key)
    return report, ""


def forget(step: Step, graph: Graph, alarm_key: str) -> None:
    """Nothing is to be remembered of an alarm: it is gone with its resource."""
    key = key_of(alarm_key)
    if key in graph.watches:
        step.undo.drop(graph.watches, key)
        step.dirty.add(key)


def over(step: Step, graph: Graph, key: str, due: int) -> tuple[Vertex, Alarm] | None:
    """Takes a deadline that has come: the alarm, and the report of it that was held back, if
    there is one."""
    watch = graph.watches.get(key)
    if watch is None or watch.until != due:
        return None
    step.undo.drop(graph.watches, key)
    step.dirty.add(key)
    source, _, shown = key.split("\x1f", 2)[2].partition("\x1f")
    alarm = graph.alarm(source, shown)
    if not watch.holds or alarm is None or alarm.alarm is None:
        return None
    part = alarm.alarm
    resource = EntityRef(part.resource.type, part.resource.id)
    status, severity = ("CLEARED", "") if watch.cleared else ("ACTIVE", watch.severity)
    gone = {FLAPPING: None} if watch.worst else {}
    return alarm, Alarm(alarm.name or "", resource, status, severity, part.external_id, gone)  # type: ignore[arg-type]


def load(graph: Graph, deadlines: Deadlines, key: str, watch: Watch) -> None:
    """Takes a kept watch back."""
    graph.watches[key] = watch
    deadlines.push(watch.until, key)


def _put(step: Step, graph: Graph, key: str, watch: Watch) -> None:
    step.undo.put(graph.watches, key, watch)
    step.dirty.add(key)
    assert step.deadlines is not None
    step.deadlines.push(watch.until, key)


def _standing(report: Alarm, severity: str, attributes: dict[str, object]) -> Alarm:
    return msgspec.structs.replace(report, status="ACTIVE", severity=severity, attributes=attributes)
