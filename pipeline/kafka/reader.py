"""Reads partitions from their beginning to their present end, committed records only."""

from __future__ import annotations

import gc
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from ..errors import CheckpointFailed
from . import client

BATCH = 5_000
PATIENCE = 60.0


@contextmanager
def consumer(bootstrap: str, name: str, *, patient: bool = False) -> Iterator[Consumer]:
    """A consumer outside of any group, closed at the end.

    ``patient``: a tenth of a second may pass before a record is seen, so that many come at once.
    """
    reader = Consumer(
        client.reader(bootstrap, name)
        # Restores are long sequential reads on a machine that waits for them.
        | {"enable.partition.eof": True, "queued.max.messages.kbytes": 65_536}
        # Else every batch that somebody writes answers a request of its own.
        | ({"fetch.min.bytes": 262_144, "fetch.wait.max.ms": 100} if patient else {})
    )
    try:
        yield reader
    finally:
        reader.close()


def messages(bootstrap: str, topic: str, partitions: Collection[int], name: str) -> Iterator[list[Message]]:
    """All committed records of ``partitions``, in batches, each partition in its order.

    Raises ``CheckpointFailed`` when the broker answers with an error or not at all.
    """
    left = set(partitions)
    if not left:
        return
    with consumer(bootstrap, name) as reader:
        reader.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in sorted(left)])
        deadline = time.monotonic() + PATIENCE
        while left:
            # A short time-out: with a long one the client waits for a full batch at the end.
            batch = reader.consume(BATCH, timeout=0.05)
            good = []
            for message in batch:
                error = message.error()
                if error is None:
                    good.append(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    left.discard(message.partition())
                elif not error.retriable() and error.code() != KafkaError._ALL_BROKERS_DOWN:
                    raise CheckpointFailed(f"cannot read {topic}[{message.partition()}]: {error.str()}")
            if good:
                deadline = time.monotonic() + PATIENCE
                yield good
            elif time.monotonic() > deadline:
                raise CheckpointFailed(f"cannot read {topic}{sorted(left)}: no answer for {PATIENCE:.0f} s")


def table(bootstrap: str, topic: str, partitions: Collection[int], name: str) -> dict[int, dict[str, bytes]]:
    """The latest committed value of every key, by partition; keys whose last value is null are gone.

    Raises ``CheckpointFailed`` when it cannot be read.
    """
    tables: dict[int, dict[str, bytes]] = {number: {} for number in partitions}
    with collection_off():
        for batch in messages(bootstrap, topic, partitions, name):
            for message in batch:
                values = tables[message.partition()]
                key = message.key().decode()
                value = message.value()
                # Superseded values are dropped as bytes, so that each key is decoded once.
                if value is None:
                    values.pop(key, None)
                else:
                    values[key] = value
    return tables


@contextmanager
def collection_off() -> Iterator[None]:
    """Garbage collection off: while only keeping, it looks at all that is kept again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def extent(bootstrap: str, topic: str, partitions: Collection[int], name: str) -> dict[int, tuple[int, int]]:
    """Each partition's first offset and its next one. Raises ``CheckpointFailed``."""
    with consumer(bootstrap, name) as reader:
        deadline = time.monotonic() + PATIENCE
        return {number: _extent(reader, TopicPartition(topic, number), deadline) for number in partitions}


def _extent(reader: Consumer, place: TopicPartition, deadline: float) -> tuple[int, int]:
    while True:
        try:
            begin, end = reader.get_watermark_offsets(place, timeout=5.0)
            return begin, end
        except KafkaException as error:
            # A topic just made, or a broker just started, has no leader for a moment, and the
            # client does not call that worth another try.
            if time.monotonic() > deadline:
                raise CheckpointFailed(f"cannot ask for the extent of {place}: {error}") from error
            time.sleep(0.05)
