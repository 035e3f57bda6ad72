"""Sets aside the records that history cannot keep."""

from __future__ import annotations

from dataclasses import dataclass, field

from confluent_kafka import Producer

from ..errors import BrokerUnavailable
from ..kafka.deadletter import DEAD_LETTERS, DeadLetter
from ..kafka.outbox import producer

PATIENCE = 30.0


@dataclass(slots=True)
class Letters:
    """A producer that is only made when there is something to set aside."""

    bootstrap: str
    _producer: Producer | None = field(default=None)

    def send(self, letter: DeadLetter) -> None:
        """Returns when Kafka has it. Raises ``BrokerUnavailable``."""
        if self._producer is None:
            self._producer = producer(self.bootstrap, "faultline-history-letters")
        self._producer.produce(DEAD_LETTERS, letter.value, letter.key, headers=letter.headers())
        if self._producer.flush(PATIENCE):
            raise BrokerUnavailable("Kafka has not confirmed a dead letter; it is tried again")
