"""Policies of a task: retry, waits, timeout, pause-before, fail-on, concurrency."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from . import inline
from .check import Checker, Steps
from .model import NO_POLICIES, Policies, Retry

KEYS = frozenset({"retry", "wait-before", "wait-after", "timeout", "pause-before", "fail-on", "concurrency"})
RETRY_KEYS = frozenset({"count", "delay", "break-on", "continue-on"})


def policies(checker: Checker, value: dict[str, Any], steps: Steps) -> Policies:
    """The policies among the keys of a task or of ``task-defaults``."""
    if not KEYS & value.keys():
        return NO_POLICIES

    checker.filled(value, KEYS, steps)

    def seconds(key: str) -> Any:
        return checker.number(value.get(key), (*steps, key), key, whole=False)

    def flag(key: str) -> Any:
        return checker.flag(value.get(key), (*steps, key), key)

    return Policies(
        retry(checker, value.get("retry"), (*steps, "retry")),
        seconds("wait-before"),
        seconds("wait-after"),
        seconds("timeout"),
        flag("pause-before"),
        flag("fail-on"),
        checker.number(value.get("concurrency"), (*steps, "concurrency"), "concurrency"),
    )


def retry(checker: Checker, value: Any, steps: Steps) -> Retry | None:
    """A mapping, or ``count=3 delay=1`` on one line."""
    if value is None:
        return None
    if isinstance(value, str):
        value, left = inline.pairs(value)
        if left:
            checker.wrong(f"retry: {left!r} is not read; write count=N delay=SECONDS", steps)
    found = checker.mapping(value, steps, "retry")
    checker.unknown(found, RETRY_KEYS, steps, "retry")
    checker.filled(found, RETRY_KEYS, steps)
    for key in ("count", "delay"):
        if found and key not in found:
            checker.wrong(f"retry needs {key}, as in {{count: 3, delay: 10}}", steps)
    return Retry(
        checker.number(found.get("count"), (*steps, "count"), "count"),
        checker.number(found.get("delay"), (*steps, "delay"), "delay", whole=False),
        checker.condition(found.get("break-on"), (*steps, "break-on"), "break-on"),
        checker.condition(found.get("continue-on"), (*steps, "continue-on"), "continue-on"),
    )


def over(own: Policies, defaults: Policies) -> Policies:
    """A task's policies, each that it lacks taken from the defaults."""
    if defaults is NO_POLICIES:
        return own
    chosen = {}
    for each in fields(Policies):
        mine = getattr(own, each.name)
        chosen[each.name] = getattr(defaults, each.name) if mine is None else mine
    return Policies(**chosen)
