"""A scenario's condition, counts and times, which read the same in every version."""

from __future__ import annotations

from typing import Any

from ..document import Step
from .condition import ConditionError, parse
from .having import read_having
from .notes import Notes
from .template import Action, Scenario
from .timing import KEYS, read_timing

_KEYS = ("condition", "actions", "having", *KEYS)


def read_scenario(
    notes: Notes, body: dict[str, Any], actions: list[Action], index: int, place: tuple[Step, ...]
) -> Scenario | None:
    """The scenario with these ``actions``, None without a condition; what is wrong goes to ``notes``."""
    notes.only(body, _KEYS, "a scenario", *place)
    having = read_having(notes, body.get("having"), (*place, "having"))
    timing = read_timing(notes, body, place)
    text = body.get("condition")
    if not isinstance(text, str) or not text.strip():
        code = "83" if text is None or text == "" else "4"
        notes.add(code, "a scenario needs a `condition`, such as host AND NOT alarm [on] host", *place)
        return None
    try:
        condition = parse(text)
    except ConditionError as error:
        notes.add("85", str(error), *place, "condition")
        return None
    return Scenario(index, condition, text, tuple(actions), place, having, timing)
