"""Values as they are kept: what JSON can hold, so that a restored execution equals the live one."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from pipeline.errors import ExpressionError

LONGEST = 100_000


def plain(value: Any) -> Any:
    """``value`` as JSON-able data of its own: dicts with text keys, lists, text, numbers, null.

    Raises ``ExpressionError`` when it holds something else or more than can be kept.
    """
    kind = type(value)
    if value is None or kind is str or kind is bool or kind is int:
        return value
    if kind is float:
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {key if type(key) is str else word(key): plain(item) for key, item in value.items()}
    if isinstance(value, str):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=repr)
    if isinstance(value, Iterable):
        return listed(value)
    raise ExpressionError(f"a value of type {kind.__name__} cannot be kept; make it text, a number or a list")


def listed(values: Iterable[Any]) -> list[Any]:
    """The items of ``values`` as a list; refuses one without end."""
    result: list[Any] = []
    for item in values:
        if len(result) >= LONGEST:
            raise ExpressionError(f"a list of more than {LONGEST} items")
        result.append(plain(item))
    return result


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
