"""Reads the topics that history keeps, from where the tables end, and notices when one is made anew."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from ..errors import BrokerUnavailable
from .writer import Log

words = logging.getLogger(__name__)

PATIENCE = 10.0
#: What a later record of the same key replaces leaves a gap that is no loss.
COMPACTED = "definitions.changes"
_BUSY = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}


@dataclass(frozen=True, slots=True)
class Life:
    """A topic as it is now: deleted and made again, it has another id and starts at 0."""

    topic_id: str
    partitions: int


def lives(admin: AdminClient, topics: Iterable[str]) -> dict[str, Life]:
    """Those of ``topics`` that exist. Raises ``BrokerUnavailable``."""
    found = {}
    try:
        asked = admin.describe_topics(TopicCollection(list(topics)), request_timeout=PATIENCE)
        for topic, future in asked.items():
            try:
                description = future.result(PATIENCE + 1)
            except KafkaException as error:
                if error.args[0].code() in _BUSY:
                    continue
                raise
            found[topic] = Life(str(description.topic_id), len(description.partitions))
    except (KafkaException, TimeoutError) as error:
        raise BrokerUnavailable(
            f"cannot ask Kafka for its topics: {error}; going on as soon as it answers"
        ) from error
    return found


@dataclass(slots=True)
class Feed:
    """The records of ``topics`` in the order of each partition, each together with its ``Log``.

    ``start`` says at which offset a log is to be read first.
    """

    consumer: Consumer
    admin: AdminClient
    topics: tuple[str, ...]
    start: Callable[[Log], int]
    present: dict[str, Life] = field(default_factory=dict)
    logs: dict[tuple[str, int], Log] = field(default_factory=dict)
    reached: dict[Log, int] = field(default_factory=dict)
    missed: int = 0

    def stale(self) -> bool:
        """Whether topics were made, made anew or widened since ``assign``. Raises ``BrokerUnavailable``.

        Once this is False, all records that were read before the call are of the lives in ``present``.
        """
        return lives(self.admin, self.topics) != self.present

    def assign(self) -> None:
        """Starts over at ``start`` with the topics as they are now. Raises ``BrokerUnavailable``."""
        self.present = lives(self.admin, self.topics)
        self.logs = {
            (topic, number): Log(topic, life.topic_id, number)
            for topic, life in self.present.items()
            for number in range(life.partitions)
        }
        self.reached = {log: self.start(log) for log in self.logs.values()}
        self.consumer.assign(
            [TopicPartition(log.topic, log.partition, offset) for log, offset in self.reached.items()]
        )

    def read(self, most: int, timeout: float) -> list[tuple[Log, Message]]:
        """Up to ``most`` records; ``reached`` then says how far each log has been read."""
        found = []
        for message in self.consumer.consume(most, timeout):
            log = self.logs[message.topic(), message.partition()] if message.topic() is not None else None
            if log is None:
                continue
            error = message.error()
            if error is None:
                offset = message.offset()
                if offset > self.reached[log]:
                    self._gap(log, offset)
                self.reached[log] = offset + 1
                found.append((log, message))
            elif error.code() == KafkaError._PARTITION_EOF:
                # The end may lie beyond the last record: transaction markers, compaction.
                self.reached[log] = max(self.reached[log], message.offset())
        return found

    def _gap(self, log: Log, offset: int) -> None:
        """These topics are not transactional and but one not compacted: what is not there has been there."""
        if log.topic == COMPACTED:
            return
        count = offset - self.reached[log]
        self.missed += count
        words.warning(
            "%s[%d]: %d records before offset %d were removed by retention before history had read them",
            *(log.topic, log.partition, count, offset),
        )
