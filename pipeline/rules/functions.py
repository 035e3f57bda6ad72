"""Functions in the values of actions: ``get_attr(entity, property)``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from ..document import close
from .template import GetAttr, Text

GET_ATTR = "get_attr"
_CALL = re.compile(r"get_attr\s*\(\s*([^\s,()]+)\s*,\s*([^\s,()]+)\s*\)")
_ANY_CALL = re.compile(r"get_attr\s*\(([^()]*)\)")
_LIKE_A_CALL = re.compile(r"\s*(\w+)\s*\([^()]*\)\s*")


def values(value: Any) -> Any:
    """A value of an action, with each ``get_attr(...)`` recognized."""
    if isinstance(value, dict):
        return {key: values(child) for key, child in value.items()}
    if isinstance(value, list):
        return [values(child) for child in value]
    if not isinstance(value, str) or GET_ATTR not in value:
        return value
    whole = _CALL.fullmatch(value.strip())
    if whole is not None:
        return GetAttr(whole.group(1), whole.group(2))
    parts: list[Any] = []
    end = 0
    for found in _CALL.finditer(value):
        parts += [value[end : found.start()], GetAttr(found.group(1), found.group(2))]
        end = found.end()
    return Text((*parts, value[end:])) if parts else value


def fault(text: str) -> str | None:
    """What is wrong with text that seems to be meant as a function and is none; None when it is just text."""
    form = "write get_attr(ENTITY, PROPERTY)"
    if GET_ATTR in text:
        call = _ANY_CALL.search(text)
        if call is not None:
            given = len([part for part in call.group(1).split(",") if part.strip()])
            count = "only one argument" if given == 1 else f"{given or 'no'} arguments"
            return f"{call.group(0)!r} has {count}; {form}"
        if "(" in text.partition(GET_ATTR)[2]:
            return f"{text!r}: the bracket after get_attr is not closed; {form}"
        return f"{text!r} is no function; {form}"
    call = _LIKE_A_CALL.fullmatch(text)
    if call is not None and call.group(1) != "get_param":
        meant = close(call.group(1), (GET_ATTR, "get_param"))
        if meant:
            return f"{text!r}: there is no function {call.group(1)}{meant}"
    return None


def torn(value: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Where a comma of ``{key: get_attr(entity, property)}`` has made two keys of it: the key,
    the other one, and the call that was meant."""
    for (key, first), (other, rest) in pairwise(value.items()):
        opened = isinstance(first, str) and first.count("(") > first.count(")") and rest == ""
        if opened and isinstance(other, str) and other.endswith(")") and "(" not in other:
            return str(key), other, f"{first}, {other}"
    return None
