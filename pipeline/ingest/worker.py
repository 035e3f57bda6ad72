"""The ingest worker: what is read, routed and acknowledged, round after round."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import msgspec
from confluent_kafka import Message
from confluent_kafka.admin import AdminClient

from .. import logs
from ..checks import INBOUND
from ..codec import Codec
from ..errors import InvalidRecord, RegistryUnavailable
from ..kafka import client
from ..kafka.deadletter import DEAD_LETTERS, DeadLetter
from ..kafka.presence import here
from ..times import rfc3339
from .clock import Clock
from .cluster import Cluster
from .inbound import Inbound, is_end
from .outbound import Outbound
from .progress import Place, Positions
from .route import COMMANDS, GRAPH_INPUT, Router

log = logging.getLogger(__name__)

COMMIT_EVERY = 0.5
MARK_EVERY = 1.0
STATUS_EVERY = 0.5
IDLE = 0.05
#: What waits for the schema registry is tried again so often.
RETRY_EVERY = 1.0
#: How long a revoke or a stop waits for acknowledgements; what they miss is read again.
SETTLE = 8.0


class Worker:
    """One worker; ``run`` it until ``stopped`` says so. Its status also tells how far ``watching`` is, the
    triggers' watch beside it."""

    def __init__(
        self,
        bootstrap: str,
        instance: str,
        codec: Codec,
        stopped: Callable[[], bool],
        watching: Callable[[], dict[str, dict[str, int]]] = dict,
    ) -> None:
        self._instance = instance
        self._watching = watching
        self._stopped = stopped
        self._cluster = Cluster(AdminClient(client.common(bootstrap, instance)))
        topics = self._cluster.topics([GRAPH_INPUT, COMMANDS])
        partitions = {name: count for name, (_, count) in topics.items()}
        largest = self._cluster.largest([GRAPH_INPUT, COMMANDS, DEAD_LETTERS])
        self._router = Router(codec)
        self._out = Outbound(bootstrap, instance, partitions, largest)
        self._in = Inbound(bootstrap, instance, self._topic_ids, self._settle)
        # A worker that starts again begins its rounds again: their ids must differ.
        self._clock = Clock(f"{instance}-{os.getpid()}-{time.time_ns():x}", partitions[GRAPH_INPUT])
        self._held: dict[Place, deque[Message]] = {}
        self._counts: Counter[str] = Counter()
        self._malformed: Counter[str] = Counter()
        self._settled: Positions = {}
        self._next_commit = self._next_mark = self._next_status = self._next_retry = 0.0

    def run(self) -> None:
        """Reads and routes until stopped, then commits what was acknowledged.

        Raises ``DeliveryFailed``, ``Fenced`` or ``BrokerUnavailable`` when it cannot go on.
        """
        try:
            while not self._stopped():
                for message in self._in.batch(IDLE):
                    self._forward(message)
                self._round()
            self._in.commit(self._settle(), wait=True)
            self._out.announce(self._status_key, None)
        finally:
            self._out.close(SETTLE)
            self._in.close()

    def _forward(self, message: Message) -> None:
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        place = (topic, partition)
        read = self._in.reads.get(place)
        if read is None or offset < read.position:
            # Given up, or begun again, while this record waited its turn.
            return
        if place in self._held:
            self._hold(place, message)
            return
        if is_end(message):
            # Beyond the last record there may be what is none: transactions' marks, compacted ones.
            read.position = offset
            return
        timestamp = message.timestamp()[1]
        try:
            self._out.send(
                self._router.route(
                    topic, partition, offset, timestamp, read.topic_id, message.key(), message.value()
                )
            )
            self._counts["forwarded"] += 1
        except InvalidRecord as error:
            self._set_aside(message, error)
        except RegistryUnavailable as error:
            log.warning("%s; waiting", error, extra=logs.about(topic, partition, offset))
            self._next_retry = time.monotonic() + RETRY_EVERY
            self._hold(place, message)
            return
        read.position = offset + 1
        read.at = timestamp
        self._counts["read"] += 1

    def _hold(self, place: Place, message: Message) -> None:
        """Keeps a record that must wait, and with it all that is behind it in its partition."""
        # Paused again each time: what was given up and came back is not.
        self._in.pause(place)
        self._held.setdefault(place, deque()).append(message)

    def _retry(self) -> None:
        """Tries what is held once more; what must still wait is held again, in its order."""
        held, self._held = self._held, {}
        for place, waiting in held.items():
            self._in.resume(place)
            while waiting:
                if place in self._held:
                    self._held[place].extend(waiting)
                    break
                self._forward(waiting.popleft())

    def _set_aside(self, message: Message, error: InvalidRecord) -> None:
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        time_ = rfc3339(message.timestamp()[1] * 1000)
        self._out.set_aside(
            DeadLetter(
                message.value(), message.key(), error.reason, str(error), topic, partition, offset, time_
            )
        )
        # Bad records come in floods: the first of a kind is news, the dead letters have them all.
        level = logging.DEBUG if error.reason in self._malformed else logging.INFO
        place = logs.about(topic, partition, offset)
        log.log(level, "set aside: %s: %s", error.reason, error, extra=place)
        self._malformed[error.reason] += 1

    def _round(self) -> None:
        """What is due between batches: acknowledgements, commits, clock marks, status."""
        self._out.poll()
        now = time.monotonic()
        if self._held and now >= self._next_retry:
            self._retry()
        if now >= self._next_commit:
            self._next_commit = now + COMMIT_EVERY
            self._out.progress.close(self._positions())
        settled = self._out.progress.settled()
        if settled is not None:
            self._settled |= settled
            self._in.commit(settled)
        if now >= self._next_mark and self._clock.complete:
            self._next_mark = now + MARK_EVERY
            self._cluster.ask_ends(self._in.reads)
        ends = self._cluster.ends()
        if ends is not None:
            reads = self._in.reads
            named = {reads[place].name: end for place, end in ends.items() if place in reads}
            self._out.mark(self._clock, self._clock.mark(reads.values(), named))
        if now >= self._next_status:
            self._next_status = now + STATUS_EVERY
            self._out.announce(self._status_key, msgspec.json.encode(self._status()))

    def _settle(self) -> Positions:
        """Waits until all that was produced is acknowledged; the positions that this makes safe."""
        self._out.progress.close(self._positions())
        if not self._out.drain(SETTLE):
            log.warning("not everything was acknowledged within %.0f s; it is read again", SETTLE)
        settled = self._out.progress.settled() or {}
        self._settled |= settled
        return settled

    def _positions(self) -> Positions:
        return {place: read.position for place, read in self._in.reads.items() if read.position >= 0}

    def _topic_ids(self) -> dict[str, str]:
        return {name: topic_id for name, (topic_id, _) in self._cluster.topics(INBOUND).items()}

    @property
    def _status_key(self) -> str:
        return f"ingest/{self._instance}"

    def _status(self) -> dict[str, Any]:
        positions: dict[str, dict[str, int]] = {}
        for (topic, partition), offset in self._settled.items():
            if (topic, partition) in self._in.reads:
                positions.setdefault(topic, {})[str(partition)] = offset
        counters: dict[str, Any] = {
            "read": self._counts["read"],
            "forwarded": self._counts["forwarded"],
            "clamped": self._router.counts["clamped"],
            "malformed": dict(self._malformed),
        }
        return {
            "role": "ingest",
            "instance": self._instance,
            **here(),
            "time": rfc3339(time.time_ns() // 1000),
            "positions": positions,
            "watching": self._watching(),
            "partitions": sorted(f"{topic}:{partition}" for topic, partition in self._in.reads),
            "counters": counters,
        }
