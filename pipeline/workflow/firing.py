"""Triggers put live, and the clock's firing: each scheduled time starts one execution.

A document lives in the one partition that its key ``trigger/NAME`` falls into, so one heap of
timers, and one log, decides about it. Times that pass while nobody looks come to one firing.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from pipeline.errors import InvalidDocument
from pipeline.ids import identify
from pipeline.ids import revision as hash_of
from pipeline.times import rfc3339

from . import cron
from .check import placed
from .records import Schedule, Triggers
from .step import COMMANDS, Step
from .store import TRIGGER_KEY
from .triggers import TRIGGER, Trigger, sure, triggers_of

KIND = TRIGGER


def defined(step: Step, name: str, text: str, path: str) -> None:
    """Brings a document of triggers into force; one that is refused leaves the earlier one so."""
    before = step.store.triggers.get(name)
    try:
        found = triggers_of(text)
    except InvalidDocument as refused:
        error = placed(refused, path or name)
        kept, schedules = (before.text, before.schedules) if before is not None else ("", {})
        new = Triggers(name, kept, path=path, error=error, refused=hash_of(text), schedules=schedules)
        keep(step, name, new)
        return
    if before is not None and (before.text, before.path, before.error) == (text, path, None):
        return
    old = {each.name: each for each in in_force(before)}
    times: dict[str, Schedule] = {}
    for trigger in found:
        if trigger.topic:
            continue
        known = before.schedules.get(trigger.name) if before else None
        was = old.get(trigger.name)
        same = was is not None and (was.cron, was.first) == (trigger.cron, trigger.first)
        fired = known.fired if known is not None and same else 0
        times[trigger.name] = Schedule(due(trigger, step.time, fired), fired)
    keep(step, name, Triggers(name, text, path=path, schedules=times))


def removed(step: Step, name: str) -> None:
    """Takes a document of triggers out of force."""
    if name in step.store.triggers:
        keep(step, name, None)


def in_force(document: Triggers | None) -> tuple[Trigger, ...]:
    """The triggers of a document that hold."""
    return triggers_of(document.text) if document is not None and document.text else ()


def due(trigger: Trigger, now: int, fired: int) -> int:
    """When a trigger of the clock fires next after ``now``; 0: never again."""
    if trigger.count and fired >= trigger.count:
        return 0
    if trigger.first > now:
        return trigger.first
    return cron.following(trigger.cron, now) if trigger.cron else 0


def keep(step: Step, name: str, document: Triggers | None) -> None:
    """Enters a document in place of the one before, and puts its timers on the heap."""
    before = step.exchange(step.store.triggers, name, document)
    if document is not None:
        step.store.schedule(document)
    if before is not None:
        step.undoing.append(lambda: step.store.schedule(before))
    step.keys.append(f"{TRIGGER_KEY}{name}")


def timer(name: str, trigger: str, moment: int) -> str:
    """The id of the timer for one scheduled time."""
    return identify("timer", TRIGGER_KEY, name, trigger, moment)


def fired(step: Step, command: dict[str, Any]) -> None:
    """A TRIGGER: a scheduled time has come. Starts the workflow, and sets the next time."""
    name, which = command["document"], command["trigger"]
    document = step.store.triggers.get(name)
    schedule = document.schedules.get(which) if document is not None else None
    if document is None or schedule is None or timer(name, which, schedule.due) != command["timer"]:
        return
    trigger = next(each for each in in_force(document) if each.name == which)
    count = schedule.fired + 1
    following = Schedule(due(trigger, max(step.time, schedule.due), count), count)
    schedules = {**document.schedules, which: following}
    keep(step, name, replace(document, schedules=schedules))
    scheduled = rfc3339(schedule.due)
    record = {"scheduled": scheduled, "count": count}
    value = sure(name, trigger, record, {"scheduled": scheduled}, step.time)
    if value is not None:
        step.put(COMMANDS, value["root"], value)
