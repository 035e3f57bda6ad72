"""What falls due when: a heap, so that a clock mark costs what is due by it and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from ..times import micros
from .undo import Undo

if TYPE_CHECKING:
    from .step import Step

ROOM = 4096


class Deadlines:
    """Pairs of a time and the table key of what waits for it.

    An entry is a hint: whoever takes it out asks whether that thing still waits for that
    very time. So nothing is searched for when a deadline is moved or given up, and a step
    that is taken back leaves at most hints that lead nowhere.
    """

    __slots__ = ("heap", "limit")

    def __init__(self) -> None:
        self.heap: list[tuple[int, str]] = []
        self.limit = ROOM

    def push(self, due: int, key: str) -> None:
        """Enters a deadline."""
        heappush(self.heap, (due, key))

    def sift(self, waits: Callable[[int, str], bool]) -> None:
        """Drops the hints that lead nowhere, once there may be as many of them as of others."""
        if len(self.heap) > self.limit:
            self.heap = [entry for entry in self.heap if waits(*entry)]
            heapify(self.heap)
            self.limit = max(ROOM, 2 * len(self.heap))

    def first(self) -> int | None:
        """The earliest time, if anything waits."""
        return self.heap[0][0] if self.heap else None

    def pop(self, undo: Undo, limit: int) -> tuple[int, str] | None:
        """Takes the earliest entry out, if it is due by ``limit``; ``undo`` can put it back."""
        if not self.heap or self.heap[0][0] > limit:
            return None
        entry = heappop(self.heap)
        undo.call(heappush, self.heap, entry)
        return entry


def moment(step: Step) -> int:
    """When what a step brings about began: by the clock, or by when the record was appended where the
    clock is behind. Never earlier than it was, so that no deadline comes early."""
    record = step.input
    if record.mark is not None or not record.at:
        return step.now
    return max(step.now, micros(record.at))
