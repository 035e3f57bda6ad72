"""Warnings: where a definition means something else here, or in Mistral, than its author may think."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .check import Checker, Steps
from .expressions import has_expression
from .model import COMMANDS, TaskDefinition

SECRET = re.compile(
    r"(?:^|[-_])(?:password|passwd|passphrase|token|secret|api[-_]?key|private[-_]?key)$|^authorization$",
    re.IGNORECASE,
)

Tasks = Mapping[str, TaskDefinition]


def note(checker: Checker, tasks: Tasks, inbound: Mapping[str, tuple[str, ...]], steps: Steps) -> None:
    """Adds the warnings about the tasks of one workflow, which stand at ``steps``."""
    everywhere = [name for each in tasks.values() for name in _branch(each)]
    for name, each in tasks.items():
        here = (*steps, name)
        if name in COMMANDS:
            runs = "never runs" if inbound[name] else "runs only as a start task"
            message = f"a transition to {name!r} is the engine's command: this task {runs}; name it otherwise"
            checker.note("workflow-command-name", message, here, "warning")
        _policies(checker, each, here)
        _published(checker, each, here)
        _secrets(checker, each.input, (*here, "input"))
        for item, _ in each.with_items:
            if item in everywhere:
                message = f"where a task before published {item!r}, that hides the item; name it otherwise"
                checker.note("workflow-item-hidden", message, (*here, "with-items"), "warning")
        if each.join == "all":
            _merged(checker, tasks, inbound[name], here)
    _shared(checker, tasks, steps)


def unreached(
    checker: Checker,
    tasks: Tasks,
    inbound: Mapping[str, tuple[str, ...]],
    steps: Steps,
    apart: frozenset[str],
) -> None:
    """Warns of tasks of a direct workflow to which no way leads from where it starts."""
    reached = {name for name, sources in inbound.items() if not sources} | apart
    found = bool(reached - apart)
    while found:
        more = {name for name, sources in inbound.items() if not reached.isdisjoint(sources)} - reached
        reached |= more
        found = bool(more)
    for name in tasks.keys() - reached if reached - apart else ():
        message = "no way leads here from a start task, so this never runs; name it in another's on-*"
        checker.note("workflow-unreached", message, (*steps, name), "warning")


def _policies(checker: Checker, task: TaskDefinition, here: Steps) -> None:
    if task.policies.retry is not None and task.policies.timeout is not None:
        message = "timeout goes for all attempts together, and a task that timed out is not retried"
        checker.note("workflow-timeout-retry", message, (*here, "timeout"), "warning")
    if isinstance(task.join, int):
        message = "fires once, and again only when all its branches have come or died; in Mistral at each one"
        checker.note("workflow-join-once", message, (*here, "join"), "warning")
    if task.target is not None:
        message = "only an executor that was started for this name takes it; Mistral ignores target"
        checker.note("workflow-target", message, (*here, "target"), "warning")


def _published(checker: Checker, task: TaskDefinition, here: Steps) -> None:
    local = {**task.on_success.publish.branch, **task.publish, **task.publish_on_error}
    twice = sorted(local.keys() & task.on_complete.publish.branch.keys())
    twice += sorted(task.publish.keys() & task.on_success.publish.branch.keys())
    if twice:
        names = ", ".join(twice)
        message = (
            f"{names} is published twice; on-complete wins over publish, publish over on-success: keep one"
        )
        checker.note("workflow-publish-twice", message, here, "warning")
    if (task.publish or task.publish_on_error) and any(each.publish.everywhere for each in task.clauses):
        message = (
            "Mistral loses one of the scopes when publish stands beside a global one; here both are kept"
        )
        checker.note("workflow-scopes", message, here, "warning")


def _secrets(checker: Checker, given: Any, here: Steps) -> None:
    """A password in a definition is read by whoever reads that, and stays in its topic."""
    pairs: list[tuple[Any, Any]] = []
    if isinstance(given, dict):
        pairs = list(given.items())
    elif isinstance(given, list):
        pairs = list(enumerate(given))
    for key, value in pairs:
        if isinstance(value, dict | list):
            _secrets(checker, value, (*here, key))
        elif isinstance(value, str) and value and SECRET.search(str(key)) and not has_expression(value):
            message = f"{key} is written out for all to read; write {key}: {{secret: NAME}} and keep it there"
            checker.note("workflow-secret", message, (*here, key), "warning")


def _merged(checker: Checker, tasks: Tasks, sources: tuple[str, ...], here: Steps) -> None:
    """A variable that two branches publish before they are joined."""
    by: dict[str, list[str]] = {}
    for source in sources:
        for name in dict.fromkeys(_branch(tasks[source])):
            by.setdefault(name, []).append(source)
    for name, branches in by.items():
        if len(branches) > 1:
            message = (
                f"{name} comes from {', '.join(branches)}: the branch that published it more often wins, "
                "then the one that ended later; give each a name of its own"
            )
            checker.note("workflow-join-merge", message, (*here, "join"), "warning")


def _shared(checker: Checker, tasks: Tasks, steps: Steps) -> None:
    """A global mapping published more than once: Mistral does not save what the second one changes."""
    met: set[str] = set()
    for task, each in tasks.items():
        for clause in each.clauses:
            for name, value in clause.publish.everywhere.items():
                if isinstance(value, dict) and name in met:
                    message = f"the global mapping {name} is replaced here; Mistral keeps the first one"
                    checker.note("workflow-global-mapping", message, (*steps, task), "warning")
                met.add(name)


def _branch(task: TaskDefinition) -> Iterator[str]:
    """The names that a task publishes into its branch when it succeeds or completes."""
    yield from task.publish
    yield from task.on_success.publish.branch
    yield from task.on_complete.publish.branch
