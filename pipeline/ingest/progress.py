"""Which inbound positions lie behind records that Kafka has all acknowledged."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from ..errors import DeliveryFailed

#: An inbound topic and partition.
Place = tuple[str, int]
Positions = dict[Place, int]


class Epoch:
    """Records produced between two looks at the positions, until they are acknowledged.

    Acknowledgements of several partitions overtake one another, so a running total
    would not say whose they are.
    """

    __slots__ = ("error", "pending", "positions")

    def __init__(self) -> None:
        self.pending = 0
        self.error: str | None = None
        self.positions: Positions = {}

    def delivered(self, error: Any, message: Any) -> None:
        """What the producer calls for each of its records."""
        if error is None:
            self.pending -= 1
        elif self.error is None:
            self.error = f"{message.topic()}[{message.partition()}]: {error}"


class Progress:
    """Epochs in their order; positions advance when the oldest ones are settled."""

    def __init__(self) -> None:
        self.epoch = Epoch()
        self._closed: deque[Epoch] = deque()

    def close(self, positions: Mapping[Place, int]) -> None:
        """Ends the current epoch at ``positions``; what is produced from now on is the next one's."""
        self.epoch.positions = dict(positions)
        self._closed.append(self.epoch)
        self.epoch = Epoch()

    def settled(self) -> Positions | None:
        """The positions up to which everything is acknowledged, if they are others than before.

        Raises ``DeliveryFailed`` when a record never will be.
        """
        found: Positions | None = None
        while self._closed:
            oldest = self._closed[0]
            if oldest.error is not None:
                raise DeliveryFailed(f"a record was not delivered to {oldest.error}")
            if oldest.pending:
                break
            found = self._closed.popleft().positions
        if self.epoch.error is not None:
            raise DeliveryFailed(f"a record was not delivered to {self.epoch.error}")
        return found

    @property
    def pending(self) -> int:
        """How many records are on their way."""
        return self.epoch.pending + sum(epoch.pending for epoch in self._closed)
