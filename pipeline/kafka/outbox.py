"""The one way out: a confluent-kafka producer, and for each record the count of who waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from ..codec import CONFLUENT
from ..errors import CheckpointFailed, InvalidRecord
from ..events import Output
from . import client
from .deadletter import DEAD_LETTERS, DeadLetter
from .partition import Batch

Headers = list[tuple[str, bytes]]
Encode = Callable[[str, Any], bytes]

ROOM = 1_024
"""What key, headers and the batch around a record may take of the largest size, at the least."""

POLL_EVERY = 64
PAUSE = 0.002

UNHURRIED = frozenset({"graph.journal"})
"""Topics that only history reads, which itself waits for full batches."""
LINGER = 25
"""Milliseconds for which records of those wait for company: a tenth of the requests, each of which
costs Kafka and us as much as several records do."""


def producer(bootstrap: str, name: str, linger: int | None = None) -> Producer:
    """A producer of a role's outputs; ``linger``: milliseconds, where they are in no hurry."""
    return Producer(
        client.producer(bootstrap, name)
        | ({} if linger is None else {"linger.ms": linger})
        | {
            "queue.buffering.max.messages": 200_000,
            "queue.buffering.max.kbytes": 262_144,
            # A broker that is away is waited for: outputs cannot be dropped.
            "delivery.timeout.ms": 300_000,
        }
    )


def as_json(topic: str, value: Any) -> bytes:
    """The encoding where no registry is."""
    return msgspec.json.encode(value)


@dataclass(slots=True)
class KafkaOutbox:
    """Produces for one role. Nothing here waits but ``settled`` and a full queue.

    ``unhurried``, where there is one, produces what is in no hurry.
    """

    producer: Producer
    role: str
    encode: Encode = as_json
    limit: int = client.MAX_RECORD
    produced: int = 0
    unhurried: Producer | None = None
    _fixed: dict[tuple[str, bool], Headers] = field(default_factory=dict)

    def meet(self, timeout: float = 5.0) -> None:
        """Asks where all topics are: else the first record to each waits for that, up to 0.15 s."""
        with suppress(KafkaException):  # A broker that is away is met later.
            for each in self._producers():
                each.list_topics(timeout=timeout)

    def send(self, outputs: list[Output], batch: Batch) -> None:
        """Raises ``InvalidRecord`` before the first is produced, if one cannot be encoded or is too large."""
        encode = self.encode
        ready = []
        for output in outputs:
            topic = output.topic
            key = output.key.encode()
            value = encode(topic, output.value)
            if len(key) + len(value) + ROOM > self.limit:
                raise InvalidRecord(
                    "output-too-large",
                    f"a record of {len(value)} bytes for {topic} is more than Kafka takes ({self.limit})",
                )
            headers = [
                *self._headers(topic, value[:1] == CONFLUENT),
                ("ce_id", output.id.encode()),
                ("ce_time", output.time.encode()),
            ]
            ready.append((topic, value, key, headers))
        for topic, value, key, headers in ready:
            self._produce(topic, value, key, headers, batch)

    def set_aside(self, letter: DeadLetter, batch: Batch) -> None:
        self._produce(DEAD_LETTERS, letter.value, letter.key, letter.headers(), batch)

    def announce(self, topic: str, key: str, value: Any, batch: Batch) -> None:
        """A record that no checkpoint waits for, such as a heartbeat; None is a tombstone."""
        data = None if value is None else msgspec.json.encode(value)
        self._produce(topic, data, key.encode(), self._headers(topic, False), batch)

    async def settled(self, batch: Batch) -> None:
        """Raises ``CheckpointFailed`` at a delivery error."""
        # Never a flush: at a few thousand records a second the queue is not empty for seconds.
        while batch.pending:
            self.poll()
            if batch.error is not None:
                raise CheckpointFailed(f"an output was not delivered: {batch.error}; the worker starts again")
            if batch.pending:
                await asyncio.sleep(PAUSE)
        if batch.error is not None:
            raise CheckpointFailed(f"an output was not delivered: {batch.error}; the worker starts again")

    def poll(self) -> None:
        """Takes in acknowledgements; to be called now and then while nothing is produced."""
        for each in self._producers():
            each.poll(0)

    def close(self, timeout: float = 10.0) -> int:
        """Waits for what is on its way; returns how many records were not delivered."""
        return sum(int(each.flush(timeout)) for each in self._producers())

    def _producers(self) -> tuple[Producer, ...]:
        return (self.producer,) if self.unhurried is None else (self.producer, self.unhurried)

    def _headers(self, topic: str, avro: bool) -> Headers:
        fixed = self._fixed.get((topic, avro))
        if fixed is None:
            fixed = self._fixed[topic, avro] = [
                ("ce_specversion", b"1.0"),
                ("ce_source", f"faultline/{self.role}".encode()),
                ("ce_type", f"faultline.{topic}".encode()),
                ("content-type", b"application/avro" if avro else b"application/json"),
            ]
        return fixed

    def _produce(
        self, topic: str, value: bytes | None, key: bytes | None, headers: Headers, batch: Batch
    ) -> None:
        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is None:
                batch.pending -= 1
            else:
                batch.error = f"{topic}: {error.str()}"

        chosen = self.unhurried if self.unhurried is not None and topic in UNHURRIED else self.producer
        batch.pending += 1
        while True:
            try:
                chosen.produce(topic, value, key, on_delivery=delivered, headers=headers)
                break
            except BufferError:
                # The queue is full: Kafka is behind, and waiting here is what holds the log back.
                chosen.poll(0.05)
        self.produced += 1
        if self.produced % POLL_EVERY == 0:
            self.poll()
