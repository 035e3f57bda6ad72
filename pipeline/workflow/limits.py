"""``limits:`` of a workflow: how many executions at a time, how many starts an hour, how soon again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.times import SECOND

from .check import Checker, Steps
from .entries import CONCURRENT, COOL_DOWN, HOUR, PER_HOUR, Entries

KEYS = frozenset({CONCURRENT, PER_HOUR, COOL_DOWN, "key"})


def read(checker: Checker, value: Any, steps: Steps) -> dict[str, Any] | None:
    """The limits of a workflow; None where it has none. Findings go to ``checker``."""
    if value is None:
        return None
    found = checker.mapping(value, steps, "limits")
    checker.unknown(found, KEYS, steps, "limits")
    for name in (CONCURRENT, PER_HOUR):
        given = found.get(name)
        if given is not None and (isinstance(given, bool) or not isinstance(given, int) or given < 1):
            checker.wrong(f"{name} must be a whole number, 1 or more", (*steps, name))
    pause = found.get(COOL_DOWN)
    if pause is not None and (isinstance(pause, bool) or not isinstance(pause, int | float) or pause <= 0):
        checker.wrong(f"{COOL_DOWN} must be a number of seconds", (*steps, COOL_DOWN))
    if "key" in found:
        checker.expression(checker.text(found["key"], (*steps, "key"), "key"), (*steps, "key"))
        if pause is None:
            message = f"key says what {COOL_DOWN} goes by; without that it does nothing"
            checker.note("workflow-limits-key", message, (*steps, "key"), "warning")
    if not found.keys() & {CONCURRENT, PER_HOUR, COOL_DOWN}:
        checker.wrong(f"limits has {CONCURRENT}, {PER_HOUR} or {COOL_DOWN}", steps)
    return found


def exceeded(limits: Mapping[str, Any], target: str, entries: Entries, now: int) -> tuple[str, str] | None:
    """The limit that another start at ``now`` would exceed, and how it stands; None when there is none."""
    most = limits.get(CONCURRENT)
    if most is not None and entries.running >= most:
        return CONCURRENT, f"{entries.running} of at most {most} run"
    most = limits.get(PER_HOUR)
    if most is not None and (lately := entries.since(now - HOUR)) >= most:
        return PER_HOUR, f"{lately} of at most {most} starts within an hour"
    pause = limits.get(COOL_DOWN)
    if pause is None:
        return None
    last = entries.last(target)
    if last and last > now - round(pause * SECOND):
        return COOL_DOWN, f"{target!r} was seen to {(now - last) // SECOND} s ago, and rests {pause:g} s"
    return None
