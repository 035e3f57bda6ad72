"""Scripted answers of actions, and operators' events at times, as an author writes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pipeline.document import Document
from pipeline.errors import InvalidDocument

from .records import ERROR, SUCCESS

ENTRY = frozenset({"action", "task", "answers", "repeat_last"})
ANSWER = frozenset({"result", "error", "delay", "never"})
EVENTS = frozenset(
    {"at", "pause", "resume", "cancel", "stop", "complete", "rerun", "skip", "approve", "release", "drop"}
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one call comes to, ``delay`` seconds after it; ``never``: nothing ever.

    ``refused``: the action does not take such an input, which is the definition's fault.
    """

    state: str = SUCCESS
    result: Any = None
    delay: float = 0
    never: bool = False
    refused: bool = False


@dataclass(slots=True)
class Entry:
    """The answers of the calls of one action or one task, in their order."""

    action: str | None
    task: str | None
    answers: list[Answer]
    repeat_last: bool = False
    given: int = 0

    def next(self) -> Answer | None:
        """The next answer; None when there is none left."""
        if self.given < len(self.answers):
            self.given += 1
            return self.answers[self.given - 1]
        return self.answers[-1] if self.repeat_last and self.answers else None


@dataclass(slots=True)
class Answers:
    """A script: entries, and events as ``(seconds, command, parameters)``."""

    entries: list[Entry] = field(default_factory=list)
    events: list[tuple[float, str, Any]] = field(default_factory=list)

    def find(self, action: str, task: str) -> Answer | None:
        """The answer of the first entry that fits and has one left."""
        for entry in self.entries:
            if entry.action in (None, action) and entry.task in (None, task):
                answer = entry.next()
                if answer is not None:
                    return answer
        return None


def read(document: Document, value: Any = None) -> Answers:
    """The script in a document (or in ``value``, a part of it).

    Raises ``InvalidDocument`` that names what is wrong with it.
    """
    source = document.value if value is None else value
    script = Answers()
    if source is None:
        return script
    actions = source
    if isinstance(source, dict):
        for key in source:
            if key not in ("actions", "events"):
                raise _bad(document, f"a script has actions: and events:, not {key!r}", key)
        actions = source.get("actions") or []
        script.events = list(_events(document, source.get("events") or []))
    if not isinstance(actions, list):
        raise _bad(document, "a script is a list of entries with action: or task:, and answers:")
    script.entries = [_entry(document, index, each) for index, each in enumerate(actions)]
    return script


def fields(command: str, value: Any) -> dict[str, Any]:
    """The fields of the command that an event of a script stands for."""
    if command in ("pause", "resume", "cancel"):
        if isinstance(value, dict):
            return value
        return {"message": value} if isinstance(value, str) else {}
    if command in ("release", "drop"):
        return {"message": value} if isinstance(value, str) else {}
    if command == "approve":
        given = {"as": value} if isinstance(value, str) else value if isinstance(value, dict) else {}
        named = {name: given[name] for name in ("task", "action", "comment") if name in given}
        return {**named, "role": given.get("as", ""), "approve": not given.get("reject", False)}
    if command == "stop" and isinstance(value, str):
        return {"state": value}
    return dict(value)


def _entry(document: Document, index: int, value: Any) -> Entry:
    if not isinstance(value, dict) or not ({"action", "task"} & value.keys()) or not (value.keys() <= ENTRY):
        raise _bad(
            document,
            f"entry {index + 1} needs action: or task:, and answers: (repeat_last: if wanted)",
            index,
        )
    given = value.get("answers")
    if not isinstance(given, list):
        raise _bad(document, f"entry {index + 1}: answers is a list", index)
    answers = []
    for each in given:
        if not isinstance(each, dict) or not each.keys() <= ANSWER or {"result", "error"} <= each.keys():
            raise _bad(
                document, f"entry {index + 1}: an answer has result or error, and delay, or never", index
            )
        delay = each.get("delay", 0)
        if isinstance(delay, bool) or not isinstance(delay, int | float) or delay < 0:
            raise _bad(document, f"entry {index + 1}: delay is a number of seconds", index)
        state = ERROR if "error" in each else SUCCESS
        answers.append(Answer(state, each.get("error", each.get("result")), delay, bool(each.get("never"))))
    return Entry(value.get("action"), value.get("task"), answers, bool(value.get("repeat_last")))


def _events(document: Document, value: Any) -> Iterator[tuple[float, str, Any]]:
    if not isinstance(value, list):
        raise _bad(document, "events is a list", "events")
    for index, each in enumerate(value):
        known = isinstance(each, dict) and len(each) == 2 and "at" in each and each.keys() <= EVENTS
        at = each["at"] if known else None
        if not known or isinstance(at, bool) or not isinstance(at, int | float):
            names = ", ".join(sorted(EVENTS - {"at"}))
            raise _bad(document, f"event {index + 1} needs at: SECONDS and one of {names}", "events")
        command = next(key for key in each if key != "at")
        if command in ("complete", "rerun", "skip") and not (
            isinstance(each[command], dict) and each[command].get("task")
        ):
            raise _bad(document, f"event {index + 1}: {command} needs a task", "events")
        yield at, command, each[command]


def _bad(document: Document, message: str, *steps: Any) -> InvalidDocument:
    return InvalidDocument([document.finding("answers", message, *steps)])
