"""The executions of one workflow that its limits count, so that a question costs the same however many."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from heapq import heappop, heappush
from typing import TypeVar

from pipeline.times import SECOND

from .records import HELD, RUNNING, Entry

CONCURRENT = "concurrent"
PER_HOUR = "per-hour"
COOL_DOWN = "cool-down"
HOUR = 3600 * SECOND
LEFT = "LEFT"
DROPPED = "DROPPED"
BEGUN = (RUNNING, LEFT)
OVER = (LEFT, DROPPED)

T = TypeVar("T", int, tuple[int, str])


class Entries:
    """Entries by execution; all else is derived from them, and says the same after a restore."""

    __slots__ = ("kept", "running", "starts", "targets", "used_up", "waiting")

    def __init__(self) -> None:
        self.kept: dict[str, Entry] = {}
        self.running = 0
        # When executions began, in order: of all, and of each target.
        self.starts: list[int] = []
        self.targets: dict[str, list[int]] = {}
        # Those held for want of a place, the longest waiting first.
        self.waiting: list[tuple[int, str]] = []
        # When those that are over can hold nothing back any more: a heap.
        self.used_up: list[tuple[int, str]] = []

    def get(self, execution: str) -> Entry | None:
        """The entry of an execution."""
        return self.kept.get(execution)

    def put(self, entry: Entry) -> None:
        """Enters ``entry`` in place of the one that its execution had."""
        self.take(entry.execution)
        self.kept[entry.execution] = entry
        self.running += entry.state == RUNNING
        if entry.state in BEGUN:
            insort(self.starts, entry.at)
            insort(self.targets.setdefault(entry.target, []), entry.at)
        elif entry.state == HELD and entry.limit == CONCURRENT:
            insort(self.waiting, (entry.at, entry.execution))
        if entry.state in OVER:
            heappush(self.used_up, (until(entry), entry.execution))

    def take(self, execution: str) -> Entry | None:
        """Takes the entry of an execution out, and returns it."""
        entry = self.kept.pop(execution, None)
        if entry is None:
            return None
        self.running -= entry.state == RUNNING
        if entry.state in BEGUN:
            _remove(self.starts, entry.at)
            times = self.targets[entry.target]
            _remove(times, entry.at)
            if not times:
                del self.targets[entry.target]
        elif entry.state == HELD and entry.limit == CONCURRENT:
            _remove(self.waiting, (entry.at, entry.execution))
        return entry

    def since(self, time: int) -> int:
        """How many began after ``time``."""
        return len(self.starts) - bisect_right(self.starts, time)

    def last(self, target: str) -> int:
        """When the last execution began that saw to ``target``; 0: none is known."""
        return self.targets[target][-1] if target in self.targets else 0

    def first(self) -> Entry | None:
        """The one that has waited longest for a place."""
        return self.kept[self.waiting[0][1]] if self.waiting else None

    def spent(self, now: int) -> list[Entry]:
        """Those that can hold nothing back any more; they are still to be taken out."""
        found: dict[str, Entry] = {}
        while self.used_up and self.used_up[0][0] <= now:
            due, execution = heappop(self.used_up)
            entry = self.kept.get(execution)
            # What was let in anew has left an old time behind.
            if entry is not None and entry.state in OVER and until(entry) == due:
                found[execution] = entry
        return list(found.values())


def until(entry: Entry) -> int:
    """Up to when an entry that is over may hold others back."""
    return entry.at + max(HOUR, round(float(entry.limits.get(COOL_DOWN) or 0) * SECOND))


def _remove(values: list[T], value: T) -> None:
    del values[bisect_left(values, value)]
