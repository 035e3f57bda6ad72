"""Sub-workflows: executions of their own that a task waits for, kept under the same root."""

from __future__ import annotations

from typing import Any

from . import calls, executions, items
from .forgetting import drop
from .records import ENDED, ERROR, IDLE, PAUSED, RUNNING, SUCCESS, Execution, Task
from .step import LARGE, Step, encoded
from .store import Live

DEEPEST = 100


def call(step: Step, live: Live, task: Task, name: Any, given: dict[str, Any], index: int) -> None:
    """Starts a sub-workflow for a task. One that is unknown, or not given its input, fails the task."""
    store, record = step.store, live.record
    child_id = calls.action_id(task, index)
    task.action = str(name)
    if task.items < 0:
        task.running = [child_id]
    chosen = store.workflow(str(name), record.namespace, live.definition.book)
    problem = None
    if chosen is None:
        problem = f"Workflow not found [name={name}]"
    elif depth(step, live) >= DEEPEST:
        problem = f"sub-workflows are nested more than {DEEPEST} deep"
    if chosen is None or problem:
        step.later(returned, live, task, child_id, index, ERROR, problem)
        return
    revision, definition = chosen
    known = {parameter.name for parameter in definition.input}
    child = Execution(
        id=child_id,
        root=record.root,
        workflow=definition.name,
        revision=revision,
        state=IDLE,
        started=step.time,
        input={key: value for key, value in given.items() if key in known},
        params={key: value for key, value in given.items() if key not in known},
        namespace=record.namespace,
        parent=record.id,
        parent_task=task.id,
        index=index,
        attempt=task.attempt,
        domain=record.domain,
    )
    problem = executions.mismatch(definition, child.input)
    if problem:
        step.later(returned, live, task, child_id, index, ERROR, problem)
        return
    live.children[child_id] = None
    step.undoing.append(lambda: live.children.pop(child_id, None))
    step.later(executions.open_, child, definition)


def follow(step: Step, live: Live) -> None:
    """The task that waits for an execution is PAUSED while that is, and RUNNING again after."""
    above = step.store.lives.get(live.record.parent)
    task = above.tasks.get(live.record.parent_task) if above is not None else None
    if above is None or task is None or live.record.attempt != task.attempt:
        return
    if {task.state, live.record.state} == {RUNNING, PAUSED}:
        step.task_state(above, task, live.record.state)


def depth(step: Step, live: Live) -> int:
    """How many executions stand above one."""
    count = 0
    above = step.store.lives.get(live.record.parent)
    while above is not None:
        count += 1
        above = step.store.lives.get(above.record.parent)
    return count


def returned(
    step: Step,
    live: Live,
    task: Task,
    child_id: str,
    index: int,
    state: str,
    value: Any,
    info: Any = None,
) -> None:
    """A sub-workflow has ended: so has its task's call. ``info`` says why it was cancelled."""
    if task.state in ENDED:
        return
    child = step.store.lives.get(child_id)
    if child is not None and child.record.bulk:
        step.bulk(live)
    if task.items >= 0:
        if items.index_of(live, task, child_id) is None:
            return
        items.done(step, live, task, child_id, index, state, value)
        if state == SUCCESS:
            step.later(let_go, child_id)
        if task.reopened and task.open:
            collect(step, live, task)
    elif child_id in task.running:
        step.touch(task)
        large = len(encoded(value)) > LARGE
        task.reference = {"execution": child_id} if large else None
        if state == ERROR:
            info = value.get("result") if isinstance(value, dict) else value
        calls.finished(step, live, task, child_id, state, value, "wf_ex_id", info)
        if state == SUCCESS:
            step.later(let_go, child_id)


def let_go(step: Step, child_id: str) -> None:
    """Forgets a sub-workflow that has succeeded, unless something in it runs or somebody may list it."""
    store = step.store
    child = store.lives.get(child_id)
    if child is None or child.open or child.record.orphans or child.record.state != SUCCESS:
        return
    above = parent = store.lives.get(child.record.parent)
    while above is not None:
        if above.definition.lists:
            return
        above = store.lives.get(above.record.parent)
    if parent is not None and not store.children(child):
        parent.children.pop(child_id, None)
        step.undoing.append(lambda: parent.children.__setitem__(child_id, None))
        drop(step, [child])


def collect(step: Step, live: Live, task: Task) -> None:
    """Counts what ended while a task over sub-workflows had ended too, once none of them runs any more.

    So a task that was opened again for one of them waits for that one only.
    """
    own = [
        child.record
        for child in step.store.children(live)
        if child.record.parent_task == task.id and child.record.attempt == task.attempt
    ]
    if any(child.state not in ENDED for child in own):
        return
    for child in own:
        if items.outcome(live, task, child.index)[0] == "":
            step.later(returned, live, task, child.id, child.index, child.state, child.output)
