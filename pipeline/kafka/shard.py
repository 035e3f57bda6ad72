"""What a host asks of a pure core: one partition's state, moved by its log alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ..events import Output


class Shard(Protocol):
    """One partition's state. Nothing here reads a clock, draws a number or does I/O."""

    dirty: set[str]
    """Table keys changed since the host last cleared it."""

    def step(self, value: bytes, position: int, timestamp: int) -> list[Output]:
        """Applies one record of the log, whole or not at all, and returns what follows from it.

        ``position`` is the record's offset, ``timestamp`` the broker's append time in
        microseconds. Raises ``InvalidRecord`` when the record cannot be applied; the
        state is then as it was.
        """

    def encode(self, key: str) -> bytes | None:
        """The current value of a table key as it is kept; None when the key is deleted."""

    def load(self, key: str, value: bytes) -> None:
        """Takes one kept value back; called in any order, once a key.

        Raises ``CheckpointFailed`` when a newer version wrote it.
        """

    def restored(self) -> None:
        """Called after the last ``load``: computes what is derived from the facts, silently."""

    def due(self) -> int | None:
        """When the earliest timer falls due, in microseconds; None without one."""

    def timers(self, now: int) -> list[Output]:
        """Records that ask for the timers due at ``now`` and not asked for yet."""

    def counters(self) -> dict[str, Any]:
        """Counts and facts to show; cheap, and fit for JSON."""


Factory = Callable[[int], Shard]
"""Makes the empty shard of a partition."""
