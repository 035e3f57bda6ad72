"""Cron patterns, in UTC. A sixth field, at the end, is that of seconds."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache

from pipeline.times import EPOCH, SECOND

FAR = 946_684_800 * SECOND
YEARS = 10


def problem(pattern: str) -> str | None:
    """What is wrong with a pattern, or None."""
    if any(letter in pattern.upper().split("#")[0] for letter in ("R", "H")) and "(" in pattern:
        return f"cron: {pattern!r} draws lots; write the times out"
    if len(pattern.split()) not in (5, 6):
        return f"cron: {pattern!r} has not five fields (or six, the last one for seconds)"
    try:
        return None if following(pattern, FAR) else f"cron: {pattern!r} never comes"
    except ValueError as error:
        return f"cron: {error}"


@lru_cache(maxsize=1024)
def following(pattern: str, after: int) -> int:
    """The first moment of ``pattern`` after ``after``, in microseconds; 0 when there is none.

    Raises ``ValueError`` for a pattern that cannot be read.
    """
    # Its import takes a while, and few commands have to do with cron.
    from croniter import CroniterBadDateError, croniter

    try:
        found: float = croniter(
            pattern,
            EPOCH + timedelta(microseconds=after),
            ret_type=float,
            max_years_between_matches=YEARS,
        ).get_next()
    except CroniterBadDateError:
        return 0
    except (ValueError, KeyError, AttributeError, IndexError) as error:
        raise ValueError(f"{pattern!r} is no cron pattern: {error}") from error
    return int(round(found) * SECOND)
