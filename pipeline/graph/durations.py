"""Lengths of time as authors write them: ``90s``, ``5m``, ``1h30m``, ``2d``."""

from __future__ import annotations

import re

from ..times import SECOND

_UNITS = {"ms": SECOND // 1000, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND, "d": 86400 * SECOND}
_PART = re.compile(r"\s*(\d{1,9})\s*(ms|s|m|h|d)")
LONGEST = 366 * 86400 * SECOND
HINT = "a length of time such as 90s, 5m, 1h30m or 2d"


def duration(text: object) -> int:
    """Microseconds. Raises ``ValueError`` when ``text`` is no length of time, or longer than a year."""
    rest = str(text).strip()
    at, total = 0, 0
    while at < len(rest):
        part = _PART.match(rest, at)
        if part is None:
            raise ValueError(f"{str(text)!r} is not {HINT}")
        total += int(part.group(1)) * _UNITS[part.group(2)]
        at = part.end()
    if not rest:
        raise ValueError(f"{str(text)!r} is not {HINT}")
    if total > LONGEST:
        raise ValueError(f"{str(text)!r} is longer than a year")
    return total
