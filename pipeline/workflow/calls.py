"""Calling actions and workflows for a task, and taking their results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.errors import ExpressionError
from pipeline.ids import identify

from . import adhoc, approvals, items, subworkflows, tasks
from .expressions import evaluate, is_expression
from .facts import env, scope
from .forgetting import forget
from .model import TaskDefinition
from .records import ERROR, REPORTS, RESULTS, RUNNING, SUCCESS, Task
from .scope import Scope
from .step import ACTIONS, LARGEST, Step
from .store import Live
from .values import text

SEEN = 64
LONGEST_WORDS = 4_000
STATES = {"RESULT": RESULTS, "COMPLETE": REPORTS}


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
    environment = env(step.store, live)
    defaults = environment.get("__actions")
    if isinstance(defaults, Mapping) and isinstance(defaults.get(name), Mapping):
        given = {**evaluate(dict(defaults[name]), reading), **given}
    items_of = bool(definition.with_items)
    step.weigh(live, given, f"the input of {name}")
    call_id = action_id(task, index)
    task.action = name
    if not items_of:
        task.running = [call_id]
    if name in approvals.NAMES:
        approvals.ask(step, live, task, call_id, given)
        tell(step, live, task, call_id, name, RUNNING, "IDLE", index, {"input": given})
        return
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
            **_said_once(environment),
            "safe_rerun": bool(evaluate(definition.safe_rerun, reading)),
            "timeout": None,
            "target": evaluate(definition.target, reading)
            if is_expression(definition.target)
            else definition.target,
        },
    )
    tell(step, live, task, call_id, name, RUNNING, "IDLE", index, {"input": given})


def _said_once(environment: Mapping[str, Any]) -> dict[str, Any]:
    """What the execution's environment names for all its actions: where they act, and as whom."""
    once = {name: environment[f"__{name}"] for name in ("cloud", "cluster") if environment.get(f"__{name}")}
    return {"defaults": once} if once else {}


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
    task = live.tasks.get(command.get("task", "")) if live else None
    if live is None or task is None:
        return
    call_id = command["action"]
    index = running_index(live, task, call_id)
    if index is None:
        late(step, live, task, call_id, command)
        return
    state, value, wrong = command["state"], command.get("result"), False
    if step.size > LARGEST:
        state, value = ERROR, f"the result has {step.size} bytes; a record holds {LARGEST}"
    if state == SUCCESS:
        try:
            value = adhoc.output(step, live, task, value)
        except ExpressionError as error:
            state, value, wrong = ERROR, str(error), True
    told = step.large(value) if value is command.get("result") else step.shown(value)
    more = {"result": told, "ended_at": step.text}
    if command.get("started_at"):
        more["started_at"] = command["started_at"]
    tell(step, live, task, call_id, task.action, state, RUNNING, index, more)
    if wrong:
        refused(step, live, task, call_id, value, "handle action completion", f", action={task.action}")
    elif state == ERROR and command.get("refused") is True:
        refused(step, live, task, call_id, value, "run task")
    elif task.items >= 0:
        items.done(step, live, task, call_id, index, state, value, command["id"])
    else:
        step.touch(task)
        task.heard = command["id"]
        task.reference = told if told is not value else None
        finished(step, live, task, call_id, state, value, "action_ex_id", command.get("reason"))


def refused(step: Step, live: Live, task: Task, call_id: str, value: Any, what: str, which: str = "") -> None:
    """The definition is at fault: no such action, not such an input, an output that cannot be evaluated."""
    step.touch(task)
    task.running = [each for each in task.running if each != call_id]
    if task.items >= 0:
        items.settle(step, live, task, call_id, ERROR, value)
    where = f"wf={live.record.workflow}, task={task.name}{which}"
    tasks.force(step, live, task, f"Failed to {what} [error={value}, {where}]:")


def running_index(live: Live, task: Task, call_id: str) -> int | None:
    """Which item (0 without items) a running call is for; None when none such is waited for."""
    if task.items >= 0:
        return items.index_of(live, task, call_id)
    return 0 if call_id in task.running else None


def finished(
    step: Step, live: Live, task: Task, call_id: str, state: str, value: Any, kind: str, reason: Any = None
) -> None:
    """The one call of a task has ended, and so does the task. ``reason`` tells why, if not ``value``."""
    step.touch(task)
    task.running = []
    task.done += 1
    task.outcome = state
    task.result = value
    info = None
    if state != SUCCESS:
        why = value if reason is None else reason
        info = (text(why) or "")[:LONGEST_WORDS] if why else None
        if state == ERROR:
            task.errors = [*task.errors[-19:], [kind, call_id, task.calls - 1, words(why) or "Unknown"]]
    tasks.complete(step, live, task, state, info)


def late(step: Step, live: Live, task: Task, call_id: str, command: dict[str, Any]) -> None:
    """A result that nobody waits for is told once and changes nothing; the same one again is nothing."""
    record = live.record
    abandoned = call_id in record.orphans
    if not abandoned and (command["id"] in record.seen or not contradicts(live, task, call_id, command)):
        return
    record = step.execution(live)
    kind = "ACTION" if abandoned else "LATE"
    if abandoned:
        record.orphans = [each for each in record.orphans if each != call_id]
    else:
        record.seen = [*record.seen[-SEEN + 1 :], command["id"]]
    fields = {
        "state_info": "late: its task had ended" if abandoned else "late: the action had ended",
        "from": RUNNING,
        "action": call_id,
        "task": task.id,
        "task_name": task.name,
        "workflow": record.workflow,
        "attempt": task.attempt,
        "late": True,
        "result": step.large(command.get("result")),
        "ended_at": step.text,
    }
    step.tell(record.root, record.id, kind, task.action, command["state"], fields)
    if abandoned:
        forget(step, live)


def contradicts(live: Live, task: Task, call_id: str, command: dict[str, Any]) -> bool:
    """Whether a call of the present attempt has ended otherwise than ``command`` says."""
    said = (command["state"], command.get("result"))
    if task.items >= 0:
        index = items.index_of_ended(live, task, call_id)
        if index is None or items.heard(live, task, index) == items.short(command["id"]):
            return False
        return items.outcome(live, task, index) not in (("", None), said)
    if call_id != action_id(task, 0) or not task.done or task.heard == command["id"]:
        return False
    return (task.outcome, task.result) != said


def abandon(step: Step, live: Live, task: Task) -> None:
    """The task ends without waiting for what it has running; results of that will be late."""
    left = list(task.running) if task.items < 0 else items.running(live, task)
    if live.definition.tasks[task.name].workflow is not None:
        left = []
    # Nobody is at work on what waits for people.
    left = [each for each in left if each not in task.approvals]
    if left:
        record = step.execution(live)
        record.orphans = [*record.orphans, *left]
    step.touch(task)
    task.running, task.approvals = [], {}


def words(value: Any) -> str | None:
    """An error's payload as a text for people."""
    return str(value)[:LONGEST_WORDS] if value else None
