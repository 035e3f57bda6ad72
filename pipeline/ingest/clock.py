"""Clock marks: up to which append time the inbound partitions have been read.

Only the broker's clock counts. It is learnt from the append time T of the last mark:
a partition whose end, asked for after T was known, has been read was read up to T;
of any other it is only known when the last record read was appended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from ..events import Input, Mark
from ..times import rfc3339

START = rfc3339(0)


@dataclass(slots=True)
class Read:
    """One owned inbound partition: the next offset (-1: not known yet), and when the last
    record read was appended, in milliseconds."""

    name: str
    topic_id: str
    position: int = -1
    at: int | None = None


class Clock:
    """Makes the marks of one worker, one round at a time."""

    def __init__(self, worker: str, partitions: int) -> None:
        self._worker = worker
        self._partitions = partitions
        self._round = 0
        self._appended: list[int] = []
        self._now: int | None = None

    @property
    def complete(self) -> bool:
        """Whether the last round's marks are all appended, so that ends may be asked for."""
        return self._round == 0 or len(self._appended) == self._partitions

    def appended(self, timestamp: int) -> None:
        """The last mark was appended at ``timestamp`` (milliseconds) in one more partition."""
        self._appended.append(timestamp)
        if len(self._appended) == self._partitions:
            # Brokers' clocks may differ a little; the earliest is true for all.
            self._now = min(self._appended)

    def mark(self, reads: Iterable[Read], ends: Mapping[str, int]) -> bytes:
        """The next round's mark; ``ends`` were asked for when the last round was ``complete``."""
        now = self._now
        read: dict[str, str] = {}
        for one in reads:
            end = ends.get(one.name)
            at = one.at
            if now is not None and end is not None and one.position >= end:
                at = now if at is None else max(now, at)
            if at is not None:
                read[one.name] = rfc3339(at * 1000)
        self._round += 1
        self._appended = []
        time = START if now is None else rfc3339(now * 1000)
        identity = f"mark-{self._worker}-{self._round}"
        return msgspec.json.encode(Input(id=identity, time=time, at=time, mark=Mark(read)))
