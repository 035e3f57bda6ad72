"""What every client of Kafka is told, in one place."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from ..errors import BrokerUnavailable

log = logging.getLogger("librdkafka")

Callback = Callable[[Consumer, list[TopicPartition]], None]

MAX_RECORD = 2_097_152
"""The largest record that any of our topics takes (``max.message.bytes`` of the largest)."""


def common(bootstrap: str, name: str) -> dict[str, Any]:
    """librdkafka settings for any client: whom to ask, how to be called, when to try again.

    The caller adds its own; ``logger`` sends librdkafka's log lines where ours go.
    """
    return {
        "bootstrap.servers": bootstrap,
        "client.id": name,
        # A broker that restarts is back within seconds; the default waits up to ten more.
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 1000,
        # An idle connection that the broker closed is no news.
        "log.connection.close": False,
        "socket.keepalive.enable": True,
        "logger": log,
    }


def producer(bootstrap: str, name: str) -> dict[str, Any]:
    """For a producer whose records may neither be lost, doubled nor overtaken."""
    return common(bootstrap, name) | {
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "compression.type": "lz4",
        "linger.ms": 2,
        "message.max.bytes": MAX_RECORD,
    }


def reader(bootstrap: str, name: str, group: str | None = None) -> dict[str, Any]:
    """For a consumer that keeps its own positions and sees committed records only."""
    return common(bootstrap, name) | {
        # librdkafka wants a group also of a consumer that never joins one.
        "group.id": group or name,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "fetch.wait.max.ms": 50,
        "fetch.message.max.bytes": MAX_RECORD,
    }


def catchable(callback: Callback) -> Callback:
    """``callback`` for a rebalance; what Kafka refuses in it becomes ``BrokerUnavailable``.

    The client hands a ``KafkaException`` of a callback on to who polls as a ``KafkaError``, which is no
    exception: no ``except`` catches it, and a thread that polls would end without a word.
    """

    def called(consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            callback(consumer, partitions)
        except KafkaException as error:
            raise BrokerUnavailable(f"partitions cannot change hands: {error.args[0].str()}") from error

    return called


def extent(consumer: Consumer, topic: str, partition: int, timeout: float = 30.0) -> tuple[int, int]:
    """The first offset of a partition and the one after its last. Raises ``BrokerUnavailable``."""
    end = time.monotonic() + timeout
    while True:
        try:
            first, after = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=5)
            return int(first), int(after)
        except KafkaException as error:
            # A topic that was made just now, or a broker that is just back.
            if time.monotonic() > end:
                raise BrokerUnavailable(
                    f"{topic}[{partition}] cannot be read: {error.args[0].str()}"
                ) from error
            time.sleep(0.05)
