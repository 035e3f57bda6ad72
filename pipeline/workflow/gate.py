"""Where the limits of a workflow are decided: in one partition, that of the key ``limit/WORKFLOW``.

Executions of one workflow live in many partitions. Each asks here before it begins, and says
when it has ended; so the order of one log decides, and a limit is exact.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from pipeline.errors import InvalidRecord
from pipeline.ids import identify

from .entries import CONCURRENT, DROPPED, LEFT, Entries
from .limits import exceeded
from .records import HELD, RUNNING, Entry
from .step import COMMANDS, Step

ENTER = "ENTER"
RELEASE = "RELEASE"
LEAVE = "LEAVE"


def asked(step: Step, command: dict[str, Any]) -> None:
    """An ADMISSION: an execution wants to begin, was released by an operator, or has ended."""
    name, execution, ask = command["workflow"], command["execution"], command["ask"]
    entries = step.store.entries.setdefault(name, Entries())
    for entry in entries.spent(step.time):
        keep(step, entry, None)
    known = entries.get(execution)
    if ask == LEAVE:
        if known is not None and known.state in (RUNNING, HELD):
            keep(step, known, replace(known, state=LEFT if known.state == RUNNING else DROPPED))
            advance(step, name)
        return
    limits = command.get("limits")
    if ask not in (ENTER, RELEASE) or not isinstance(limits, dict):
        raise InvalidRecord("bad-admission", f"ask is {ENTER}, {RELEASE} or {LEAVE}, and limits an object")
    if known is not None and known.ask == command["id"] and ask == RELEASE:
        return
    if ask == ENTER and known is not None:
        # The same question again: the same answer, and it counts once.
        answer(step, known)
        return
    fresh = Entry(
        workflow=name,
        root=str(command.get("of", "")),
        execution=execution,
        at=step.time,
        state=RUNNING,
        target=str(command.get("target", "")),
        limits=limits,
        ask=str(command.get("id", "")),
    )
    held = exceeded(limits, fresh.target, entries, step.time) if ask == ENTER else None
    if held is not None:
        fresh = replace(fresh, state=HELD, limit=held[0])
    keep(step, known or fresh, fresh)
    if ask == ENTER:
        answer(step, fresh, held[1] if held else "")


def advance(step: Step, name: str) -> None:
    """Lets in those that only waited for a place, the longest waiting first."""
    entries = step.store.entries[name]
    while (entry := entries.first()) is not None:
        held = exceeded(entry.limits, entry.target, entries, step.time)
        if held is None:
            freed = replace(entry, state=RUNNING, limit="", at=step.time)
            keep(step, entry, freed)
            answer(step, freed)
        elif held[0] != CONCURRENT:
            changed = replace(entry, limit=held[0])
            keep(step, entry, changed)
            answer(step, changed, held[1])
        else:
            return


def answer(step: Step, entry: Entry, info: str = "") -> None:
    """Tells an execution whether it may begin."""
    word = HELD if entry.state == HELD else "ADMITTED"
    value = {
        "id": identify("admission", entry.execution, entry.ask, word, entry.limit),
        "time": step.text,
        "command": word,
        "root": entry.root,
        "execution": entry.execution,
        "workflow": entry.workflow,
    }
    if entry.state == HELD:
        value |= {"limit": entry.limit, "message": info}
    step.put(COMMANDS, entry.root, value)


def keep(step: Step, before: Entry, after: Entry | None) -> None:
    """Puts an entry in the place of the one before; None: in its place there is nothing."""
    entries = step.store.entries[before.workflow]
    known = entries.get(before.execution)

    def enter(entry: Entry | None) -> None:
        if entry is None:
            entries.take(before.execution)
        else:
            entries.put(entry)

    step.undoing.append(lambda: enter(known))
    step.keys.append(before.key)
    enter(after)
