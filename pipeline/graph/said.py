"""Who said what when: the claims by which late and repeated records are known.

An entity, a relationship, an alarm and the memory of a removed one (``Tomb``) all
carry the last claim of the source that spoke last in fields of their own, and those
of other sources, which are rare, in ``more``.
"""

from __future__ import annotations

from typing import Literal, Protocol

from .undo import Undo

Records = str | tuple[str, ...]
Verdict = Literal["new", "older", "repeated"]

NEVER = -(1 << 62)
"""Before every time. Times are kept as microseconds since 1970: a number takes a third of a text."""

# A source whose clock stands still sends any number of records with one time.
REMEMBERED = 64


class Claims(Protocol):
    """What can be asked who spoke of it."""

    said_by: str | None
    time: int
    record: Records
    more: dict[str, tuple[int, Records]] | None


class Tomb:
    """The memory of what was removed. ``deleted`` is the time of a DELETE of this very
    element (``NEVER`` if there was none), ``since`` the domain's clock when it began."""

    __slots__ = ("deleted", "more", "record", "said_by", "since", "time")

    def __init__(self, since: int, deleted: int = NEVER) -> None:
        self.since = since
        self.deleted = deleted
        self.said_by: str | None = None
        self.time = NEVER
        self.record: Records = ""
        self.more: dict[str, tuple[int, Records]] | None = None


def judge(claims: Claims, source: str, time: int, record: str) -> Verdict:
    """What a record is to what its own source last said of the same thing."""
    if claims.said_by == source:
        said, records = claims.time, claims.record
    elif claims.more is not None and source in claims.more:
        said, records = claims.more[source]
    else:
        return "new"
    if time < said:
        return "older"
    if time == said and (record == records if isinstance(records, str) else record in records):
        return "repeated"
    return "new"


def note(undo: Undo, claims: Claims, source: str, time: int, record: str) -> None:
    """Takes ``source``'s claim down; the one before of another source moves to ``more``."""
    records: Records = record
    if claims.said_by == source:
        if claims.time == time:
            records = _also(claims.record, record)
    else:
        more = dict(claims.more) if claims.more else {}
        if claims.said_by is not None:
            more[claims.said_by] = (claims.time, claims.record)
        before = more.pop(source, None)
        if before is not None and before[0] == time:
            records = _also(before[1], record)
        if more or claims.more:
            undo.set(claims, "more", more or None)
        undo.set(claims, "said_by", source)
    undo.set(claims, "time", time)
    undo.set(claims, "record", records)


def newest(claims: Claims) -> int:
    """The greatest time that any source has spoken of it."""
    if claims.more is None:
        return claims.time
    return max(claims.time, *(time for time, _ in claims.more.values()))


def move(undo: Undo, source: Claims, target: Claims) -> None:
    """Hands the claims on: from a vertex to its tomb, or back."""
    undo.set(target, "said_by", source.said_by)
    undo.set(target, "time", source.time)
    undo.set(target, "record", source.record)
    undo.set(target, "more", source.more)


def forget(undo: Undo, claims: Claims) -> None:
    """Empties the claims, as of something never spoken of."""
    undo.set(claims, "said_by", None)
    undo.set(claims, "time", NEVER)
    undo.set(claims, "record", "")
    undo.set(claims, "more", None)


def _also(records: Records, record: str) -> Records:
    known = (records,) if isinstance(records, str) else records
    return (*known[-REMEMBERED:], record)
