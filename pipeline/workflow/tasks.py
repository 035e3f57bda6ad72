"""A task's life: created, run, completed."""

from __future__ import annotations

from typing import Any

from pipeline.errors import ExpressionError
from pipeline.ids import identify

from . import around, calls, executions, joins, reverse, transitions, undo
from .branches import Branch
from .expressions import evaluate
from .facts import result, scope
from .forgetting import forget, let_go_below
from .records import (
    CANCELLED,
    DELAYED,
    ENDED,
    ERROR,
    IDLE,
    RUNNING,
    SKIPPED,
    SUCCESS,
    UNDOING,
    WAITING,
    Task,
)
from .step import LARGE, Step
from .store import Live

WAITS = frozenset({IDLE, WAITING, DELAYED})


def create(step: Step, live: Live, name: str, branch: Branch, triggers: list[list[str]]) -> Task:
    """A new task, not yet running."""
    record = step.execution(live)
    record.numbered += 1
    step.created += 1
    superseded = live.latest.get(name)
    if superseded is not None and spent(live, superseded):
        prune(step, live, superseded)
    task = Task(
        id=identify("task", record.id, record.numbered),
        execution=record.id,
        name=name,
        number=record.numbered,
        state=IDLE,
        created=step.time,
        context=branch[0],
        versions=branch[1],
        triggers=triggers,
    )
    step.fresh(task)
    step.undoing.append(lambda: live.tasks.pop(task.id, None))
    live.tasks[task.id] = task
    live.latest[name] = task
    live.open += 1
    return task


def spent(live: Live, task: Task) -> bool:
    """Whether nothing can ask for a task any more once there is a newer one of its name.

    In a loop these would be without end.
    """
    return (
        live.definition.forgets
        and task.state in ENDED
        and task.processed
        and task.leads
        and (task.state != ERROR or task.handled)
        and not live.record.backlog
    )


def prune(step: Step, live: Live, task: Task) -> None:
    """Lets a task of the past go."""
    step.touch(task)
    step.keys.append(task.key)
    chunks = live.chunks.pop(task.id, None)
    if chunks is not None:
        step.keys += [chunk.key for chunk in chunks]
        step.undoing.append(lambda: live.chunks.__setitem__(task.id, chunks))
    del live.tasks[task.id]
    step.undoing.append(lambda: live.tasks.__setitem__(task.id, task))
    for child in step.store.children(live) if live.children else ():
        if child.record.parent_task == task.id:
            let_go_below(step, live, child)


def run(step: Step, live: Live, task: Task) -> None:
    """Runs a task, or waits where its policies say so. A bad expression fails it and the execution."""
    try:
        if not around.before(step, live, task):
            return
        step.touch(task)
        if not task.started:
            task.started = step.time
        step.task_state(live, task, RUNNING, triggers=task.triggers)
        calls.begin(step, live, task)
    except ExpressionError as error:
        where = f"wf={live.record.workflow}, task={task.name}"
        force(step, live, task, f"Failed to run task [error={error}, {where}]:")


def complete(step: Step, live: Live, task: Task, state: str, info: str | None = None) -> None:
    """What a task's calls, or a policy, came to: publishes, then either waits again or ends the task."""
    if task.state in ENDED:
        return
    was = step.change_task(live, task, state, info)
    try:
        transitions.publish(step, live, task)
        if state == SUCCESS or task.done:
            forget_result(step, live, task)
        if around.after(step, live, task, was):
            return
        end(step, live, task, was)
    except ExpressionError as error:
        spoil(step, live, task, error, was)


def skip(step: Step, live: Live, task: Task) -> None:
    """Ends a task that had failed as SKIPPED, and goes on from there."""
    step.change_task(live, task, SKIPPED, "Task was skipped.")
    try:
        transitions.publish(step, live, task)
        end(step, live, task, ERROR)
    except ExpressionError as error:
        spoil(step, live, task, error, ERROR)


def spoil(step: Step, live: Live, task: Task, error: ExpressionError, was: str) -> None:
    """The forced failure of a task at whose end an expression could not be evaluated."""
    where = f"wf={live.record.workflow}, task={task.name}"
    force(step, live, task, f"Failed to handle task completion [error={error}, {where}]:", was)


def forget_result(step: Step, live: Live, task: Task) -> None:
    """Lets go of the result where the definition says not to keep it."""
    definition = live.definition.tasks[task.name]
    kept = definition.keep_result
    if kept is True or definition.workflow is not None:
        return
    if not evaluate(kept, scope(step, live, task, task.context)):
        task.result = None
        for chunk in live.chunks.get(task.id, []):
            step.touch(chunk)
            chunk.results = [None] * len(chunk.results)


def end(step: Step, live: Live, task: Task, was: str) -> None:
    """The task has ended: tells of it and goes on from there, unless the execution is held."""
    record = step.execution(live)
    record.completed += 1
    task.order = record.completed
    task.ended = step.time
    task.timers = []
    follows: list[Any] = []
    if record.state == RUNNING:
        follows = transitions.find(step, live, task)
        task.processed = True
    tell_end(step, live, task, was)
    if task.processed:
        after_end(step, live, task, follows)
    elif record.state == UNDOING:
        step.later(undo.go_on, live)
    elif record.state in ENDED:
        forget(step, live)


def tell_end(step: Step, live: Live, task: Task, was: str) -> None:
    """Puts out the end of a task with what it published and its result."""
    more: dict[str, Any] = {"published": task.published}
    if task.items >= 0:
        more["result"] = result(live, task) if task.bytes <= LARGE else {"items": task.items}
    elif task.done:
        more["result"] = task.reference or task.result
    if task.next:
        more["next"] = task.next
    if task.handled:
        more["handled"] = True
    step.tell_task(live, task, was, **more)


def after_end(step: Step, live: Live, task: Task, follows: list[Any]) -> None:
    """Starts what follows, and ends the execution when nothing is left."""
    if live.definition.type == "reverse":
        reverse.go_on(step, live)
    else:
        transitions.dispatch(step, live, task, follows)
        joins.settle(step, live, task)
    executions.check(step, live)


def go_on(step: Step, live: Live, task: Task) -> None:
    """What a task that ended while the execution was held has to do on resume."""
    try:
        follows = transitions.find(step, live, task)
    except ExpressionError as error:
        where = f"wf={live.record.workflow}, task={task.name}"
        force(step, live, task, f"Failed to handle task completion [error={error}, {where}]:")
        return
    step.touch(task)
    task.processed = True
    after_end(step, live, task, follows)


def force(step: Step, live: Live, task: Task, reason: str, was: str | None = None) -> None:
    """A failure that no ``on-error`` is asked about: it ends the execution too."""
    calls.abandon(step, live, task)
    record = step.execution(live)
    record.completed += 1
    before = step.change_task(live, task, ERROR, reason)
    task.order = record.completed
    task.ended = step.time
    task.timers = []
    task.processed = True
    tell_end(step, live, task, was or before)
    executions.fail(step, live, reason)


def drop(step: Step, live: Live, task: Task, reason: str) -> None:
    """Ends a task that has not begun, or waits, because its execution ended first."""
    step.touch(task)
    task.timers = []
    task.ended = step.time
    task.processed = True
    step.task_state(live, task, CANCELLED, reason)
