"""Actions: their words and fields, whatever version they are written in."""

from __future__ import annotations

from typing import Any

from ..document import Step, close
from .functions import torn, values
from .notes import Notes
from .template import CAUSE, MARK_DOWN, RAISE, SET_STATE, WORKFLOW, Action

KINDS = {
    RAISE: RAISE,
    SET_STATE: SET_STATE,
    CAUSE: CAUSE,
    MARK_DOWN: MARK_DOWN,
    WORKFLOW: WORKFLOW,
    "execute_workflow": WORKFLOW,
}
FIELDS: dict[str, tuple[str, ...]] = {
    RAISE: ("target", "alarm_name", "severity", "causing_alarm"),
    SET_STATE: ("target", "state"),
    CAUSE: ("source", "target"),
    MARK_DOWN: ("target",),
    WORKFLOW: ("workflow", "input"),
}


def unknown(notes: Notes, word: Any, *place: Step) -> None:
    """Notes that ``word`` names no action."""
    meant = close(str(word), KINDS, listed=True)
    notes.add("120", f"{word!r} is not an action{meant}", *place)


def mended(notes: Notes, body: dict[str, Any], place: tuple[Step, ...]) -> dict[str, Any]:
    """The fields of an action, told and put together again where a comma tore a function apart."""
    fields: dict[str, Any] = {}
    found = torn(body)
    if found is not None:
        key, other, call = found
        notes.add(
            "138",
            f"within {{ }} the comma ends the value; put quotes around the function: {key}: '{call}'",
            *place,
            key,
        )
        body = {name: call if name == key else value for name, value in body.items() if name != other}
    for name, value in body.items():
        fields[name] = mended(notes, value, (*place, name)) if isinstance(value, dict) else value
    return fields


def action(kind: str, body: dict[str, Any], place: tuple[Step, ...]) -> Action:
    """An action from its fields."""
    return Action(
        kind,
        place,
        target=body.get("target"),
        source=body.get("source"),
        name=values(body.get("alarm_name")),
        severity=values(body.get("severity")),
        causing=body.get("causing_alarm"),
        state=values(body.get("state")),
        workflow=values(body.get("workflow")),
        input=values(body.get("input")),
    )
