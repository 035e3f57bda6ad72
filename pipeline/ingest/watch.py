"""Event triggers: reads the topics that live triggers name, and sends a START for each record that fits.

At least once: a topic's position is committed only once Kafka has the STARTs of what lies before it,
and the id of a START follows from trigger, topic, partition and offset.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from .. import logs
from ..codec import Codec
from ..errors import BrokerUnavailable, InvalidDocument, InvalidRecord, RegistryUnavailable
from ..kafka import client
from ..kafka.definitions import TOPIC as DEFINITIONS
from ..workflow.triggers import TRIGGER, Trigger, starts, triggers_of
from .cluster import Cluster
from .route import COMMANDS

log = logging.getLogger(__name__)

GROUP = "faultline-triggers"
IDLE = 0.2
BATCH = 500
PATIENCE = 30.0
RETRY = 1.0
LAST = 5.0


class Watch:
    """One worker's share of what is watched; ``run`` it until ``stopped`` says so."""

    def __init__(self, bootstrap: str, instance: str, codec: Codec, stopped: Callable[[], bool]) -> None:
        name = f"{instance}-triggers"
        self._codec = codec
        self._stopped = stopped
        self._cluster = Cluster(AdminClient(client.common(bootstrap, name)))
        self._definitions = Consumer(client.reader(bootstrap, name))
        settings = {**client.reader(bootstrap, name, GROUP), "session.timeout.ms": 10_000}
        # What a topic held before a trigger watched it is no event for it.
        self._events = Consumer({**settings, "auto.offset.reset": "latest"})
        self._producer = Producer(client.producer(bootstrap, name))
        self._documents: dict[str, list[Trigger]] = {}
        self._topics: frozenset[str] = frozenset()
        self._ids: dict[str, str] = {}
        self._failed = ""
        self._done: dict[tuple[str, int], int] = {}
        #: How far the watched topics and the definitions are done with; replaced whole, read by others.
        self.reached: dict[str, dict[str, int]] = {}

    def run(self) -> None:
        """Watches until stopped. Raises ``BrokerUnavailable`` when it cannot go on."""
        try:
            first, end = client.extent(self._definitions, DEFINITIONS, 0, PATIENCE)
            place = TopicPartition(DEFINITIONS, 0)
            self._definitions.assign([TopicPartition(DEFINITIONS, 0, first)])
            while not self._stopped():
                # Without a topic to watch, the definitions are what it waits for.
                for message in self._definitions.consume(BATCH, 0 if self._topics else IDLE):
                    if message.error() is None:
                        self._learn(message)
                        end = max(end, message.offset() + 1)
                if first >= end or self._definitions.position([place])[0].offset >= end:
                    self._subscribe()
                if self._topics:
                    self._take(self._events.consume(BATCH, IDLE))
                self._tell(max(first, self._definitions.position([place])[0].offset))
        except KafkaException as error:
            raise BrokerUnavailable(f"the topics of triggers cannot be read any more: {error}") from error
        finally:
            self._events.close()
            self._definitions.close()

    def _tell(self, learned: int) -> None:
        """Says how far this is; a topic of which nothing is assigned yet has come nowhere."""
        reached: dict[str, dict[str, int]] = {topic: {} for topic in self._topics}
        for (topic, partition), offset in self._done.items():
            if topic in reached:
                reached[topic][str(partition)] = offset
        # A trigger may watch the definitions themselves: then both must be done with them.
        own = reached.setdefault(DEFINITIONS, {})
        own["0"] = min(learned, own.get("0", learned if DEFINITIONS not in self._topics else 0))
        self.reached = reached

    def _learn(self, message: Message) -> None:
        """Takes one record of ``definitions.changes``."""
        kind, _, name = (message.key() or b"").decode(errors="replace").partition("/")
        try:
            value = message.value()
            record: Any = {"op": "DELETE"} if value is None else self._codec.decode(value)
            given = record.get("definition") or {}
            kind, name = given.get("kind", kind), given.get("name", name)
            if kind != TRIGGER:
                return
            if record.get("op") == "DELETE":
                self._documents.pop(name, None)
                return
            found = triggers_of(str(given.get("text", "")))
        except (InvalidDocument, InvalidRecord, RegistryUnavailable, AttributeError) as error:
            # As everywhere, one that is refused leaves the earlier one in force; the engine tells why.
            log.debug("a definition that is no trigger: %s", error)
            return
        self._documents[name] = [each for each in found if each.topic]

    def _subscribe(self) -> None:
        """Watches what the triggers name now."""
        wanted = frozenset(each.topic for document in self._documents.values() for each in document)
        if wanted == self._topics:
            return
        self._topics = wanted
        log.info("triggers watch %s", ", ".join(sorted(wanted)) or "nothing")
        if wanted:
            self._events.subscribe(sorted(wanted), on_assign=client.catchable(self._assigned))
        else:
            self._events.unsubscribe()

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Begins at the end of what was never watched, and notes that, so that a crash loses nothing."""
        known = consumer.committed(partitions, timeout=PATIENCE)
        fresh = []
        for each in known:
            if each.offset < 0:
                each.offset = client.extent(consumer, each.topic, each.partition)[1]
                fresh.append(each)
        if fresh:
            consumer.commit(offsets=fresh, asynchronous=False)
        described = self._cluster.topics(sorted({each.topic for each in partitions})) if partitions else {}
        self._ids |= {name: topic_id for name, (topic_id, _) in described.items()}
        self._done = {(each.topic, each.partition): each.offset for each in known}
        consumer.assign(known)

    def _take(self, messages: list[Message]) -> None:
        """Starts what the records ask for, and commits when Kafka has it."""
        positions: dict[tuple[str, int], int] = {}
        for message in messages:
            if message.error() is not None:
                log.warning("while watching for triggers: %s", message.error().str())
                continue
            positions[message.topic(), message.partition()] = message.offset() + 1
            for value in self._starts(message):
                self._produce(value)
        if self._settled() and positions:
            self._done |= positions
            self._commit([TopicPartition(*place, offset) for place, offset in positions.items()])

    def _commit(self, offsets: list[TopicPartition]) -> None:
        try:
            self._events.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            # What is not committed is read again, and starts nothing twice.
            log.warning("positions of triggers could not be committed: %s", error)

    def _starts(self, message: Message) -> list[dict[str, Any]]:
        """The STARTs for one record."""
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        fitting = [
            (name, each)
            for name, document in self._documents.items()
            for each in document
            if each.topic == topic
        ]
        record = self._decoded(message) if fitting else None
        if record is None:
            return []
        place = {
            "topic": topic,
            "topic_id": self._ids.get(topic, ""),
            "partition": partition,
            "offset": offset,
        }
        return starts(fitting, record, place, message.timestamp()[1] * 1000)

    def _decoded(self, message: Message) -> Any:
        """The record as plain values; None when there is nothing that can be read."""
        while message.value() is not None:
            try:
                return self._codec.decode(message.value())
            except InvalidRecord as error:
                place = logs.about(message.topic(), message.partition(), message.offset())
                log.debug("no trigger can read this: %s", error, extra=place)
                return None
            except RegistryUnavailable as error:
                if self._stopped():
                    raise BrokerUnavailable(str(error)) from error
                log.warning("%s; waiting", error)
                time.sleep(RETRY)
        return None

    def _produce(self, value: dict[str, Any]) -> None:
        def delivered(error: Any, _: Message) -> None:
            if error is not None:
                self._failed = error.str()

        headers: list[tuple[str, str | bytes | None]] = [
            ("ce_specversion", "1.0"),
            ("ce_id", value["id"]),
            ("ce_source", "faultline/ingest"),
            ("ce_type", f"faultline.{COMMANDS}"),
            ("ce_time", value["time"]),
            ("content-type", "application/json"),
        ]
        encoded = msgspec.json.encode(value)
        key = value["root"].encode()
        self._producer.produce(COMMANDS, encoded, key, headers=headers, on_delivery=delivered)

    def _settled(self) -> bool:
        """Waits until Kafka has all that was sent; False when it is time to stop before that.

        Raises ``BrokerUnavailable`` when Kafka does not take it.
        """
        end = 0.0
        while len(self._producer) and self._producer.flush(IDLE):
            if self._stopped():
                end = end or time.monotonic() + LAST
                if time.monotonic() > end:
                    return False
        if self._failed:
            raise BrokerUnavailable(f"Kafka did not take what a trigger starts: {self._failed}")
        return True
