"""The loop that carries records from Kafka into the tables, in batches."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
from confluent_kafka import Message

from ..codec import Codec
from ..errors import BrokerUnavailable, HistoryUnavailable, InvalidRecord, RegistryUnavailable
from ..kafka.deadletter import DeadLetter
from ..logs import about
from ..times import rfc3339
from .feed import Feed
from .rows import (
    INGEST_TIME,
    MAPPERS,
    OFFSET,
    PARTITION,
    TOPIC,
    Headers,
    Mapper,
    Place,
    Rows,
    dead_letter,
    definition,
    empty,
)
from .writer import Log, Unfit, Writer, name

log = logging.getLogger(__name__)

READ = 2_000
ROWS = 10_000
BYTES = 32 * 2**20
#: A few records go in soon. Many wait a little longer, for an insert costs as much for one row as for
#: a thousand: between them they halve what the sink takes at thousands of records a second.
FEW = 500
SOON, LATER = 0.3, 0.8
CHECK = 2.0
FULL = 100

#: Sets a record aside; returns once Kafka has it. Raises ``BrokerUnavailable``.
SetAside = Callable[[DeadLetter], None]


@dataclass(slots=True)
class Counts:
    """What the sink has done since it started."""

    records: int = 0
    rows: int = 0
    batches: int = 0
    unreadable: int = 0
    missed: int = 0
    waiting: str = ""


@dataclass(slots=True)
class Batch:
    """Rows on their way, and what they take."""

    rows: Rows = field(default_factory=empty)
    records: int = 0
    bytes: int = 0
    since: float = 0.0


@dataclass(slots=True)
class Sink:
    """Reads ``feed`` into ``writer``. Meant for a thread of its own: ``run``."""

    feed: Feed
    writer: Writer
    codec: Codec
    set_aside: SetAside
    mappers: dict[str, Mapper] = field(default_factory=lambda: MAPPERS)
    counts: Counts = field(default_factory=Counts)
    batch: Batch = field(default_factory=Batch)

    def run(self, stop: threading.Event) -> None:
        """Goes on until ``stop``; waits and tries again while Kafka or ClickHouse is away."""
        checked = 0.0
        self._patiently(self._start_over, stop)
        while not stop.is_set():
            for place, message in self.feed.read(READ, 0.05 if self.batch.records else 0.1):
                self._take(place, message, stop)
            now = time.monotonic()
            batch = self.batch
            if batch.records:
                age = now - batch.since
                full = batch.records >= ROWS or batch.bytes >= BYTES
                if full or age >= LATER or (age >= SOON and batch.records <= FEW):
                    self._patiently(self.flush, stop)
                    checked = now
            elif now - checked >= CHECK:
                self._patiently(self._look, stop)
                checked = now
        try:
            self.flush()
        except (BrokerUnavailable, HistoryUnavailable) as error:
            log.warning("the last %d records are left for the next start: %s", self.batch.records, error)

    def positions(self) -> dict[str, dict[str, int]]:
        """For each partition of each topic, the first offset that cannot be read from the tables yet."""
        found: dict[str, dict[str, int]] = {}
        for place in list(self.feed.reached):
            found.setdefault(place.topic, {})[str(place.partition)] = self.writer.next.get(place, 0)
        return found

    def flush(self) -> None:
        """Puts the batch into the tables; can be repeated after an error.

        Raises ``BrokerUnavailable`` and ``HistoryUnavailable``.
        """
        # Asked before anything is inserted: a record read after its topic was made
        # anew would else be entered under the old topic's id.
        if self.feed.stale():
            self._start_over()
            return
        batch = self.batch
        reached = {
            place: end for place, end in self.feed.reached.items() if self.writer.next.get(place, 0) != end
        }
        if not reached and not batch.records:
            return
        for unfit in self.writer.write(batch.rows, name(reached)):
            self._set_aside(unfit)
        self.writer.settle(reached)
        self.counts.rows += sum(map(len, batch.rows.values()))
        self.counts.batches += 1
        self.counts.records += batch.records
        self.counts.missed = self.feed.missed
        self.batch = Batch()

    def _look(self) -> None:
        if self.feed.stale():
            self._start_over()
        elif any(self.writer.next.get(place, 0) != end for place, end in self.feed.reached.items()):
            self.flush()

    def _start_over(self) -> None:
        self.batch = Batch()
        self.feed.assign()
        for topic, life in self.feed.present.items():
            self.writer.begin(topic, life.topic_id)

    def _take(self, place: Log, message: Message, stop: threading.Event) -> None:
        batch = self.batch
        value = message.value()
        if not batch.records:
            batch.since = time.monotonic()
        batch.records += 1
        batch.bytes += FULL + len(value or b"")
        topic = place.topic
        mapper = self.mappers[topic]
        letter = mapper is dead_letter
        # A tombstone tells nothing that was not told before; a letter without a value is about one.
        if value is None and not letter:
            return
        where = Place(
            topic, place.topic_id, place.partition, message.offset(),
            self.writer.epochs[topic, place.topic_id], message.timestamp()[1] * 1000,
        )  # fmt: skip
        try:
            if value is not None and not letter and value[:1] != b"{":
                value = self._json(value, stop)
            headers: Headers = (message.headers() or []) if letter else []
            mapper(where, message.key(), value, headers, batch.rows)
        except (InvalidRecord, msgspec.DecodeError, ValueError, TypeError, OverflowError) as error:
            self._refuse(where, message.key(), message.value(), str(error), stop)

    def _json(self, value: bytes, stop: threading.Event) -> bytes:
        found: list[bytes] = [value]

        def decode() -> None:
            found[0] = self.codec.as_json(value)

        self._patiently(decode, stop)
        return found[0]

    def _set_aside(self, unfit: Unfit) -> None:
        """A row that no column takes: which record it came from, for its value is not at hand any more."""
        row = unfit.row
        topic, number, offset = row[TOPIC], row[PARTITION], row[OFFSET]
        self.counts.unreadable += 1
        log.error("not kept whole: %s: %s", unfit.table, unfit.error, extra=about(topic, number, offset))
        if self.mappers[topic] is not dead_letter:
            error = f"{unfit.table}: {unfit.error}"
            at = rfc3339(row[INGEST_TIME])
            self.set_aside(DeadLetter(None, None, "history-unfit", error, topic, number, offset, at))

    def _refuse(
        self, place: Place, key: bytes | None, value: bytes | None, error: str, stop: threading.Event
    ) -> None:
        if self.mappers[place.topic] is definition:
            return  # ingest sets aside what nobody can put live
        self.counts.unreadable += 1
        log.error("not kept: %s", error, extra=about(place.topic, place.partition, place.offset))
        if self.mappers[place.topic] is dead_letter:
            return  # it would come back for ever
        letter = DeadLetter(
            value, key, "history-unreadable", error, place.topic, place.partition, place.offset,
            rfc3339(place.ingest_time),
        )  # fmt: skip
        self._patiently(lambda: self.set_aside(letter), stop)

    def _patiently(self, action: Callable[[], None], stop: threading.Event) -> None:
        pause = 0.2
        while True:
            try:
                action()
                self.counts.waiting = ""
                return
            except (BrokerUnavailable, HistoryUnavailable, RegistryUnavailable) as error:
                if self.counts.waiting != str(error):
                    log.warning("%s", error)
                self.counts.waiting = str(error)
                if stop.wait(pause):
                    return
                pause = min(pause * 2, 5.0)
