"""``on-success`` and its siblings, and what is published, in all the forms they may take."""

from __future__ import annotations

from typing import Any

from .check import Checker, Steps
from .model import EMPTY_CLAUSE, Clause, Publish, Transition

SCOPES = frozenset({"branch", "global", "atomic"})


def clause(checker: Checker, value: Any, steps: Steps) -> Clause:
    """An ``on-*``: a target, a guarded target, a list of them, or ``publish`` with ``next``."""
    if isinstance(value, dict) and value and set(value) <= {"publish", "next"}:
        checker.filled(value, frozenset(value), steps)
        published = publish(checker, value.get("publish"), (*steps, "publish"))
        after = value.get("next")
        found = () if after is None else transitions(checker, after, (*steps, "next"))
        return Clause(found, published)
    return Clause(transitions(checker, value, steps))


def transitions(checker: Checker, value: Any, steps: Steps) -> tuple[Transition, ...]:
    """The targets in the order they are written."""
    if isinstance(value, str) and value:
        return (target(checker, value, None, steps),)
    if isinstance(value, dict) and value:
        message = "read as guarded transitions; in Mistral a mapping here loses the transition or its guard"
        checker.note("workflow-on-mapping", message, steps, "warning")
        return tuple(guarded(checker, value, steps))
    if not isinstance(value, list) or not value:
        checker.wrong("a transition is a task, an engine command, or a list of them that is not empty", steps)
        return ()
    found: list[Transition] = []
    for index, item in enumerate(value):
        here = (*steps, index)
        if item in value[:index]:
            checker.wrong(f"the transition {item!r} stands twice; write it once", here)
        elif isinstance(item, str) and item:
            found.append(target(checker, item, None, here))
        elif isinstance(item, dict) and len(item) == 1:
            found += guarded(checker, item, here)
        else:
            checker.wrong(
                "a transition in a list is a name, or one name with its guard: NAME: <% ... %>", here
            )
    return tuple(found)


def guarded(checker: Checker, value: dict[Any, Any], steps: Steps) -> list[Transition]:
    """``{target: guard}`` pairs."""
    return [
        target(checker, str(name), checker.condition(guard, (*steps, name), f"the guard of {name!r}"), steps)
        for name, guard in value.items()
    ]


def target(checker: Checker, text: str, guard: str | None, steps: Steps) -> Transition:
    """One target with its inline parameters."""
    name, parameters = checker.command(text, steps, "transition", strict=True)
    return Transition(name, guard, parameters)


def publish(checker: Checker, value: Any, steps: Steps) -> Publish:
    """The scopes ``branch`` and ``global`` of an ``on-*``."""
    if value is None:
        return EMPTY_CLAUSE.publish
    scopes = checker.mapping(value, steps, "publish")
    checker.unknown(scopes, SCOPES, steps, "publish")
    checker.filled(scopes, SCOPES, steps)
    if "atomic" in scopes:
        variables(checker, scopes["atomic"], (*steps, "atomic"))
        message = "the scope atomic is accepted and does nothing, as in Mistral"
        checker.note("workflow-atomic", message, (*steps, "atomic"), "warning")
    return Publish(
        variables(checker, scopes.get("branch"), (*steps, "branch")),
        variables(checker, scopes.get("global"), (*steps, "global")),
    )


def variables(checker: Checker, value: Any, steps: Steps) -> Any:
    """Names with their values."""
    if value is None:
        return {}
    found = checker.mapping(value, steps, str(steps[-1]))
    checker.expression(found, steps)
    return found
