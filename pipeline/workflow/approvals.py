"""``std.approval``: an action that people carry out. It waits for what named roles decide.

Its input: ``roles`` (or ``role``), how many of them are ``needed`` (all), a ``message``, a
``timeout`` in seconds, and what then happens ``otherwise``: reject, approve or escalate, which asks
``escalate_to`` for as long again and then rejects. A rejection is the action's error.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from pipeline.errors import ExpressionError
from pipeline.ids import identify

from . import around, calls, control, refusals
from .records import ERROR, RUNNING, SUCCESS, Approval, Task
from .step import Step
from .store import Live

NAMES = frozenset({"std.approval", "approval"})
INPUT = frozenset({"role", "roles", "needed", "message", "timeout", "otherwise", "escalate_to"})
OUTCOMES = ("reject", "approve", "escalate")
TIMER = "approval/"

Pending = tuple[Live, Task, str, Approval]


def read(given: dict[str, Any]) -> Approval:
    """What an input asks for. Raises ``ExpressionError`` naming what is wrong with it."""
    for name in given:
        if name not in INPUT:
            raise ExpressionError(f"std.approval has no input {name!r}; it takes {', '.join(sorted(INPUT))}")
    roles = names(given.get("roles", given.get("role")), "roles")
    otherwise = given.get("otherwise", "reject")
    if otherwise not in OUTCOMES:
        raise ExpressionError(f"std.approval: otherwise is {', '.join(OUTCOMES)}, not {otherwise!r}")
    needed = given.get("needed", len(roles))
    if isinstance(needed, bool) or not isinstance(needed, int) or not 1 <= needed <= len(roles):
        raise ExpressionError(f"std.approval: needed is a number from 1 to {len(roles)}, not {needed!r}")
    limit = float(around.seconds(given.get("timeout") or 0, "std.approval: timeout"))
    if otherwise != "reject" and not limit:
        raise ExpressionError(f"std.approval: otherwise: {otherwise} needs a timeout")
    above = names(given.get("escalate_to"), "escalate_to") if otherwise == "escalate" else []
    return Approval(roles, needed, str(given.get("message") or ""), limit, otherwise, above)


def names(value: Any, what: str) -> list[str]:
    """One name or several. Raises ``ExpressionError``."""
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not found or not all(isinstance(one, str) and one for one in found):
        raise ExpressionError(f"std.approval: {what} is the name of a role, or a list of such")
    return list(dict.fromkeys(found))


def ask(step: Step, live: Live, task: Task, call: str, given: dict[str, Any]) -> None:
    """Begins to wait. Raises ``ExpressionError`` when the input makes no sense."""
    approval = read(given)
    keep(step, task, call, approval)
    if approval.timeout:
        around.arm(step, live, task, f"{TIMER}{call}", approval.timeout)


def deciding(step: Step, command: dict[str, Any]) -> None:
    """An APPROVE: somebody speaks for a role, for or against."""
    live = control.known(step, command)
    if live is None:
        return
    role = str(command.get("role") or "")
    found = wanted(step, live, command)
    fitting = [each for each in found if role in left(each[3]) or (not role and len(left(each[3])) == 1)]
    if not fitting:
        roles = sorted({one for each in found for one in left(each[3])})
        said = f"waits for: {', '.join(roles)}" if roles else "nothing here waits for an approval"
        told = {"role": role, "comment": command.get("comment") or ""}
        names = {"kind": "APPROVAL", "name": live.record.workflow, "from": RUNNING}
        refusals.refuse(step, command, said, result=told, **names)
        return
    where, task, call, approval = fitting[0]
    role = role or left(approval)[0]
    agreed = command.get("approve", True) is not False
    decision = {
        "role": role,
        "approved": agreed,
        "by": command.get("by"),
        "at": step.text,
        "comment": command.get("comment") or "",
    }
    approval = replace(approval, decisions=[*approval.decisions, decision])
    keep(step, task, call, approval)
    tell(step, where, task, call, "APPROVED" if agreed else "REJECTED", command, role, None)
    if not agreed:
        settle(step, where, task, call, False, f"Rejected by {role}: {decision['comment']}".rstrip(": "))
    elif len(left(approval)) <= len(approval.roles) - approval.needed:
        settle(step, where, task, call, True, None)


def wanted(step: Step, live: Live, command: dict[str, Any]) -> list[Pending]:
    """The approvals that a command may mean, the longest waiting first."""
    task_name, action = command.get("task"), command.get("action")
    return [
        (each, task, call, approval)
        for each in step.store.tree(live)
        for task in each.tasks.values()
        for call, approval in task.approvals.items()
        if calls.running_index(each, task, call) is not None
        and task_name in (None, "", task.name, task.id)
        and action in (None, "", call)
    ]


def left(approval: Approval) -> list[str]:
    """The roles that have not agreed yet."""
    # One that is against it ends it at once.
    agreed = {each["role"] for each in approval.decisions}
    return [role for role in approval.roles if role not in agreed]


def expired(step: Step, live: Live, task: Task, call: str) -> None:
    """The time limit has passed."""
    approval = task.approvals.get(call)
    if approval is None or calls.running_index(live, task, call) is None:
        return
    if approval.otherwise == "escalate" and not approval.escalated:
        above = approval.escalate_to
        needed = min(approval.needed, len(above)) if approval.needed < len(approval.roles) else len(above)
        keep(step, task, call, replace(approval, roles=above, needed=needed, escalated=True))
        tell(step, live, task, call, "ESCALATED", {}, "", f"waits for: {', '.join(above)}")
        around.arm(step, live, task, f"{TIMER}{call}", approval.timeout)
        return
    waited = f"within {approval.timeout:g} s"
    if approval.otherwise == "approve":
        tell(step, live, task, call, "APPROVED", {}, "", f"nobody decided {waited}")
        settle(step, live, task, call, True, None, "timeout")
    else:
        tell(step, live, task, call, "REJECTED", {}, "", f"nobody decided {waited}")
        settle(step, live, task, call, False, f"Rejected: nobody decided {waited}", "timeout")


def settle(
    step: Step, live: Live, task: Task, call: str, agreed: bool, reason: str | None, how: str = "decided"
) -> None:
    """Ends the action with what was decided."""
    approval = task.approvals[call]
    keep(step, task, call, None)
    calls.result(
        step,
        {
            "id": identify("approval", call, step.partition, step.position),
            "execution": live.record.id,
            "task": task.id,
            "action": call,
            "state": SUCCESS if agreed else ERROR,
            "result": {"approved": agreed, "how": how, "decisions": approval.decisions},
            "reason": reason,
        },
    )


def keep(step: Step, task: Task, call: str, approval: Approval | None) -> None:
    """Notes how an approval stands; None: it waits no more."""
    step.touch(task)
    rest = {each: kept for each, kept in task.approvals.items() if each != call}
    task.approvals = rest if approval is None else {**rest, call: approval}
    if approval is None:
        task.timers = [each for each in task.timers if each.kind != f"{TIMER}{call}"]


def tell(
    step: Step,
    live: Live,
    task: Task | None,
    call: str,
    state: str,
    command: dict[str, Any],
    role: str,
    info: str | None,
) -> None:
    """Puts out what somebody decided, or the time limit did."""
    record = live.record
    fields: dict[str, Any] = {"state_info": info, "from": RUNNING, "workflow": record.workflow}
    if task is not None:
        fields |= {"task": task.id, "action": call, "attempt": task.attempt}
    if command.get("by") is not None:
        fields["by"] = command["by"]
    fields["result"] = {"role": role, "comment": command.get("comment") or ""}
    name = task.name if task is not None else record.workflow
    step.tell(record.root, record.id, "APPROVAL", name, state, fields)
