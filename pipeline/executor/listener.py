"""Reads, in a thread of its own, what an executor must hear: the controls, and ledgers that it takes over."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition

from ..kafka import reader

BATCH = 5_000
WAIT = 0.05

Heard = tuple[str, bytes | None, int]
"""Key, value and offset of a record."""


class Audience(Protocol):
    """Who listens; all calls are made in the event loop's thread."""

    def heard(self, topic: str, partition: int, records: list[Heard]) -> None:
        """Takes records in the partition's order."""

    def caught_up(self, topic: str, partition: int) -> None:
        """All that the partition held has been given."""


@dataclass(slots=True)
class Listener:
    """A reader of committed records, outside of any group."""

    bootstrap: str
    name: str
    audience: Audience
    loop: asyncio.AbstractEventLoop
    _orders: queue.SimpleQueue[tuple[bool, TopicPartition]] = field(default_factory=queue.SimpleQueue)
    _end: threading.Event = field(default_factory=threading.Event)

    def attend(self, topic: str, partition: int) -> None:
        """Reads the partition from its beginning, and goes on listening."""
        self._orders.put((True, TopicPartition(topic, partition, OFFSET_BEGINNING)))

    def leave(self, topic: str, partition: int) -> None:
        """Listens to the partition no more."""
        self._orders.put((False, TopicPartition(topic, partition)))

    def end(self) -> None:
        """Has the thread end."""
        self._end.set()

    def run(self) -> None:
        """The thread's body. Raises ``KafkaException`` at an error that reading on cannot mend."""
        with reader.consumer(self.bootstrap, self.name) as consumer:
            while not self._end.is_set():
                self._obey(consumer)
                messages = consumer.consume(BATCH, timeout=WAIT)
                batches: dict[tuple[str, int], list[Heard]] = {}
                for message in messages:
                    error = message.error()
                    place = message.topic(), message.partition()
                    if error is None:
                        heard = ((message.key() or b"").decode(), message.value(), message.offset())
                        batches.setdefault(place, []).append(heard)
                    elif error.code() == KafkaError._PARTITION_EOF:
                        self._give(batches)
                        self._call(self.audience.caught_up, *place)
                    elif error.fatal() or error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                        raise KafkaException(error)
                self._give(batches)

    def _give(self, batches: dict[tuple[str, int], list[Heard]]) -> None:
        for (topic, partition), records in batches.items():
            self._call(self.audience.heard, topic, partition, records)
        batches.clear()

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        self.loop.call_soon_threadsafe(function, *arguments)

    def _obey(self, consumer: Any) -> None:
        while True:
            try:
                attend, place = self._orders.get_nowait()
            except queue.Empty:
                return
            if attend:
                consumer.incremental_assign([place])
            else:
                consumer.incremental_unassign([place])
