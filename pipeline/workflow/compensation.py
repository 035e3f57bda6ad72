"""``compensate:`` of a task: the task that takes back what it did, named or written in its place."""

from __future__ import annotations

from typing import Any

from . import inline
from .check import Checker, Steps
from .model import TaskDefinition
from .policies import KEYS
from .tasks_language import task, with_defaults

ALLOWED = KEYS | {"action", "workflow", "input", "with-items", "safe-rerun", "target", "description"}


def read(checker: Checker, tasks: dict[str, TaskDefinition], steps: Steps) -> dict[str, str]:
    """For each task that has an undo the name of that; one written in place is added to ``tasks``."""
    found: dict[str, str] = {}
    for name, each in list(tasks.items()):
        if "compensate" not in each.spec:
            continue
        here = (*steps, name, "compensate")
        chosen = undo_of(checker, name, each.spec["compensate"], tasks, here)
        if chosen:
            found[name] = chosen
    for name, chosen in found.items():
        if chosen in found:
            message = f"{chosen!r} takes back what {name!r} did; it has no undo itself"
            checker.wrong(message, (*steps, chosen, "compensate"))
    return found


def undo_of(
    checker: Checker, name: str, value: Any, tasks: dict[str, TaskDefinition], here: Steps
) -> str | None:
    """The name of a task's undo: a task of the workflow, else one made of an action."""
    if isinstance(value, str) and not inline.split(value)[1] and value.strip() in tasks:
        chosen = value.strip()
        if chosen == name:
            checker.wrong("a task cannot be its own undo", here)
            return None
        return chosen
    body = {"action": value} if isinstance(value, str) else checker.mapping(value, here, "compensate")
    if not body:
        return None
    checker.unknown(body, ALLOWED, here, "compensate")
    if not {"action", "workflow"} & body.keys():
        checker.wrong("compensate names a task, or has action: or workflow:", here)
    made = f"{name}.undo"
    if made in tasks:
        checker.wrong(f"the name {made!r} is that of the undo of {name!r}", here)
    kept = {key: item for key, item in body.items() if key in ALLOWED}
    tasks[made] = with_defaults(task(checker, made, kept, here, False), None)
    return made
