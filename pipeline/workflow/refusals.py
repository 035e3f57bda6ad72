"""Commands of operators that could not be obeyed: who gave one reads in ``workflow.steps`` why."""

from __future__ import annotations

from typing import Any

from pipeline.ids import identify

from . import control
from .records import ENDED, HELD, IDLE, PAUSED, RUNNING, UNDOING
from .step import STEPS, Step
from .store import Live

REFUSED = "REFUSED"
AFTERWARDS = ("RERUN", "SKIP")
OPERATED = frozenset(
    ("PAUSE", "RESUME", "CANCEL", "STOP", "COMPLETE", "APPROVE", "RELEASE", "DROP", *AFTERWARDS)
)
SHOWN = 10


def answer_id(command: str) -> str:
    """The id of the record that refuses the command of this id."""
    return identify("refused", command)


def repeated(live: Live | None, command: dict[str, Any]) -> bool:
    """Whether the command was carried out before: then it is no refusal that nothing follows."""
    return live is not None and command.get("id") in live.record.seen


def refuse(step: Step, command: dict[str, Any], why: str | None = None, **more: Any) -> None:
    """Puts out that nothing comes of a command, and ``why``."""
    live = step.store.lives.get(command["execution"])
    root = live.record.root if live is not None else str(command.get("root") or command["execution"])
    value = {
        "id": answer_id(command["id"]),
        "time": step.text,
        "root": root,
        "execution": command["execution"],
        "kind": "COMMAND",
        "name": command["command"],
        "state": REFUSED,
        "state_info": why or reason(live, command),
        **({"domain": live.record.domain, "workflow": live.record.workflow} if live is not None else {}),
        **({"by": command["by"]} if command.get("by") is not None else {}),
        **more,
    }
    step.put(STEPS, root, value)


def reason(live: Live | None, command: dict[str, Any]) -> str:
    """Why nothing comes of it, and what is so instead."""
    kind = command["command"]
    if live is None:
        return "no such execution is kept here: it never was, or it has ended and nothing can be done to it"
    state = live.record.state
    if kind in AFTERWARDS:
        return _of_task(live, command)
    if state in ENDED:
        return f"it has ended, as {state}"
    if kind in ("PAUSE", "RESUME"):
        wanted = RUNNING if kind == "PAUSE" else PAUSED
        return f"it is {state}, not {wanted}"
    if kind in ("RELEASE", "DROP"):
        return f"it is {state}, not {HELD}"
    if kind == "COMPLETE":
        return _no_action(live, command)
    return f"it is {state}"


def _of_task(live: Live, command: dict[str, Any]) -> str:
    name = str(command.get("task", ""))
    task = control.wanted(live, command)
    if task is None:
        if name in live.definition.tasks:
            return f"task {name} has not been reached"
        return f"it has no task {name!r}; it has {_listed(live.definition.tasks)}"
    able = "ERROR" if command["command"] == "SKIP" else "ERROR or CANCELLED"
    if task.state not in able.split(" or "):
        return f"task {task.name} is {task.state}, not {able}"
    if live.record.undo is not None or live.record.state == UNDOING:
        return "what its tasks did is undone: start it anew"
    return "it, or the execution above it, is PAUSED: resume that first"


def _no_action(live: Live, command: dict[str, Any]) -> str:
    waiting = sorted(task.name for task in live.tasks.values() if task.state in (RUNNING, IDLE))
    named = command.get("task") or command.get("action")
    about = f" as {named!r} says" if named else ""
    found = f"; of its tasks these run: {_listed(waiting)}" if waiting else "; none of its tasks runs"
    return f"no action waits to be completed{about}{found}"


def _listed(names: Any) -> str:
    known = sorted(names)
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return ", ".join(known[:SHOWN]) + more
