"""Compensation: what tasks did is taken back, the last one first, before an execution ends.

A task names its undo with ``compensate``. When the execution fails, or is cancelled with undo, it
is UNDOING until each task that had succeeded is undone. An undo that fails ends that: what was
done before it stays, and the execution is ERROR for both reasons.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from . import executions, tasks
from .facts import branch
from .records import CANCELLED, DELAYED, ENDED, ERROR, RUNNING, SUCCESS, UNDOING, Task, Undo
from .step import Step
from .store import Live


def begin(step: Step, live: Live, state: str, info: Any, output: Any) -> bool:
    """Whether there is something to undo, or may be; then the execution ends later, as said here."""
    if state != CANCELLED and not live.definition.undo:
        return False
    record = step.execution(live)
    if record.undo is not None or not (
        any(undoable(live, task) or pending(live, task) for task in live.tasks.values())
        or (state == CANCELLED and below(step, live))
    ):
        return False
    record.undo, record.output = Undo(state, info), output
    record.backlog = []
    step.execution_state(live, UNDOING, info)
    for task in list(live.tasks.values()):
        if task.state == DELAYED and task.end == SUCCESS:
            # It has done its work and only waits after it.
            step.later(tasks.complete, live, task, task.end, task.end_info)
        elif task.state in tasks.WAITS:
            tasks.drop(step, live, task, executions.ENDED_FIRST)
    step.later(go_on, live)
    return True


def cancel(step: Step, live: Live, info: Any) -> None:
    """Cancels an execution and those under it, each of which undoes first what it did."""
    for child in below(step, live):
        cancel(step, child, info)
    if live.record.state != UNDOING and not begin(step, live, CANCELLED, info, None):
        executions.finish(step, live, CANCELLED, info)


def below(step: Step, live: Live) -> list[Live]:
    """The executions right under one that have not ended."""
    return [child for child in step.store.children(live) if child.record.state not in ENDED]


def undoable(live: Live, task: Task) -> bool:
    """Whether a task has done something that can be undone."""
    return task.state == SUCCESS and task.order > 0 and task.name in live.definition.undo


def pending(live: Live, task: Task) -> bool:
    """Whether a task may still come to something that will have to be undone."""
    at_work = task.state == RUNNING or (task.state == DELAYED and task.end == SUCCESS)
    return at_work and task.name in live.definition.undo


def go_on(step: Step, live: Live) -> None:
    """The next undo, or the end."""
    record = live.record
    plan = record.undo
    if record.state != UNDOING or plan is None:
        return
    now = live.tasks.get(plan.now)
    if now is not None and now.open:
        return
    if now is not None and now.state != SUCCESS:
        failed(step, live, plan, now)
        return
    if plan.state == CANCELLED and below(step, live):
        return
    if any(pending(live, task) for task in live.tasks.values()):
        # What ends last is undone first.
        return
    left = [task for task in live.tasks.values() if undoable(live, task) and task.id not in plan.done]
    if left:
        run(step, live, plan, max(left, key=lambda task: task.order))
    else:
        names = undone(live, plan)
        info = "\n".join(filter(None, (plan.info, f"Undone: {', '.join(names)}" if names else "")))
        executions.finish(step, live, plan.state, info or None, record.output, undone=names)


def run(step: Step, live: Live, plan: Undo, done: Task) -> None:
    """Runs the undo of a task, with the variables that the task left."""
    name = live.definition.undo[done.name]
    left = branch(done, live.definition.branching)
    created = tasks.create(step, live, name, left, [[done.id, "compensate"]])
    step.execution(live).undo = replace(plan, now=created.id, done=[*plan.done, done.id])
    step.later(tasks.run, live, created)


def failed(step: Step, live: Live, plan: Undo, task: Task) -> None:
    """An undo has failed: the execution ends as ERROR, and says what stays as it is."""
    last = live.tasks.get(plan.done[-1])
    name = last.name if last is not None else task.name
    left = [each for each in live.tasks.values() if undoable(live, each) and each.id not in plan.done]
    left.sort(key=lambda each: -each.order)
    said = f"{plan.info or plan.state}\nCompensation of {name} failed: {task.name} -> {task.state_info}"
    if left:
        said += f"\nNot undone: {', '.join(each.name for each in left)}"
    output = live.record.output
    if isinstance(output, dict):
        output = {**output, "result": said}
    kept = replace(plan, done=plan.done[:-1])
    names = undone(live, kept)
    if names:
        said += f"\nUndone: {', '.join(names)}"
    executions.finish(step, live, ERROR, said[: executions.LONGEST_INFO], output, undone=names)


def undone(live: Live, plan: Undo) -> list[str]:
    """The names of the tasks that have been undone, in the order in which they were."""
    return [live.tasks[each].name for each in plan.done if each in live.tasks]
