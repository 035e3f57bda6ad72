"""Calling actions and workflows for a task, and taking their results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.errors import ExpressionError
from pipeline.ids import identify

from . import adhoc, items, subworkflows, tasks
from .expressions import evaluate, is_expression
from .facts import env, scope
from .forgetting import forget
from .model import TaskDefinition
from .records import CANCELLED, ERROR, RUNNING, SUCCESS, Task
from .scope import Scope
from .step import ACTIONS, Step
from .store import Live

STATES = frozenset({SUCCESS, ERROR, CANCELLED})


def begin(step: Step, live: Live, task: Task) -> None:
    """Calls what the task calls: once, or once an item."""
    definition = live.definition.tasks[task.name]
    if definition.with_items:
        items.begin(step, live, task)
        return
    call(step, live, task, scope(step, live, task, task.context), 0)


def call(step: Step, live: Live, task: Task, reading: Scope, index: int) -> None:
    """One call. Raises ``ExpressionError`` when its name or input cannot be evaluated."""
    definition = live.definition.tasks[task.name]
    given = evaluate(definition.input, reading)
    if not isinstance(given, dict):
        raise ExpressionError(f"the input of task {task.name!r} is not a mapping: {given!r}")
    step.touch(task)
    task.calls += 1
    if definition.workflow is not None:
        name = evaluate(definition.workflow, reading)
        subworkflows.call(step, live, task, name, given, index)
        return
    name = evaluate(definition.action, reading)
    if not isinstance(name, str) or not name:
        raise ExpressionError(f"the action of task {task.name!r} is not a name: {name!r}")
    name, given = adhoc.resolve(step, live, name, given, reading)
    dispatch(step, live, task, definition, name, given, index, reading)


def dispatch(
    step: Step,
    live: Live,
    task: Task,
    definition: TaskDefinition,
    name: str,
    given: dict[str, Any],
    index: int,
    reading: Scope,
) -> None:
    """Hands an action to the executors."""
    record = live.record
    defaults = env(step.store, live).get("__actions")
    if isinstance(defaults, Mapping) and isinstance(defaults.get(name), Mapping):
        given = {**evaluate(dict(defaults[name]), reading), **given}
    items_of = bool(definition.with_items)
    call_id = action_id(task, index)
    task.action = name
    if not items_of:
        task.running = [call_id]
    place = {
        "task": task.id,
        "task_name": task.name,
        "attempt": task.attempt,
        "index": index if items_of else None,
    }
    step.put(
        ACTIONS,
        call_id,
        {
            "id": call_id,
            "time": step.text,
            "root": record.root,
            "execution": record.id,
            **place,
            "workflow": record.workflow,
            "action": name,
            "input": given,
            "safe_rerun": bool(evaluate(definition.safe_rerun, reading)),
            "timeout": None,
            "target": evaluate(definition.target, reading)
            if is_expression(definition.target)
            else definition.target,
        },
    )
    tell(step, live, task, call_id, name, RUNNING, "IDLE", index, {"input": given})


def action_id(task: Task, index: int) -> str:
    """The id of a task's call in its present attempt: of an action, or of a sub-workflow's execution."""
    return identify("call", task.id, task.attempt, index)


def tell(
    step: Step,
    live: Live,
    task: Task,
    call_id: str,
    name: str,
    state: str,
    was: str,
    index: int,
    more: dict[str, Any],
) -> None:
    """Puts out an action's change of state."""
    record = live.record
    fields: dict[str, Any] = {
        "state_info": None,
        "from": was,
        "action": call_id,
        "task": task.id,
        "task_name": task.name,
        "workflow": record.workflow,
        "attempt": task.attempt,
        "index": index if task.items >= 0 else None,
        **more,
    }
    step.tell(record.root, record.id, "ACTION", name, state, fields)


def result(step: Step, command: dict[str, Any]) -> None:
    """A RESULT: the first one of an action counts, a later one is told as late."""
    live = step.store.lives.get(command.get("execution", ""))
    if live is None:
        return
    call_id = command["action"]
    state = command["state"]
    task = live.tasks.get(command.get("task", ""))
    if call_id in live.record.orphans:
        late(step, live, call_id, state, command)
        return
    if task is None:
        return
    value = command.get("result")
    if state == SUCCESS:
        try:
            value = adhoc.output(step, live, task, value)
        except ExpressionError as error:
            state, value = ERROR, str(error)
    more = {"result": step.large(value)}
    if command.get("started_at"):
        more["started_at"] = command["started_at"]
    more["ended_at"] = step.text
    if task.items >= 0:
        index = items.index_of(live, task, call_id)
        if index is None:
            return
        tell(step, live, task, call_id, task.action, state, RUNNING, index, more)
        items.done(step, live, task, call_id, index, state, value)
        return
    if call_id not in task.running:
        return
    tell(step, live, task, call_id, task.action, state, RUNNING, 0, more)
    finished(step, live, task, call_id, state, value, "action_ex_id")


def finished(
    step: Step, live: Live, task: Task, call_id: str, state: str, value: Any, kind: str, reason: Any = None
) -> None:
    """The one call of a task has ended, and so does the task. ``reason`` tells why, if not ``value``."""
    step.touch(task)
    task.running = []
    task.done += 1
    task.result = value
    info = None
    if state != SUCCESS:
        info = words(value if reason is None else reason)
        if state == ERROR:
            task.errors = [*task.errors[-19:], [kind, call_id, task.calls - 1, info or "Unknown"]]
    tasks.complete(step, live, task, state, info)


def late(step: Step, live: Live, call_id: str, state: str, command: dict[str, Any]) -> None:
    """A result that nobody waits for any more is told, and changes nothing."""
    record = step.execution(live)
    record.orphans = [each for each in record.orphans if each != call_id]
    fields = {
        "state_info": "late: the task had ended",
        "from": RUNNING,
        "action": call_id,
        "task": command.get("task"),
        "workflow": record.workflow,
        "late": True,
        "result": step.large(command.get("result")),
        "ended_at": step.text,
    }
    step.tell(record.root, record.id, "ACTION", str(command.get("name", "")), state, fields)
    forget(step, live)


def abandon(step: Step, live: Live, task: Task) -> None:
    """The task ends without waiting for what it has running; results of that will be late."""
    left = list(task.running) if task.items < 0 else items.running(live, task)
    if live.definition.tasks[task.name].workflow is not None:
        left = []
    if left:
        record = step.execution(live)
        record.orphans = [*record.orphans, *left]
    step.touch(task)
    task.running = []


def words(value: Any) -> str | None:
    """An error's payload as a text for people."""
    return str(value) if value else None
