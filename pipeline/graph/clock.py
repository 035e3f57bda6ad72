"""A partition's clock: the lowest of what ingest has read, and what it makes us forget."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from ..events import Mark
from ..times import SECOND, micros
from .said import NEVER
from .store import Graph

MEMORY = 24 * 3600 * SECOND


@dataclass(slots=True)
class Clock:
    """``now`` is a normalized time, "" before the first mark. It never goes back."""

    now: str = ""
    micros: int = NEVER
    read: dict[str, str] = field(default_factory=dict)

    def advance(self, mark: Mark) -> bool:
        """Takes a mark in; whether the clock moved."""
        for place, time in mark.read.items():
            if time > self.read.get(place, ""):
                self._replace(place)
                self.read[place] = time
        if not self.read:
            return False
        lowest = min(self.read.values())
        if lowest <= self.now:
            return False
        self.now, self.micros = lowest, micros(lowest)
        return True

    def _replace(self, place: str) -> None:
        """A recreated topic has a new id: its old self will never be read further."""
        if place in self.read:
            return
        topic, _, rest = place.partition(":")
        number = rest.rpartition(":")[2]
        for other in list(self.read):
            if other.partition(":")[0] == topic and other.rpartition(":")[2] == number:
                del self.read[other]


class Memory:
    """When the tombs of a domain are to be forgotten, oldest first."""

    __slots__ = ("queue",)

    def __init__(self) -> None:
        self.queue: deque[tuple[int, str]] = deque()

    def note(self, since: int, key: str) -> None:
        """A tomb began (again) at ``since``."""
        self.queue.append((since, key))

    def expire(self, graph: Graph, now: int) -> list[str]:
        """Forgets what is older than 24 hours; the table keys that changed."""
        cutoff = now - MEMORY
        forgotten: list[str] = []
        while self.queue and self.queue[0][0] < cutoff:
            since, key = self.queue.popleft()
            tomb = graph.tombs.get(key)
            if tomb is not None and tomb.since == since:
                del graph.tombs[key]
                forgotten.append(key)
        return forgotten
