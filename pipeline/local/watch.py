"""Reads several topics of a running pipeline from now on, as one stream in the order of time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from ..kafka import client

PATIENCE = 15.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One record: where it stood, the broker's append time in microseconds, and what it says."""

    topic: str
    partition: int
    offset: int
    time: int
    value: dict[str, Any]


# What follows from what, where times are equal.
ORDER = (
    "alarms.raw",
    "graph.input",
    "alarms.deduced",
    "graph.journal",
    "workflow.commands",
    "workflow.steps",
    "workflow.actions",
    "topology.changes",
)


def open_at_end(bootstrap: str, name: str, topics: Sequence[str]) -> Consumer:
    """A reader that meets what is appended to ``topics`` from now on."""
    consumer = Consumer(client.reader(bootstrap, name))
    known = consumer.list_topics(timeout=PATIENCE).topics
    places = [TopicPartition(topic, number) for topic in topics for number in known[topic].partitions]
    for place in places:
        # An explicit offset: "the end" would be asked for later, behind the first records.
        place.offset = consumer.get_watermark_offsets(place, timeout=PATIENCE)[1]
    consumer.assign(places)
    return consumer


def read(consumer: Consumer, timeout: float = 0.05) -> list[Seen]:
    """What has come, at most ``timeout`` seconds waited for; in the order of time and consequence."""
    seen: list[Seen] = []
    for message in consumer.consume(500, timeout):
        if message.error() is None and message.value():
            with suppress(ValueError):
                value = json.loads(message.value())
                stamp = message.timestamp()[1] * 1000
                seen.append(Seen(message.topic(), message.partition(), message.offset(), stamp, value))
    return sorted(seen, key=lambda one: (one.time, ORDER.index(one.topic) if one.topic in ORDER else -1))
