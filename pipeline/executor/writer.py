"""What an executor may write whether it owns a partition or not.

Renewals and outcomes of what it runs, letters, and its status.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from confluent_kafka import KafkaError, Message, Producer

from ..errors import CheckpointFailed
from ..events import Output
from ..kafka import outbox
from ..kafka.deadletter import DEAD_LETTERS, DeadLetter
from .entry import Entry, encode

LEDGER = "executor.ledger"
STATUS = "roles.status"
POLL_EVERY = 64
PAUSE = 0.002
_json = msgspec.json.Encoder()

Then = Callable[[int], None]
"""Called with the record's offset once Kafka has acknowledged it."""


@dataclass(slots=True)
class Writer:
    """A plain idempotent producer: it must still work after its owner has lost a partition."""

    producer: Producer
    pending: int = 0
    written: int = 0
    error: str | None = None
    _busy: asyncio.Event = field(default_factory=asyncio.Event)

    def entry(self, partition: int, entry: Entry, then: Then | None = None) -> None:
        """A record of the ledger: a lease renewed, or an action finished."""
        self._produce(LEDGER, encode(entry), entry.work.id.encode(), partition, None, then)

    def output(self, output: Output, then: Then | None = None) -> None:
        """A record for others, with its CloudEvents attributes."""
        headers = [
            ("ce_specversion", b"1.0"),
            ("ce_source", b"faultline/executor"),
            ("ce_type", f"faultline.{output.topic}".encode()),
            ("content-type", b"application/json"),
            ("ce_id", output.id.encode()),
            ("ce_time", output.time.encode()),
        ]
        self._produce(output.topic, _json.encode(output.value), output.key.encode(), -1, headers, then)

    def letter(self, letter: DeadLetter, then: Then | None = None) -> None:
        """A record of ``workflow.actions`` that asks for nothing that can be understood."""
        self._produce(DEAD_LETTERS, letter.value, letter.key, -1, letter.headers(), then)

    def status(self, key: str, value: dict[str, Any] | None) -> None:
        """The role's heartbeat; None at a clean end."""
        data = None if value is None else _json.encode(value)
        self._produce(STATUS, data, key.encode(), -1, None, None)

    async def acknowledge(self) -> None:
        """Takes in acknowledgements for ever. Raises ``CheckpointFailed`` at a delivery error."""
        while True:
            if not self.pending:
                self._busy.clear()
                await self._busy.wait()
            self.producer.poll(0)
            self._check()
            await asyncio.sleep(PAUSE)

    async def settled(self) -> None:
        """Returns when everything written is acknowledged. Raises ``CheckpointFailed``."""
        while self.pending:
            self.producer.poll(0)
            self._check()
            await asyncio.sleep(PAUSE)

    def _check(self) -> None:
        if self.error is not None:
            raise CheckpointFailed(f"a record was not delivered: {self.error}; the executor starts again")

    def _produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int,
        headers: list[tuple[str, bytes]] | None,
        then: Then | None,
    ) -> None:
        def delivered(error: KafkaError | None, message: Message) -> None:
            self.pending -= 1
            if error is not None:
                self.error = f"{topic}: {error.str()}"
            elif then is not None:
                then(message.offset())

        self.pending += 1
        while True:
            try:
                self.producer.produce(topic, value, key, partition, on_delivery=delivered, headers=headers)
                break
            except BufferError:
                self.producer.poll(0.05)
        self.written += 1
        self._busy.set()


def writer(bootstrap: str, name: str) -> Writer:
    """The writer of the executor ``name``."""
    return Writer(outbox.producer(bootstrap, name))
