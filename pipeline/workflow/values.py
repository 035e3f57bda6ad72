"""Values as they are kept: what JSON can hold, so that a restored execution equals the live one."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from pipeline.errors import ExpressionError

LONGEST = 100_000
# All values in one, however deep: what holds the same list twice, sixty times over, is small until read.
LARGEST = 300_000
BITS = 14_000


def plain(value: Any, left: list[int] | None = None) -> Any:
    """``value`` as JSON-able data of its own: dicts with text keys, lists, text, numbers, null.

    Raises ``ExpressionError`` when it holds something else or more than can be kept. ``left`` counts
    the values within one: how many there may still be.
    """
    kind = type(value)
    if value is None or kind is str or kind is bool:
        return value
    if kind is int:
        if value.bit_length() > BITS:
            raise ExpressionError(f"a number of {value.bit_length()} bits cannot be kept; {BITS} are allowed")
        return value
    left = [LARGEST] if left is None else left
    left[0] -= 1
    if left[0] < 0:
        raise ExpressionError(f"a value of more than {LARGEST} parts")
    if kind is float:
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        left[0] -= len(value)
        return {key if type(key) is str else word(key): plain(item, left) for key, item in value.items()}
    if isinstance(value, str):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, set | frozenset):
        return sorted((plain(item, left) for item in value), key=repr)
    if isinstance(value, Iterable):
        return listed(value, left)
    raise ExpressionError(f"a value of type {kind.__name__} cannot be kept; make it text, a number or a list")


def listed(values: Iterable[Any], left: list[int]) -> list[Any]:
    """The items of ``values`` as a list; refuses one without end."""
    result: list[Any] = []
    for item in values:
        left[0] -= 1
        if len(result) >= LONGEST:
            raise ExpressionError(f"a list of more than {LONGEST} items")
        result.append(plain(item, left))
    return result


def weigh(value: Any, most: int) -> int:
    """How many values there are in ``value``, texts by their length; what is lazy stays so.

    Raises ``ExpressionError`` as soon as there are more than ``most``.
    """
    found = 1
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, str | bytes):
            found += len(each) >> 5
        elif isinstance(each, int) and not isinstance(each, bool):
            found += each.bit_length() >> 7
        elif isinstance(each, Mapping):
            found += len(each)
            left += each.values()
        elif isinstance(each, list | tuple | set | frozenset):
            found += len(each)
            left += each
        if found > most:
            raise ExpressionError(f"a value is too large here; {most} parts are allowed")
    return found


def text(value: Any) -> str | None:
    """``value`` as it is said to people: a text as it is, data as JSON; None when there is nothing."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def word(key: Any) -> str:
    """A key of a mapping as JSON would write it."""
    if key is None:
        return "null"
    if isinstance(key, bool):
        return "true" if key else "false"
    return str(key)
