"""An execution of a limited workflow before it begins: it asks, is let in, or is held."""

from __future__ import annotations

import json
from typing import Any

from pipeline.ids import identify

from . import control, executions
from .expressions import evaluate
from .facts import scope
from .gate import ENTER, LEAVE, RELEASE
from .records import CANCELLED, HELD, IDLE
from .step import COMMANDS, Step
from .store import Live

ASKED = "ASKED"
INSIDE = "INSIDE"


def ask(step: Step, live: Live) -> None:
    """Asks whether the execution may begin. Raises ``ExpressionError`` for a key that cannot be evaluated."""
    record = live.record
    step.weigh(live, [record.input, record.params], "the input")
    record.limited = ASKED
    send(step, live, ENTER)


def send(step: Step, live: Live, what: str) -> None:
    """Says something to where the limits of the workflow are decided."""
    record, limits = live.record, live.definition.limits or {}
    # Those of one name in two namespaces are two workflows.
    name = f"{record.namespace}/{record.workflow}" if record.namespace else record.workflow
    key = f"limit/{name}"
    value: dict[str, Any] = {
        "id": identify("admission", record.id, what, step.partition, step.position),
        "time": step.text,
        "command": "ADMISSION",
        "root": key,
        "ask": what,
        "of": record.root,
        "execution": record.id,
        "workflow": name,
    }
    if what != LEAVE:
        value |= {"limits": limits, "target": target(step, live, limits.get("key"))}
    step.put(COMMANDS, key, value)


def target(step: Step, live: Live, key: str | None) -> str:
    """What a cool-down goes by: the key, else the whole input."""
    found = live.record.input if key is None else evaluate(key, scope(step, live, None, {}))
    return found if isinstance(found, str) else json.dumps(found, sort_keys=True, ensure_ascii=False)


def admitted(step: Step, command: dict[str, Any]) -> None:
    """An ADMITTED: the execution begins."""
    live = step.store.lives.get(command["execution"])
    if live is not None and waits(live):
        enter(step, live)


def holding(step: Step, command: dict[str, Any]) -> None:
    """A HELD: the execution waits, and says which limit holds it."""
    live = step.store.lives.get(command["execution"])
    if live is None or not waits(live):
        return
    limit, info = command.get("limit", ""), command.get("message") or ""
    said = f"Held by the limit '{limit}': {info}"
    if (live.record.state, live.record.state_info) != (HELD, said):
        step.execution_state(live, HELD, said, limit=limit)


def releasing(step: Step, command: dict[str, Any]) -> None:
    """A RELEASE: the execution begins whatever the limits say; they count it all the same."""
    live = control.known(step, command)
    if live is not None and waits(live):
        send(step, live, RELEASE)
        enter(step, live, said("Released", command))


def dropping(step: Step, command: dict[str, Any]) -> None:
    """A DROP: what is held will not run."""
    live = control.known(step, command)
    if live is not None and waits(live):
        executions.finish(step, live, CANCELLED, said("Dropped while it was held", command))


def waits(live: Live) -> bool:
    """Whether an execution has not been let in yet."""
    return live.record.limited == ASKED and live.record.state in (IDLE, HELD)


def said(word: str, command: dict[str, Any]) -> str:
    """What was done, by whom, and why."""
    by = command.get("by")
    who = by.get("operator") if isinstance(by, dict) else by
    message = command.get("message")
    return f"{word}{f' by {who}' if who else ''}{f': {message}' if message else ''}"


def enter(step: Step, live: Live, info: str | None = None) -> None:
    """Begins what waited."""
    step.execution(live).limited = INSIDE
    executions.begin(step, live, info)


def again(step: Step, live: Live) -> None:
    """An operator has brought an execution back that had ended: it counts once more."""
    if live.definition.limits is not None and not live.record.limited:
        send(step, live, RELEASE)
        step.execution(live).limited = INSIDE


def leave(step: Step, live: Live) -> None:
    """The execution has ended, begun or not."""
    if live.record.limited:
        send(step, live, LEAVE)
        step.execution(live).limited = ""
