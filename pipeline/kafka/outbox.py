"""The one way out: a confluent-kafka producer, and for each record the count of who waits for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import msgspec
from confluent_kafka import KafkaError, Message, Producer

from ..errors import CheckpointFailed
from ..events import Output
from .partition import Batch, Letter, OutputTooLarge

Headers = list[tuple[str, bytes]]
DEAD_LETTERS = "dead.letters"
MAX_BYTES = 1_000_000
"""What Kafka takes of one record unless a topic says otherwise, less what the batch adds."""

POLL_EVERY = 64
PAUSE = 0.002


def producer(bootstrap: str, name: str) -> Producer:
    """An idempotent producer that partitions by key as Java's clients do."""
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "client.id": name,
            # librdkafka's own default hashes otherwise, and topics would not meet.
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
            "linger.ms": 2,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 200_000,
            "queue.buffering.max.kbytes": 262_144,
            "message.max.bytes": 8_388_608,
            # A broker that is away is waited for: outputs cannot be dropped.
            "delivery.timeout.ms": 300_000,
        }
    )


@dataclass(slots=True)
class KafkaOutbox:
    """Produces for one role. Nothing here waits but ``settled`` and a full queue."""

    producer: Producer
    role: str
    limit: int = MAX_BYTES
    produced: int = 0
    encode: msgspec.json.Encoder = field(default_factory=msgspec.json.Encoder)
    _fixed: dict[str, Headers] = field(default_factory=dict)

    def send(self, outputs: list[Output], batch: Batch) -> None:
        """Raises ``OutputTooLarge`` before the first is produced."""
        encode = self.encode.encode
        limit = self.limit
        ready = []
        for output in outputs:
            key = output.key.encode()
            value = encode(output.value)
            headers = [
                *self._headers(output.topic),
                ("ce_id", output.id.encode()),
                ("ce_time", output.time.encode()),
            ]
            if len(key) + len(value) + 512 > limit:
                raise OutputTooLarge(
                    f"a record of {len(value)} bytes for {output.topic} is more than Kafka takes ({limit})"
                )
            ready.append((output.topic, value, key, headers))
        for topic, value, key, headers in ready:
            self._produce(topic, value, key, headers, batch)

    def set_aside(self, letter: Letter, batch: Batch) -> None:
        headers: Headers = [
            ("reason", letter.reason.encode()),
            ("error", letter.error[:2_000].encode()),
            ("topic", letter.topic.encode()),
            ("partition", str(letter.partition).encode()),
            ("offset", str(letter.offset).encode()),
        ]
        self._produce(DEAD_LETTERS, letter.value, None, headers, batch)

    def announce(self, topic: str, key: str, value: Any, batch: Batch) -> None:
        """A record that no checkpoint waits for, such as a heartbeat; None is a tombstone."""
        data = None if value is None else self.encode.encode(value)
        self._produce(topic, data, key.encode(), self._headers(topic), batch)

    async def settled(self, batch: Batch) -> None:
        """Raises ``CheckpointFailed`` at a delivery error."""
        # Never a flush: at a few thousand records a second the queue is not empty for seconds.
        poll = self.producer.poll
        while batch.pending:
            poll(0)
            if batch.error is not None:
                raise CheckpointFailed(f"an output was not delivered: {batch.error}; the worker starts again")
            if batch.pending:
                await asyncio.sleep(PAUSE)
        if batch.error is not None:
            raise CheckpointFailed(f"an output was not delivered: {batch.error}; the worker starts again")

    def poll(self) -> None:
        """Takes in acknowledgements; to be called now and then while nothing is produced."""
        self.producer.poll(0)

    def close(self, timeout: float = 10.0) -> int:
        """Waits for what is on its way; returns how many records were not delivered."""
        return int(self.producer.flush(timeout))

    def _headers(self, topic: str) -> Headers:
        fixed = self._fixed.get(topic)
        if fixed is None:
            fixed = self._fixed[topic] = [
                ("ce_specversion", b"1.0"),
                ("ce_source", f"faultline/{self.role}".encode()),
                ("ce_type", f"faultline.{topic}".encode()),
                ("content-type", b"application/json"),
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

        batch.pending += 1
        while True:
            try:
                self.producer.produce(topic, value, key, on_delivery=delivered, headers=headers)
                break
            except BufferError:
                # The queue is full: Kafka is behind, and waiting here is what holds the log back.
                self.producer.poll(0.05)
        self.produced += 1
        if self.produced % POLL_EVERY == 0:
            self.producer.poll(0)
