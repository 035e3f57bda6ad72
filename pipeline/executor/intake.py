"""Reads ``workflow.actions`` in a thread of its own and keeps the membership in the consumer group."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from ..errors import InvalidRecord
from ..kafka import client
from ..kafka.deadletter import DeadLetter
from ..times import rfc3339
from .entry import Work, decode_work

ACTIONS = "workflow.actions"
GROUP = "faultline-executor"
BATCH = 1_000
WAIT = 0.05
LEAVING = 5.0
PATIENCE = 30.0
# What the ledger says of a piece of work is a little larger than the work, and must fit into Kafka too.
LARGEST = 1_500_000

# What a consumer cannot go on from; the first does not call itself fatal in what `poll` returns.
ENDING = (KafkaError._FATAL, KafkaError.UNKNOWN_TOPIC_OR_PART)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Received:
    """One record as it was read: the work that it asks for, or a letter where it asks for none."""

    partition: int
    offset: int
    work: Work | None
    letter: DeadLetter | None = None


class Host(Protocol):
    """Whom the intake serves; all calls are made in the event loop's thread."""

    async def assign(self, positions: dict[int, int]) -> None:
        """Takes partitions over, each with its position; reading there begins when this returns."""

    async def revoke(self, partitions: list[int]) -> dict[int, int]:
        """Gives partitions up; returns the positions to be committed."""

    def receive(self, records: list[Received]) -> None:
        """Takes records in the order of each partition."""


@dataclass(slots=True)
class Intake:
    """The consumer and its thread. ``hold`` set: nothing more is read, the membership stays."""

    consumer: Consumer
    host: Host
    loop: asyncio.AbstractEventLoop
    hold: bool = False
    read: int = 0
    _positions: dict[int, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _held: bool = False
    _end: threading.Event = field(default_factory=threading.Event)
    _left: bool = False

    def commit(self, partition: int, position: int) -> None:
        """Has ``position``, the next offset to be read after a restart, committed soon."""
        with self._lock:
            self._positions[partition] = position

    def end(self) -> None:
        """Has the thread give its partitions up, leave the group and end."""
        self._end.set()

    def run(self) -> None:
        """The thread's body. Raises ``KafkaException`` or ``BrokerUnavailable`` when it cannot go on."""
        try:
            self.consumer.subscribe(
                [ACTIONS],
                on_assign=client.catchable(self._assigned),
                on_revoke=client.catchable(self._revoked),
                on_lost=client.catchable(self._lost),
            )
            while not self._end.is_set():
                self._hold()
                self._commit()
                # With a time-out `consume` waits for a full batch; `poll` returns at the first record.
                first = self.consumer.poll(WAIT)
                if first is not None:
                    self._deliver([first, *self.consumer.consume(BATCH, 0)])
            self._commit()
            self._leave()
        finally:
            self.consumer.close()

    def _leave(self) -> None:
        # A static member that only closes keeps its partitions until its session ends, so that
        # nobody serves them; unsubscribing says good-bye.
        self._left = not self.consumer.assignment()
        self.consumer.unsubscribe()
        waited = 0.0
        while not self._left and waited < LEAVING:
            self.consumer.poll(WAIT)
            waited += WAIT

    def _deliver(self, messages: list[Message]) -> None:
        records: list[Received] = []
        for message in messages:
            error = message.error()
            if error is None:
                records.append(_received(message))
            elif error.fatal() or error.code() in ENDING:
                raise KafkaException(error)
            else:
                log.warning("reading %s: %s", ACTIONS, error.str())
        if records:
            self.read += len(records)
            self.loop.call_soon_threadsafe(self.host.receive, records)

    def _hold(self) -> None:
        if self.hold == self._held:
            return
        partitions = self.consumer.assignment()
        if self.hold:
            self.consumer.pause(partitions)
        else:
            self.consumer.resume(partitions)
        self._held = self.hold

    def _commit(self) -> None:
        with self._lock:
            positions, self._positions = self._positions, {}
        if positions:
            self.consumer.commit(offsets=_offsets(positions), asynchronous=True)

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._ask(self.host.assign(_positions(consumer, partitions)))
        consumer.incremental_assign(partitions)
        # What was just added is not paused.
        self._held = False

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        positions = self._give_up(partitions)
        try:
            if positions:
                consumer.commit(offsets=_offsets(positions), asynchronous=False)
        except KafkaException as error:
            # What is read again is known by the ledger.
            log.info("positions were not committed at the hand-over: %s", error)
        consumer.incremental_unassign(partitions)
        self._left = self._end.is_set()

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._give_up(partitions)
        consumer.incremental_unassign(partitions)
        self._left = self._end.is_set()

    def _give_up(self, partitions: list[TopicPartition]) -> dict[int, int]:
        numbers = [one.partition for one in partitions]
        positions: dict[int, int] = self._ask(self.host.revoke(numbers))
        # Committed after the loss they would have the group take this member for an impostor.
        with self._lock:
            for number in numbers:
                self._positions.pop(number, None)
        return positions

    def _ask(self, question: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(question, self.loop).result()


def consumer(bootstrap: str, instance: str) -> Consumer:
    """A consumer of the executors' group, known there as ``instance``, so that a restart is no departure."""
    return Consumer(
        {
            **client.common(bootstrap, instance),
            "group.id": GROUP,
            "group.instance.id": instance,
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": 6_000,
            "heartbeat.interval.ms": 500,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 100,
            "queued.max.messages.kbytes": 16_384,
        }
    )


def _positions(consumer: Consumer, partitions: list[TopicPartition]) -> dict[int, int]:
    """Where reading will begin: what was committed, else the beginning."""
    positions = {}
    for one in consumer.committed(partitions, timeout=PATIENCE) if partitions else []:
        begin = one.offset if one.offset >= 0 else client.extent(consumer, one.topic, one.partition)[0]
        positions[one.partition] = begin
    return positions


def _received(message: Message) -> Received:
    partition, offset, value = message.partition(), message.offset(), message.value()
    try:
        if value is not None and len(value) > LARGEST:
            raise InvalidRecord("too-large", f"the record has {len(value)} bytes; the limit is {LARGEST}")
        return Received(partition, offset, decode_work(value))
    except InvalidRecord as error:
        time = rfc3339(message.timestamp()[1] * 1000)
        letter = DeadLetter(value, message.key(), error.reason, str(error), ACTIONS, partition, offset, time)
        return Received(partition, offset, None, letter)


def _offsets(positions: dict[int, int]) -> list[TopicPartition]:
    return [TopicPartition(ACTIONS, number, position) for number, position in positions.items()]
