"""What operators do to executions: pause, resume, cancel, stop, rerun, skip, complete."""

from __future__ import annotations

from typing import Any

from . import around, calls, executions, held, items, joins, subworkflows, tasks, transitions, undo
from .records import (
    CANCELLED,
    CHUNK,
    ENDED,
    ERROR,
    IDLE,
    PAUSED,
    RUNNING,
    SUCCESS,
    UNDOING,
    WAITING,
    Chunk,
    Task,
)
from .step import Step
from .store import Live

REMEMBERED = 64


def known(step: Step, command: dict[str, Any]) -> Live | None:
    """The execution of a command that has not been carried out yet."""
    live = step.store.lives.get(command.get("execution", ""))
    if live is None or command["id"] in live.record.seen:
        return None
    record = step.execution(live)
    record.seen = [*record.seen[-REMEMBERED + 1 :], command["id"]]
    return live


def pause(step: Step, live: Live, message: Any) -> None:
    """Holds an execution, those under it, and those above it."""
    if live.record.state != RUNNING:
        return
    step.execution_state(live, PAUSED, message)
    subworkflows.follow(step, live)
    for below in step.store.children(live):
        pause(step, below, message)
    above = step.store.lives.get(live.record.parent)
    if above is not None:
        pause(step, above, message)


def pausing(step: Step, command: dict[str, Any]) -> None:
    """A PAUSE."""
    live = known(step, command)
    if live is not None:
        pause(step, live, command.get("message") or None)


def resuming(step: Step, command: dict[str, Any]) -> None:
    """A RESUME; ``env`` is merged into the root's."""
    live = known(step, command)
    if live is None or live.record.state != PAUSED:
        return
    merge_env(step, live, command.get("env"))
    resume(step, live)


def merge_env(step: Step, live: Live, env: Any) -> None:
    """Adds to the environment of the root."""
    top = step.store.lives.get(live.record.root, live)
    if isinstance(env, dict) and env:
        record = step.execution(top)
        record.params = {**record.params, "env": {**(record.params.get("env") or {}), **env}}


def resume(step: Step, live: Live) -> None:
    """Lets an execution go on, with those under it; the one above, once no other task holds it."""
    if live.record.state != PAUSED:
        return
    step.execution_state(live, RUNNING, None)
    subworkflows.follow(step, live)
    for below in step.store.children(live):
        resume(step, below)
    step.later(take_up, live)
    above = step.store.lives.get(live.record.parent)
    if above is not None:
        resume_unless_held(step, above)


def resume_unless_held(step: Step, live: Live) -> None:
    """Lets an execution go on when none of its tasks is PAUSED any more."""
    if all(task.state != PAUSED for task in live.tasks.values()):
        resume(step, live)


def take_up(step: Step, live: Live) -> None:
    """Does what waited for the execution to be resumed."""
    record = step.execution(live)
    backlog, record.backlog = record.backlog, []
    for task_id, target, given, *event in backlog:
        source = live.tasks.get(task_id)
        if source is not None and record.state == RUNNING:
            transitions.dispatch(step, live, source, [(target, given, *(event or [""]))])
        elif record.state == PAUSED:
            record.backlog = [*record.backlog, [task_id, target, given, *event]]
    for task in list(live.tasks.values()):
        if record.state != RUNNING:
            return
        if task.state == IDLE:
            around.go(step, live, task)
        elif task.state in ENDED and not task.processed:
            tasks.go_on(step, live, task)
    executions.check(step, live)


def cancelling(step: Step, command: dict[str, Any]) -> None:
    """A CANCEL: ends as CANCELLED, with all under it, with ``undo`` once what they did is undone.

    Actions that run are not killed. A second one without ``undo`` ends what is being undone.
    """
    live = known(step, command)
    if live is None or live.record.state in ENDED:
        return
    message = command.get("message") or None
    if command.get("undo") is True:
        undo.cancel(step, live, message)
    else:
        executions.cancel(step, live, message)


def stopping(step: Step, command: dict[str, Any]) -> None:
    """A STOP as SUCCESS, ERROR or CANCELLED."""
    state = command.get("state", ERROR)
    if state == CANCELLED:
        cancelling(step, command)
        return
    live = known(step, command)
    if live is None or live.record.state in ENDED:
        return
    message = command.get("message") or None
    if state == SUCCESS:
        if live.record.state == RUNNING:
            executions.succeed(step, live, message)
    elif live.record.state == UNDOING:
        executions.finish(step, live, ERROR, message, live.record.output)
    else:
        executions.fail(step, live, message, undoing=command.get("undo") is True)


def wanted(live: Live, command: dict[str, Any]) -> Task | None:
    """The task that a command names, by its id or (the newest) by its name."""
    name = str(command.get("task", ""))
    return live.tasks.get(name) or live.latest.get(name)


def rerunning(step: Step, command: dict[str, Any]) -> None:
    """A RERUN of a task that failed or was cancelled; the executions above run again too."""
    live = known(step, command)
    task = wanted(live, command) if live is not None else None
    if live is None or task is None or task.state not in (ERROR, CANCELLED) or not may_go_on(step, live):
        return
    merge_env(step, live, command.get("env"))
    revive(step, live)
    reset = command.get("reset", True)
    if task.items > 0 and not reset:
        again(step, live, task)
        return
    step.touch(task)
    task.attempt += 1
    task.retries = task.done = task.begun = task.failed = task.started = 0
    fresh(task)
    task.passed = []
    # What the earlier attempt began may end yet, while this one waits: it is none of its items.
    live.calls.pop(task.id, None)
    step.change_task(live, task, IDLE, None)
    wait_again(step, live)
    tasks.run(step, live, task)


def wait_again(step: Step, live: Live) -> None:
    """Joins that failed for want of a branch wait for it once more, now that a task is taken up again."""
    for task in list(live.latest.values()):
        if live.definition.tasks[task.name].join is None:
            continue
        if task.state == ERROR and task.dead and not task.handled and not task.started:
            step.touch(task)
            fresh(task)
            task.retries, task.passed = 0, []
            step.task_state(live, task, WAITING, joins.WAITS)
        if task.state == WAITING:
            joins.survey(step, live, task)


def may_go_on(step: Step, live: Live | None) -> bool:
    """Whether an execution can be taken up: not while it, or one above it, is held, nor when undone."""
    while live is not None:
        if live.record.undo is not None or live.record.state == PAUSED:
            return False
        live = step.store.lives.get(live.record.parent)
    return True


def fresh(task: Task) -> None:
    """Takes from a task what its end had left."""
    task.published, task.result, task.errors, task.reference = {}, None, [], None
    task.next, task.leads, task.handled, task.processed = [], False, False, False
    task.timed_out, task.ended, task.order = False, 0, 0


def again(step: Step, live: Live, task: Task) -> None:
    """Runs the items that failed, were cancelled or never began, and no others."""
    step.touch(task)
    left: list[int] = []
    for chunk in live.chunks.get(task.id, []):
        for place, state in enumerate(chunk.states):
            if state != SUCCESS:
                left.append(chunk.number * CHUNK + place)
                forget_item(step, chunk, place)
    fresh(task)
    task.attempt += 1
    task.begun, task.done, task.failed, task.again = task.items, task.items - len(left), 0, left
    live.calls[task.id] = {}
    step.task_state(live, task, RUNNING)
    wait_again(step, live)
    if left:
        items.resume(step, live, task)
    else:
        # What had failed was not an item, but what was to be done with their results.
        tasks.complete(step, live, task, SUCCESS)


def revive(step: Step, live: Live) -> None:
    """Brings an execution that ended, and those above it, back to RUNNING."""
    if live.record.state in ENDED:
        record = step.execution(live)
        record.ended, record.output = 0, None
        held.again(step, live)
        step.execution_state(live, RUNNING, None)
    above = step.store.lives.get(live.record.parent)
    if above is None:
        return
    task = above.tasks.get(live.record.parent_task)
    if task is None or live.record.attempt != task.attempt:
        return
    if task.state in ENDED:
        reopen(step, above, task, live)
    revive(step, above)


def reopen(step: Step, live: Live, task: Task, child: Live) -> None:
    """A task that had ended waits for its sub-workflow once more."""
    step.touch(task)
    fresh(task)
    task.reopened = True
    if task.items < 0:
        task.done = 0
        task.running = [child.record.id]
    else:
        index = child.record.index
        chunk = live.chunks[task.id][index // CHUNK]
        place = index % CHUNK
        if chunk.states[place]:
            task.done -= 1
            task.failed -= chunk.states[place] == ERROR
            forget_item(step, chunk, place)
        live.calls.pop(task.id, None)
    step.task_state(live, task, RUNNING)
    wait_again(step, live)


def forget_item(step: Step, chunk: Chunk, place: int) -> None:
    """Takes the outcome of an item back."""
    step.touch(chunk)
    chunk.states = [*chunk.states[:place], "", *chunk.states[place + 1 :]]
    chunk.results = [*chunk.results[:place], None, *chunk.results[place + 1 :]]
    chunk.heard = [*chunk.heard[:place], "", *chunk.heard[place + 1 :]]


def skipping(step: Step, command: dict[str, Any]) -> None:
    """A SKIP of a task that failed: goes on as if it had ended as SKIPPED."""
    live = known(step, command)
    task = wanted(live, command) if live is not None else None
    if live is None or task is None or task.state != ERROR or not may_go_on(step, live):
        return
    revive(step, live)
    step.touch(task)
    fresh(task)
    step.change_task(live, task, IDLE, None)
    wait_again(step, live)
    tasks.skip(step, live, task)


def completing(step: Step, command: dict[str, Any]) -> None:
    """A COMPLETE: the result of an action that somebody outside carries out; or it is held, or goes on."""
    live = step.store.lives.get(command.get("execution", ""))
    if live is None:
        return
    action = command.get("action")
    task = next((each for each in live.tasks.values() if action in each.running), None) or wanted(
        live, command
    )
    if task is None:
        return
    if action is None:
        open_calls = items.running(live, task) if task.items >= 0 else task.running
        if not open_calls:
            return
        action = open_calls[0]
    state = command.get("state") or SUCCESS
    if state in (PAUSED, RUNNING):
        hold(step, live, task, action, state)
        return
    result = command.get("result")
    calls.result(step, {**command, "task": task.id, "action": action, "state": state, "result": result})


def hold(step: Step, live: Live, task: Task, action: str, state: str) -> None:
    """An action that runs is held by whoever carries it out, and the execution with it; or both go on."""
    index = calls.running_index(live, task, action)
    if index is None or task.state == state or task.state not in (RUNNING, PAUSED):
        return
    calls.tell(step, live, task, action, task.action, state, task.state, index, {})
    step.task_state(live, task, state)
    if state == PAUSED:
        pause(step, live, None)
    else:
        resume_unless_held(step, live)
