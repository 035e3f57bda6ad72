"""An execution's life: started, checked for its end, ended."""

from __future__ import annotations

from typing import Any

from pipeline.errors import ExpressionError
from pipeline.events import DEFAULT_DOMAIN

from . import environments, held, joins, reverse, subworkflows, tasks, undo
from .branches import Branch, meet
from .expressions import evaluate
from .facts import branch, scope
from .forgetting import forget
from .model import WorkflowDefinition
from .records import (
    CANCELLED,
    ENDED,
    ERROR,
    IDLE,
    PAUSED,
    RUNNING,
    SUCCESS,
    UNDOING,
    WAITING,
    Execution,
    Task,
)
from .step import LARGE, Step
from .store import UNKNOWN, Live
from .values import text

LONGEST_INFO = 65_000
ENDED_FIRST = "the execution ended first"


def start(step: Step, command: dict[str, Any]) -> None:
    """A START. What cannot be started is an execution in ERROR that says why; a known id is nothing."""
    store = step.store
    name, root = command["workflow"], command["root"]
    if root in store.lives or root in store.ended:
        return
    namespace = str(command.get("namespace") or (command.get("params") or {}).get("namespace") or "")
    revision, definition = store.workflow(name, namespace, None) or ("", None)
    params = {**(command.get("params") or {})}
    if command.get("env") is not None:
        params["env"] = command["env"]
    record = Execution(
        id=root,
        root=root,
        workflow=name,
        revision=revision,
        state=IDLE,
        started=step.time,
        input=command.get("input") or {},
        params=params,
        namespace=namespace,
        by=command.get("by"),
        domain=domain(command),
    )
    if definition is None:
        known = f"known are: {', '.join(sorted({known for _, known in store.workflows})) or 'none'}"
        refuse(step, record, f"Workflow not found [name={name}]; {known}")
        return
    problem = command.get("problem") or named_env(step, record) or mismatch(definition, record.input)
    if problem:
        refuse(step, record, str(problem))
        return
    open_(step, record, definition)


def named_env(step: Step, record: Execution) -> str | None:
    """Puts the environment that a start names in place of its name; what is wrong, or None."""
    name = record.params.get("env")
    if not isinstance(name, str):
        return None
    found = step.store.environments.get(name)
    if found is None or not found.text:
        known = ", ".join(sorted(step.store.environments)) or "none"
        return f"Environment not found [name={name}]; known are: {known}"
    record.params = {**record.params, "env": environments.variables_of(found.text)}
    return None


def domain(command: dict[str, Any]) -> str:
    """The domain for which a START came."""
    by = command.get("by")
    found = by.get("domain") if isinstance(by, dict) else None
    return found if isinstance(found, str) and found else DEFAULT_DOMAIN


def mismatch(definition: WorkflowDefinition, given: dict[str, Any]) -> str | None:
    """What is wrong with an input, or None."""
    known = {parameter.name for parameter in definition.input}
    unexpected = sorted(given.keys() - known)
    missing = [each.name for each in definition.input if not each.optional and each.name not in given]
    if not missing and not unexpected:
        return None
    return (
        f"Invalid input [name={definition.name}, class=Workflow, missing={missing}, unexpected={unexpected}]"
    )


def refuse(step: Step, record: Execution, reason: str) -> None:
    """An execution that ends before it begins."""
    live = Live(record, UNKNOWN)
    add(step, live)
    record.ended = step.time
    record.output = {"result": reason}
    step.execution_state(live, ERROR, reason, output=record.output)
    forget(step, live)


def add(step: Step, live: Live) -> None:
    """Puts a new execution into the store."""
    store, record = step.store, live.record
    step.fresh(record)
    store.lives[record.id] = live
    store.use(record.revision)

    def back() -> None:
        store.lives.pop(record.id, None)
        store.use(record.revision, -1)

    step.undoing.append(back)


def open_(step: Step, record: Execution, definition: WorkflowDefinition) -> None:
    """Begins an execution whose input fits."""
    live = Live(record, definition)
    add(step, live)
    defaults = {each.name: each.default for each in definition.input if each.optional}
    record.input = {**defaults, **record.input}
    if step.size > LARGE and not record.parent:
        record.reference = step.large(record.input, "input")
    if definition.limits is None:
        begin(step, live)
        return
    try:
        held.ask(step, live)
    except ExpressionError as error:
        fail(step, live, str(error))


def begin(step: Step, live: Live, info: str | None = None) -> None:
    """Runs the start tasks of an execution; where the one above is held, they wait with it."""
    record, definition = live.record, live.definition
    step.execution_state(live, RUNNING, info)
    above = step.store.lives.get(record.parent)
    if above is not None and above.record.state == PAUSED:
        step.execution_state(live, PAUSED, None)
        subworkflows.follow(step, live)
    try:
        evaluate_env(step, live)
        step.weigh(live, [record.input, record.params], "the input")
        if definition.vars:
            variables = evaluate(definition.vars, scope(step, live, None, {}))
            record.context = step.weigh(live, variables, "what vars gives")
        if definition.type == "reverse":
            reverse.begin(step, live)
            return
    except ExpressionError as error:
        fail(step, live, str(error))
        return
    for name in definition.start_tasks:
        if record.state in ENDED:
            return
        task = tasks.create(step, live, name, ({}, {}), [])
        if record.state != PAUSED:
            tasks.run(step, live, task)


def evaluate_env(step: Step, live: Live) -> None:
    """Evaluates the expressions in a root's environment, unless it was started with evaluate_env: false."""
    record = live.record
    given = record.params.get("env")
    if record.parent or not isinstance(given, dict) or record.params.get("evaluate_env") is False:
        return
    record.params = {**record.params, "env": evaluate(given, scope(step, live, None, {}))}


def check(step: Step, live: Live) -> None:
    """Ends the execution when none of its tasks is left to end."""
    record = live.record
    if record.state in ENDED:
        forget(step, live)
        return
    if record.state != RUNNING or live.open > live.waiting:
        return
    if live.waiting:
        # Joins alone are left, and nothing that could reach them: they cannot come to anything.
        for task in list(live.tasks.values()):
            if task.state == WAITING:
                step.later(joins.lose, live, task)
        return
    ended = [task for task in live.tasks.values() if counts(live, task)]
    cancelled = sorted({task.name for task in ended if task.state == CANCELLED})
    if cancelled:
        finish(step, live, CANCELLED, f"Cancelled tasks: {', '.join(cancelled)}")
        return
    failed = [task for task in ended if task.state == ERROR and not task.handled]
    if failed:
        fail(step, live, blame(sorted(failed, key=lambda task: task.name)))
    else:
        succeed(step, live, None)


def counts(live: Live, task: Task) -> bool:
    """Whether the end of a task bears on that of the execution: of a join, only its last round does.

    So a join that failed for want of a branch is mended by that branch, once somebody has it run again.
    """
    return live.definition.tasks[task.name].join is None or live.latest[task.name] is task


def blame(failed: list[Task]) -> str:
    """The message about tasks whose error nobody handled."""
    lines = [f"Failure caused by error in tasks: {', '.join(task.name for task in failed)}\n"]
    for task in failed:
        lines.append(f"\n  {task.name} [task_ex_id={task.id}] -> {task.state_info}\n")
        lines += [f"    [{kind}={each}, idx={index}]: {value}\n" for kind, each, index, value in task.errors]
    # Each level of sub-workflows quotes the one below, twice: without a bound this would double.
    return "".join(lines)[:LONGEST_INFO]


def succeed(step: Step, live: Live, message: Any) -> None:
    """Ends the execution as SUCCESS; a bad ``output`` makes it ERROR."""
    try:
        output = final(live)[0]
        if live.definition.output:
            output = evaluate(live.definition.output, scope(step, live, None, output))
        output = step.weigh(live, output, "the output")
    except ExpressionError as error:
        fail(step, live, str(error))
        return
    finish(step, live, SUCCESS, message, output)


def fail(step: Step, live: Live, message: Any, undoing: bool = True) -> None:
    """Ends the execution as ERROR with its ``output-on-error``, or all its variables.

    What tasks did that name their undo is undone before.
    """
    if live.record.state == UNDOING:
        step.later(undo.go_on, live)
        return
    info = (text(message) or "")[:LONGEST_INFO] or None
    output = failed_output(step, live, message)
    if not undoing or not undo.begin(step, live, ERROR, info, output):
        finish(step, live, ERROR, info, output)


def failed_output(step: Step, live: Live, message: Any) -> dict[str, Any]:
    """The output of an execution that failed."""
    output: dict[str, Any] = {"result": message}
    variables = final(live)[0]
    wanted = live.definition.output_on_error
    try:
        evaluated = variables if not wanted else evaluate(wanted, scope(step, live, None, variables))
        # Without output-on-error all variables are the output, and the message is not hidden by one.
        told = {**output, **evaluated} if wanted else {**evaluated, **output}
        return dict(step.weigh(live, told, "the output"))
    except ExpressionError as error:
        return {**output, "output-on-error": str(error)}


def final(live: Live) -> Branch:
    """The variables of all branches at their ends."""
    if live.definition.type == "reverse":
        return reverse.final(live)
    ends = [task for task in live.tasks.values() if task.order and not task.leads]
    ends.sort(key=lambda task: (task.order, task.name))
    return meet(branch(task, live.definition.branching) for task in ends)


def cancel(step: Step, live: Live, info: Any) -> None:
    """The execution ends as CANCELLED, with all under it."""
    finish(step, live, CANCELLED, info)
    for below in step.store.children(live):
        cancel(step, below, info)


def finish(step: Step, live: Live, state: str, info: Any, output: Any = None, **more: Any) -> None:
    """The execution ends; what has not begun ends with it, what runs runs on."""
    record = step.execution(live)
    if record.state in ENDED:
        return
    record.ended = step.time
    record.output = output
    record.backlog = []
    held.leave(step, live)
    step.execution_state(live, state, info, output=output, **more)
    for task in list(live.tasks.values()) if live.open else ():
        if task.state in tasks.WAITS:
            tasks.drop(step, live, task, ENDED_FIRST)
    parent = step.store.lives.get(record.parent)
    if parent is not None:
        task_above = parent.tasks.get(record.parent_task)
        if task_above is not None:
            step.later(
                subworkflows.returned, parent, task_above, record.id, record.index, state, output, info
            )
        if parent.record.state == UNDOING:
            step.later(undo.go_on, parent)
    step.later(forget, live, True)
