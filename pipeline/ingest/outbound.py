"""The outbound side: one idempotent producer of the log, the dead letters and the status."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from ..errors import BrokerUnavailable, DeliveryFailed, InvalidRecord
from ..kafka import client
from ..kafka.deadletter import DEAD_LETTERS, DeadLetter
from .clock import Clock
from .progress import Progress
from .route import GRAPH_INPUT, Routed

log = logging.getLogger(__name__)

STATUS = "roles.status"
#: What the log's frame adds to a record at most.
FRAME = 512
#: What key and headers of a dead letter take at most, for values that must be cut.
LETTER_HEAD = 8_192
POLL_EVERY = 256
#: After a warning of the client others are not shown for so long.
QUIET = 10.0


class Outbound:
    """Produces. Records of one inbound partition stand in the log in their order, with no gaps."""

    def __init__(
        self, bootstrap: str, instance: str, partitions: Mapping[str, int], largest: Mapping[str, int]
    ) -> None:
        self.progress = Progress()
        self._partitions = partitions
        self._limits = {topic: size - FRAME for topic, size in largest.items()}
        self._since_poll = 0
        self._failed: str | None = None
        self._quiet_until = 0.0
        self._producer = Producer(
            {
                **client.producer(bootstrap, instance),
                # A record that is missing while later ones arrived would be taken for a repeat
                # when it comes again: better to end than to leave a gap.
                "enable.gapless.guarantee": True,
                "message.timeout.ms": 0,
                "message.max.bytes": max(largest.values()),
                "queue.buffering.max.messages": 100_000,
                "queue.buffering.max.kbytes": 131_072,
                "error_cb": self._error,
                "logger": _logger(),
            }
        )

    def send(self, routed: Routed) -> None:
        """One record of the log. Raises ``InvalidRecord`` when it is larger than Kafka takes."""
        limit = self._limits[routed.topic]
        if len(routed.value) + len(routed.key or "") * 4 > limit:
            size = len(routed.value)
            raise InvalidRecord("too-large", f"a record of {size} bytes; {routed.topic} takes {limit}")
        if routed.key is not None:
            self._produce(routed.topic, routed.value, routed.key)
            return
        for partition in range(self._partitions[routed.topic]):
            self._produce(routed.topic, routed.value, None, partition=partition)

    def set_aside(self, letter: DeadLetter) -> None:
        """One dead letter; a value that does not fit with its headers is cut, and says so."""
        headers = letter.headers()
        value, key = letter.value, letter.key
        most = self._limits[DEAD_LETTERS] - LETTER_HEAD
        if len(value or b"") + len(key or b"") > most:
            headers.append(("size", b"%d" % len(value or b"")))
            key = (key or b"")[:1024] or None
            value = (value or b"")[:most]
        self._produce(DEAD_LETTERS, value, key, headers=headers)

    def mark(self, clock: Clock, value: bytes) -> None:
        """A clock mark in each partition of the log; ``clock`` is told when they were appended."""

        def appended(error: KafkaError | None, message: Message) -> None:
            if error is None:
                clock.appended(message.timestamp()[1])

        for partition in range(self._partitions[GRAPH_INPUT]):
            self._put(GRAPH_INPUT, value, None, partition=partition, on_delivery=appended)

    def announce(self, key: str, value: bytes | None) -> None:
        """This worker's status, which nothing waits for."""
        self._put(STATUS, value, key)

    def poll(self, timeout: float = 0.0) -> None:
        """Takes in acknowledgements. Raises ``DeliveryFailed`` when the producer cannot go on."""
        self._producer.poll(timeout)
        self._since_poll = 0
        if self._failed is not None:
            raise DeliveryFailed(self._failed)

    def drain(self, timeout: float) -> bool:
        """Waits until no record is on its way; returns whether that came true."""
        deadline = time.monotonic() + timeout
        while self.progress.pending and time.monotonic() < deadline:
            self.poll(0.01)
        return not self.progress.pending

    def close(self, timeout: float) -> None:
        """Waits for what is on its way."""
        left = self._producer.flush(timeout)
        if left:
            log.warning("%d records were not acknowledged; their inbound records are read again", left)

    def _produce(self, topic: str, value: bytes | None, key: str | bytes | None, **options: Any) -> None:
        epoch = self.progress.epoch
        epoch.pending += 1
        self._put(topic, value, key, on_delivery=epoch.delivered, **options)

    def _put(self, topic: str, value: bytes | None, key: str | bytes | None, **options: Any) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key, **options)
                break
            except BufferError:
                # Kafka is behind: waiting here is what holds the inbound side back.
                self.poll(0.05)
            except KafkaException as error:
                raise BrokerUnavailable(f"{topic} cannot be written: {error}") from error
        self._since_poll += 1
        if self._since_poll >= POLL_EVERY:
            self.poll()

    def _error(self, error: KafkaError) -> None:
        if error.fatal():
            self._failed = f"the producer cannot go on: {error.str()}"
            return
        # A broker that is away is told of by every attempt to reach it.
        now = time.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + QUIET
            log.warning("while writing: %s", error.str())


def _logger() -> logging.Logger:
    """Where librdkafka's lines go, but for its warning that gapless delivery is an experiment."""
    logger = logging.getLogger(f"{__name__}.client")
    if not logger.filters:
        logger.addFilter(lambda record: "enable.gapless.guarantee is experimental" not in record.getMessage())
    return logger
