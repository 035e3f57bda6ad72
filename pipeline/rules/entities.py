"""The properties by which a template's entity is recognized."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..document import Step, close
from .clause import REGEX
from .notes import Level, Notes
from .properties import canonical, compiles

_CATEGORIES = ("RESOURCE", "ALARM")


def read_properties(
    notes: Notes, entity: str, body: Mapping[Any, Any], place: tuple[Step, ...], category: Level
) -> dict[str, str]:
    """The properties of ``entity``, its template id left out; what is wrong goes to ``notes``, a
    category that there is not at the level ``category``."""
    found: dict[str, str] = {}
    for key, text in body.items():
        name = str(key)
        if not isinstance(text, str):
            notes.add("4", f"entity {entity}: `{name}` is one word or text", *place, key)
            continue
        if name.lower().endswith(REGEX):
            name = name[: -len(REGEX)] + REGEX
            _check_regex(notes, name, text, (*place, key))
        elif canonical(name) == "category" and text not in _CATEGORIES:
            meant = close(text.upper(), _CATEGORIES, listed=True)
            notes.add(
                "45", f"entity {entity}: there is no category {text!r}{meant}", *place, key, level=category
            )
        if name != "template_id":
            found[name] = text
    return found


def _check_regex(notes: Notes, name: str, text: str, place: tuple[Step, ...]) -> None:
    if not compiles(text):
        message = f"{name}: {text!r} is not a regular expression (of RE2: no lookaround, no backreferences)"
        notes.add("47", message, *place)
