"""Reverse workflows: a target task, and before it the tasks that it requires."""

from __future__ import annotations

from . import executions, tasks
from .branches import Branch, meet
from .facts import branch
from .records import ENDED, SUCCESS, Task
from .step import Step
from .store import Live


def begin(step: Step, live: Live) -> None:
    """Starts the tasks that require nothing, of those the target needs."""
    wanted = live.record.params.get("task_name")
    if wanted not in live.definition.tasks:
        executions.fail(step, live, f"Invalid task name [wf={live.record.workflow}, task={wanted}]")
        return
    go_on(step, live)
    executions.check(step, live)


def needed(live: Live) -> list[str]:
    """The target and all it requires, each after what it requires."""
    order: dict[str, None] = {}
    visiting: list[tuple[str, bool]] = [(str(live.record.params.get("task_name")), False)]
    met: set[str] = set()
    while visiting:
        name, ready = visiting.pop()
        if ready:
            order[name] = None
            continue
        if name in met:
            continue
        met.add(name)
        visiting.append((name, True))
        visiting += [(required, False) for required in reversed(live.definition.tasks[name].requires)]
    return list(order)


def go_on(step: Step, live: Live) -> None:
    """Starts every needed task whose requirements have succeeded."""
    for name in needed(live):
        if live.record.state in ENDED:
            return
        if name in live.latest:
            continue
        required = [live.latest.get(each) for each in live.definition.tasks[name].requires]
        done = [each for each in required if each is not None and each.state == SUCCESS]
        if len(done) == len(required):
            triggers = [[each.id, "requires"] for each in done]
            tasks.run(step, live, tasks.create(step, live, name, together(done), triggers))


def together(done: list[Task]) -> Branch:
    """The variables of several tasks."""
    return meet(branch(each, True) for each in sorted(done, key=lambda each: (each.order, each.name)))


def final(live: Live) -> Branch:
    """The variables that the output sees: those of the target."""
    target = live.latest.get(str(live.record.params.get("task_name")))
    return branch(target, True) if target is not None and target.order else ({}, {})
