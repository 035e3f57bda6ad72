"""One task of a definition, read and checked."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from .check import Checker, Steps
from .clauses import clause, variables
from .expressions import has_expression
from .model import EMPTY_CLAUSE, TaskDefinition
from .policies import KEYS as POLICY_KEYS
from .policies import over, policies

CLAUSES = frozenset({"on-success", "on-error", "on-complete", "on-skip"})
LABELS = frozenset({"description", "tags"})
COMMON = POLICY_KEYS | LABELS | {
    "name", "version", "type", "action", "workflow", "input", "with-items",
    "publish", "publish-on-error", "publish-on-skip", "keep-result", "safe-rerun", "target", "compensate",
}  # fmt: skip
DIRECT = COMMON | CLAUSES | {"join"}
REVERSE = COMMON | {"requires"}
DEFAULTS = POLICY_KEYS | CLAUSES | {"safe-rerun", "requires"}
ITEMS = re.compile(r"\s*([\w-]+)\s+in\s+(.+)", re.DOTALL)


def task(checker: Checker, name: str, value: Any, steps: Steps, reverse: bool) -> TaskDefinition:
    """A task; findings go to ``checker``."""
    body = checker.mapping(value, steps, f"task {name!r}")
    checker.labels(body, steps)
    known = REVERSE if reverse else DIRECT
    checker.unknown(body, known, steps, f"task {name!r}")
    checker.filled(body, known - POLICY_KEYS - CLAUSES - LABELS - {"type"}, steps)
    longest = 208 if body.get("join") else 255
    if len(name) > longest:
        kind = "join task" if longest == 208 else "task"
        checker.wrong(f"the name of a {kind} has at most {longest} characters", steps)
    action, workflow, given = called(checker, body, steps)
    return TaskDefinition(
        name=name,
        action=action,
        workflow=workflow,
        input=given,
        with_items=items(checker, body.get("with-items"), (*steps, "with-items")),
        publish=variables(checker, body.get("publish"), (*steps, "publish")),
        publish_on_error=variables(checker, body.get("publish-on-error"), (*steps, "publish-on-error")),
        publish_on_skip=variables(checker, body.get("publish-on-skip"), (*steps, "publish-on-skip")),
        on_success=clause_of(checker, body, "on-success", steps),
        on_error=clause_of(checker, body, "on-error", steps),
        on_complete=clause_of(checker, body, "on-complete", steps),
        on_skip=clause_of(checker, body, "on-skip", steps),
        join=join(checker, body.get("join"), (*steps, "join")),
        requires=()
        if "requires" not in body
        else checker.names(body["requires"], (*steps, "requires"), "requires"),
        policies=policies(checker, body, steps),
        keep_result=default(
            checker.flag(body.get("keep-result"), (*steps, "keep-result"), "keep-result"), True
        ),
        safe_rerun=default(checker.flag(body.get("safe-rerun"), (*steps, "safe-rerun"), "safe-rerun"), None),
        target=checker.text(body["target"], (*steps, "target"), "target")
        if body.get("target") is not None
        else None,
        spec={"name": name, **body},
    )


def defaults(checker: Checker, value: Any, steps: Steps) -> TaskDefinition:
    """``task-defaults`` in the form of a task."""
    body = checker.mapping(value, steps, "task-defaults")
    checker.unknown(body, DEFAULTS, steps, "task-defaults")
    checker.filled(body, DEFAULTS - POLICY_KEYS - CLAUSES, steps)
    return TaskDefinition(
        name="",
        action=None,
        workflow=None,
        input={},
        on_success=clause_of(checker, body, "on-success", steps),
        on_error=clause_of(checker, body, "on-error", steps),
        on_complete=clause_of(checker, body, "on-complete", steps),
        on_skip=clause_of(checker, body, "on-skip", steps),
        requires=()
        if "requires" not in body
        else checker.names(body["requires"], (*steps, "requires"), "requires"),
        policies=policies(checker, body, steps),
        safe_rerun=default(checker.flag(body.get("safe-rerun"), (*steps, "safe-rerun"), "safe-rerun"), None),
    )


def with_defaults(own: TaskDefinition, given: TaskDefinition | None) -> TaskDefinition:
    """``own`` with what it lacks taken from the defaults: clauses whole, without itself as a target."""
    if given is None:
        return own if own.safe_rerun is not None else replace(own, safe_rerun=False)

    def chosen(mine: Any, default_clause: Any) -> Any:
        if mine.transitions or default_clause is EMPTY_CLAUSE:
            return mine
        kept = tuple(each for each in default_clause.transitions if each.target != own.name)
        branch = mine.publish if mine is not EMPTY_CLAUSE else default_clause.publish
        return replace(default_clause, transitions=kept, publish=branch)

    safe = own.safe_rerun if own.safe_rerun is not None else given.safe_rerun
    return replace(
        own,
        on_success=chosen(own.on_success, given.on_success),
        on_error=chosen(own.on_error, given.on_error),
        on_complete=chosen(own.on_complete, given.on_complete),
        on_skip=chosen(own.on_skip, given.on_skip),
        requires=tuple(dict.fromkeys(name for name in own.requires + given.requires if name != own.name)),
        policies=over(own.policies, given.policies),
        safe_rerun=bool(safe) if not isinstance(safe, str) else safe,
    )


def called(
    checker: Checker, body: dict[str, Any], steps: Steps
) -> tuple[str | None, str | None, dict[str, Any] | str]:
    """The action or workflow, and its input with inline parameters over it."""
    given: Any = body.get("input", {})
    if "input" in body:
        if isinstance(given, str) and given and not has_expression(given):
            message = "input is a text, so this task will end in ERROR; write NAME: VALUE below it"
            checker.note("workflow-input-text", message, (*steps, "input"), "warning")
        elif not (isinstance(given, dict | str) and given):
            checker.wrong("input must be a mapping that is not empty, or an expression", (*steps, "input"))
            given = {}
        checker.expression(given, (*steps, "input"))
    if "action" in body and "workflow" in body:
        checker.wrong("a task has an action or a workflow, not both", steps)
    kind = "workflow" if "workflow" in body else "action"
    if kind not in body:
        return "std.noop", None, given
    command = checker.text(body[kind], (*steps, kind), kind)
    name, parameters = checker.command(command, (*steps, kind), kind)
    if parameters:
        if isinstance(given, str):
            message = "parameters on the line and an expression as input cannot be joined"
            checker.wrong(message, (*steps, "input"))
            given = {}
        both = sorted(parameters.keys() & given.keys())
        if both:
            message = f"{', '.join(both)} stands both on the line and in input; the line wins"
            checker.note("workflow-inline-wins", message, (*steps, "input"), "warning")
        given = {**given, **parameters}
    return (name, None, given) if kind == "action" else (None, name, given)


def items(checker: Checker, value: Any, steps: Steps) -> tuple[tuple[str, Any], ...]:
    """``NAME in LIST``, once or several times."""
    if value is None:
        return ()
    found: list[tuple[str, Any]] = []
    for line in [value] if isinstance(value, str) else checker.names(value, steps, "with-items"):
        match = ITEMS.fullmatch(line)
        if not match:
            checker.wrong(f"Wrong format of 'with-items' property: {line!r}; write NAME in LIST", steps)
            continue
        name, source = match.group(1), match.group(2).strip()
        if has_expression(source):
            checker.expression(source, steps)
            found.append((name, source))
            continue
        try:
            values = json.loads(source)
        except ValueError:
            values = None
        if not isinstance(values, list) or not values:
            checker.wrong(f"Invalid array in 'with-items' clause: {source!r}; write it as JSON", steps)
            continue
        found.append((name, values))
    return tuple(found)


def join(checker: Checker, value: Any, steps: Steps) -> Any:
    """``all``, ``one`` (which is 1) or a number; 0 is no join."""
    if value is None or value == "all":
        return value
    if value == "one":
        return 1
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        checker.wrong("join must be all, one or a number", steps)
        return None
    return value or None


def clause_of(checker: Checker, body: dict[str, Any], key: str, steps: Steps) -> Any:
    return EMPTY_CLAUSE if key not in body else clause(checker, body[key], (*steps, key))


def default(value: Any, otherwise: Any) -> Any:
    return otherwise if value is None else value
