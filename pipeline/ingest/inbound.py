"""The inbound side: a consumer of the group, and what it has read of each partition it owns."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from ..checks import INBOUND
from ..errors import BrokerUnavailable, Fenced
from ..kafka import client
from .clock import Read
from .progress import Place, Positions

log = logging.getLogger(__name__)

GROUP = "faultline-ingest"
BATCH = 2_000
ABSENT = 30.0
"""Seconds after which a consumer that lost its partitions and was given none is taken for one that hangs."""


class Inbound:
    """Reads the inbound topics. ``settle`` is called before partitions are given up: it returns
    the positions behind which everything has arrived."""

    def __init__(
        self,
        bootstrap: str,
        instance: str,
        ids: Callable[[], dict[str, str]],
        settle: Callable[[], Positions],
    ) -> None:
        self.reads: dict[Place, Read] = {}
        self._ids = ids
        self._settle = settle
        self._committed: Positions = {}
        self._lost_at: float | None = None
        self._consumer = Consumer(
            {
                **client.reader(bootstrap, instance, GROUP),
                # A worker that comes back within the session finds its partitions as it left them.
                "group.instance.id": instance,
                "session.timeout.ms": 10_000,
                "heartbeat.interval.ms": 1_000,
                "partition.assignment.strategy": "cooperative-sticky",
                # The end of a partition may lie beyond its last record: transactions, compaction.
                "enable.partition.eof": True,
                "fetch.error.backoff.ms": 100,
                "queued.max.messages.kbytes": 32_768,
                "on_commit": _commit_done,
            }
        )
        self._consumer.subscribe(
            list(INBOUND),
            on_assign=client.catchable(self._assigned),
            on_revoke=client.catchable(self._revoked),
            on_lost=client.catchable(self._lost),
        )

    def batch(self, timeout: float) -> list[Message]:
        """Records that have come, and ends of partitions that were reached (``is_end``), in
        their order; waits up to ``timeout`` seconds for the first.

        Raises ``Fenced`` when another worker goes by this one's name, ``BrokerUnavailable``
        when the consumer cannot go on.
        """
        first = self._consumer.poll(timeout)
        if first is None:
            if self._lost_at is not None and time.monotonic() > self._lost_at + ABSENT:
                raise BrokerUnavailable("the inbound topics were lost and not given again; starting anew")
            return []
        # A batch with a time-out would wait for a full one.
        messages = [first, *self._consumer.consume(BATCH, 0)]
        return [message for message in messages if message.error() is None or _is_event(message)]

    def pause(self, place: Place) -> None:
        """Takes no more records from ``place``, as far as it is owned."""
        if place in self.reads:
            self._consumer.pause([TopicPartition(*place)])

    def resume(self, place: Place) -> None:
        """Takes records from ``place`` again, as far as it is owned."""
        if place in self.reads:
            self._consumer.resume([TopicPartition(*place)])

    def commit(self, positions: Positions, wait: bool = False) -> None:
        """Commits those of ``positions`` that are owned and new."""
        changed = {
            place: offset
            for place, offset in positions.items()
            if place in self.reads and self._committed.get(place) != offset
        }
        if not changed:
            return
        offsets = [TopicPartition(*place, offset) for place, offset in changed.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=not wait)
            self._committed |= changed
        except KafkaException as error:
            # What is not committed is read again, and dropped where it was applied.
            log.warning("positions could not be committed: %s", error)

    def close(self) -> None:
        """Leaves. A static member's partitions wait for it until its session ends."""
        self._consumer.close()

    def _assigned(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._lost_at = None
        ids = self._ids()
        for each in partitions:
            topic_id = ids[each.topic]
            name = f"{each.topic}:{topic_id}:{each.partition}"
            self.reads[each.topic, each.partition] = Read(name, topic_id)
        log.info("assigned %s", _names(partitions))

    def _revoked(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        gone = {(each.topic, each.partition) for each in partitions}
        settled = self._settle()
        self.commit({place: offset for place, offset in settled.items() if place in gone}, wait=True)
        self._drop(gone)
        log.info("gave up %s", _names(partitions))

    def _lost(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._drop({(each.topic, each.partition) for each in partitions})
        self._lost_at = time.monotonic()
        log.warning("lost %s", _names(partitions))

    def _drop(self, places: set[Place]) -> None:
        for place in places:
            self.reads.pop(place, None)
            self._committed.pop(place, None)


def is_end(message: Message) -> bool:
    """Whether this says that a partition's end was reached, at its ``offset()``."""
    error: Any = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF


def _is_event(message: Message) -> bool:
    """Whether this is an end; raises what cannot be gone on from, and logs what can."""
    if is_end(message):
        return True
    error: Any = message.error()
    text = error.str()
    if error.fatal() or error.code() == KafkaError._FATAL:
        # The client wraps what was fatal; only its text tells which it was.
        if "fenced" in text:
            raise Fenced(f"another ingest worker has this one's name: {text}")
        raise BrokerUnavailable(f"the inbound topics cannot be read any more: {text}")
    log.warning("while reading: %s", text)
    return False


def _commit_done(error: KafkaError | None, _: list[TopicPartition]) -> None:
    if error is not None and error.code() != KafkaError._NO_OFFSET:
        log.warning("positions could not be committed: %s", error.str())


def _names(partitions: list[TopicPartition]) -> str:
    return ", ".join(f"{each.topic}[{each.partition}]" for each in partitions)
