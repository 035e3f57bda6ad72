"""From an ended task onwards: what it publishes, where it leads, and going there."""

from __future__ import annotations

from typing import Any

from . import control, executions, joins, tasks
from .expressions import evaluate
from .facts import branch, outbound, scope
from .model import COMMANDS, EMPTY_CLAUSE, Clause, TaskDefinition, Transition
from .records import CANCELLED, ENDED, ERROR, PAUSED, SKIPPED, SUCCESS, Task
from .step import Step
from .store import Live

Command = tuple[str, dict[str, Any], str]
"""A target, the parameters of an engine command, and the clause that leads there."""

MOST_AT_ONCE = 10_000


def publish(step: Step, live: Live, task: Task) -> None:
    """Evaluates all that the task publishes in its state: ``on-complete`` over ``publish`` over the rest.

    Raises ``ExpressionError``; nothing is published then.
    """
    definition = live.definition.tasks[task.name]
    own, clause = spoken(definition, task.state)
    if task.state == CANCELLED:
        return
    complete = definition.on_complete if task.state != SKIPPED else EMPTY_CLAUSE
    local = {**clause.publish.branch, **own, **complete.publish.branch}
    everywhere = {**clause.publish.everywhere, **complete.publish.everywhere}
    if not local and not everywhere:
        return
    reading = scope(step, live, task, task.context)
    published = step.weigh(live, evaluate(local, reading), "what the task publishes")
    shared = step.weigh(live, evaluate(everywhere, reading), "what the task publishes")
    step.touch(task)
    task.published = published
    if shared:
        record = step.execution(live)
        record.context = {**record.context, **shared}


def spoken(definition: TaskDefinition, state: str) -> tuple[dict[str, Any], Clause]:
    """What a task publishes, and the clause that speaks, in an end state."""
    if state == ERROR:
        return definition.publish_on_error, definition.on_error
    if state == SKIPPED:
        return definition.publish_on_skip, definition.on_skip
    return definition.publish, definition.on_success


def find(step: Step, live: Live, task: Task) -> list[Command]:
    """Where the task leads; notes it in the task. Raises ``ExpressionError`` for a bad guard."""
    definition = live.definition.tasks[task.name]
    if live.definition.type == "reverse":
        return []
    reading = scope(step, live, task, outbound(live, task))

    def fits(clause: Clause, event: str) -> list[Command]:
        return [
            (transition.target, parameters(transition, reading), event)
            for transition in clause.transitions
            if transition.guard is None or evaluate(transition.guard, reading)
        ]

    follows: list[Command] = []
    handled = False
    if task.state == SUCCESS:
        follows = fits(definition.on_success, "on-success")
    elif task.state == ERROR:
        follows = fits(definition.on_error, "on-error")
        handled = bool(follows)
    elif task.state == SKIPPED:
        follows = fits(definition.on_skip, "on-skip") or fits(definition.on_success, "on-success")
    if task.state in (SUCCESS, ERROR):
        follows = follows + fits(definition.on_complete, "on-complete")
    step.touch(task)
    task.next = [target for target, _, _ in follows if target not in COMMANDS]
    task.leads = bool(task.next)
    task.handled = handled
    return follows


def parameters(transition: Transition, reading: Any) -> dict[str, Any]:
    """The parameters of an engine command; a task takes none."""
    if not transition.parameters or transition.target not in COMMANDS:
        return {}
    found: dict[str, Any] = evaluate(transition.parameters, reading)
    return found


def dispatch(step: Step, live: Live, task: Task, follows: list[Command]) -> None:
    """Carries out commands in their order. One that ends the execution makes those after it void;
    standing first, it is the only one.
    """
    for index, (target, given, event) in enumerate(follows):
        state = live.record.state
        if state in ENDED:
            return
        if state == PAUSED:
            record = step.execution(live)
            left = [[task.id, *each] for each in follows[index:]]
            record.backlog = [*record.backlog, *left]
            return
        command(step, live, task, target, given, event)


def command(step: Step, live: Live, task: Task, target: str, given: dict[str, Any], event: str) -> None:
    """One engine command, or one task."""
    message = given.get("msg")
    if target == "noop":
        return
    if target == "fail":
        executions.fail(step, live, message)
    elif target == "succeed":
        executions.succeed(step, live, message)
    elif target == "pause":
        control.pause(step, live, message)
    elif live.definition.tasks[target].join is not None:
        joins.arrive(step, live, target, task, event)
    elif step.created > MOST_AT_ONCE:
        executions.fail(step, live, f"more than {MOST_AT_ONCE} tasks at once: a loop in which nothing waits")
    else:
        created = tasks.create(
            step, live, target, branch(task, live.definition.branching), [[task.id, event]]
        )
        tasks.run(step, live, created)
