"""Policies around a task: what holds it before it runs and what happens after each run."""

from __future__ import annotations

from typing import Any

from pipeline.errors import ExpressionError
from pipeline.ids import identify

from . import approvals, calls, control, joins, tasks
from .expressions import evaluate
from .facts import outbound, scope
from .model import NO_POLICIES, Retry
from .records import DELAYED, ENDED, ERROR, IDLE, PAUSED, SUCCESS, WAITING, Task, Timer
from .step import Step
from .store import Live

BEFORE = "before"
PAUSE_BEFORE = "pause-before"
WAIT_BEFORE = "wait-before"
WAIT_AFTER = "wait-after"
TIMEOUT = "timeout"
RETRY = "retry"


def before(step: Step, live: Live, task: Task) -> bool:
    """Whether the task may run now. Raises ``ExpressionError`` for a policy that makes no sense."""
    policies = live.definition.tasks[task.name].policies
    if policies is NO_POLICIES or BEFORE in task.passed:
        return True
    reading = scope(step, live, task, task.context)
    if policies.pause_before is not None and PAUSE_BEFORE not in task.passed:
        passed(step, task, PAUSE_BEFORE)
        if evaluate(policies.pause_before, reading):
            step.task_state(live, task, IDLE, "Set by 'pause-before' policy")
            control.pause(step, live, None)
            return False
    if policies.timeout is not None and TIMEOUT not in task.passed:
        passed(step, task, TIMEOUT)
        limit = seconds(evaluate(policies.timeout, reading), TIMEOUT)
        if limit:
            arm(step, live, task, TIMEOUT, limit)
    if policies.wait_before is not None and WAIT_BEFORE not in task.passed:
        passed(step, task, WAIT_BEFORE)
        delay = seconds(evaluate(policies.wait_before, reading), WAIT_BEFORE)
        if delay:
            delayed(step, live, task, WAIT_BEFORE, delay)
            return False
    if policies.concurrency is not None:
        step.touch(task)
        task.capacity = int(seconds(evaluate(policies.concurrency, reading), "concurrency"))
    passed(step, task, BEFORE)
    return True


def after(step: Step, live: Live, task: Task, was: str) -> bool:
    """Whether the task waits for another run instead of ending. Raises ``ExpressionError``."""
    policies = live.definition.tasks[task.name].policies
    if policies is NO_POLICIES:
        return False
    reading = scope(step, live, task, outbound(live, task))
    # Once the execution has ended nothing would come back to a task that waits.
    over = live.record.state in ENDED
    if policies.wait_after is not None and WAIT_AFTER not in task.passed and not task.timed_out and not over:
        passed(step, task, WAIT_AFTER)
        delay = seconds(evaluate(policies.wait_after, reading), WAIT_AFTER)
        if delay:
            task.end, task.end_info = task.state, task.state_info
            delayed(step, live, task, WAIT_AFTER, delay, was)
            return True
    if policies.fail_on is not None and task.state == SUCCESS and evaluate(policies.fail_on, reading):
        step.change_task(live, task, ERROR, "Failed by 'fail-on' policy")
    return policies.retry is not None and not over and again(step, live, task, policies.retry, reading, was)


def again(step: Step, live: Live, task: Task, retry: Retry, reading: Any, was: str) -> bool:
    """Whether ``retry`` has the task run once more. Both conditions are evaluated every time."""
    goes_on = retry.continue_on is not None and bool(evaluate(retry.continue_on, reading))
    breaks = retry.break_on is not None and bool(evaluate(retry.break_on, reading))
    count = seconds(evaluate(retry.count, reading), "retry count")
    delay = seconds(evaluate(retry.delay, reading), "retry delay")
    if task.state not in (SUCCESS, ERROR) or task.timed_out or task.retries >= count:
        return False
    if task.state == SUCCESS and retry.continue_on is None:
        return False
    if retry.continue_on is not None and not goes_on:
        return False
    if task.state == ERROR and breaks:
        return False
    step.touch(task)
    task.retries += 1
    if delay:
        delayed(step, live, task, RETRY, delay, was)
    else:
        step.change_task(live, task, DELAYED, "Delayed by 'retry' policy [delay=0]")
        step.tell_task(live, task, was)
        step.later(rerun, live, task)
    return True


def rerun(step: Step, live: Live, task: Task) -> None:
    """The next attempt of a task; in an execution that is held, on resume."""
    if live.record.state in ENDED or task.state in ENDED:
        return
    step.touch(task)
    task.attempt += 1
    task.published = {}
    task.result = task.reference = None
    task.done = task.begun = task.failed = 0
    if live.record.state == PAUSED:
        step.task_state(live, task, IDLE)
    else:
        go(step, live, task)


def go(step: Step, live: Live, task: Task) -> None:
    """Runs a task that waited; a join that had failed looks at its branches again."""
    if task.dead and live.definition.tasks[task.name].join is not None:
        step.task_state(live, task, WAITING, joins.WAITS)
        joins.look_again(step, live, task)
    else:
        tasks.run(step, live, task)


def delayed(step: Step, live: Live, task: Task, kind: str, delay: float, was: str | None = None) -> None:
    """The task waits ``delay`` seconds for the sake of a policy."""
    shown = int(delay) if delay == int(delay) else delay
    before_it = step.change_task(live, task, DELAYED, f"Delayed by '{kind}' policy [delay={shown}]")
    arm(step, live, task, kind, delay)
    step.tell_task(live, task, was or before_it)


def arm(step: Step, live: Live, task: Task, kind: str, delay: float) -> None:
    """A timer of the task, ``delay`` seconds from now."""
    step.touch(task)
    due = step.time + round(delay * 1_000_000)
    timer = Timer(identify("timer", task.id, kind, task.attempt, due), due, kind)
    task.timers = [*task.timers, timer]
    step.store.arm(live.record, task, timer)


def fired(step: Step, command: dict[str, Any]) -> None:
    """A TIMER: does what the timer was for, if it still stands."""
    live = step.store.lives.get(command.get("execution", ""))
    task = live.tasks.get(command.get("task", "")) if live else None
    if live is None or task is None:
        return
    timer = next((each for each in task.timers if each.id == command["timer"]), None)
    if timer is None:
        return
    step.touch(task)
    task.timers = [each for each in task.timers if each.id != timer.id]
    if timer.kind == TIMEOUT:
        task.timed_out = True
        limit = live.definition.tasks[task.name].policies.timeout
        try:
            limit = evaluate(limit, scope(step, live, task, task.context))
        except ExpressionError:
            limit = "?"
        calls.abandon(step, live, task)
        tasks.complete(step, live, task, ERROR, f"Task timed out [timeout(s)={limit}].")
    elif timer.kind == WAIT_AFTER:
        tasks.complete(step, live, task, task.end, task.end_info)
    elif timer.kind == RETRY:
        rerun(step, live, task)
    elif timer.kind.startswith(approvals.TIMER):
        approvals.expired(step, live, task, timer.kind.removeprefix(approvals.TIMER))
    elif live.record.state == PAUSED:
        step.task_state(live, task, IDLE)
    else:
        tasks.run(step, live, task)


def passed(step: Step, task: Task, kind: str) -> None:
    """Notes that a policy has had its say."""
    step.touch(task)
    task.passed = [*task.passed, kind]


def seconds(value: Any, what: str) -> float:
    """A number that a policy gave. Raises ``ExpressionError`` when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ExpressionError(f"{what} must be a number, 0 or more, not {value!r}")
    return value
