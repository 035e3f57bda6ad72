"""``definitions.changes``: what is live, and putting live, by whoever may."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from ..errors import BrokerUnavailable
from ..events import Definition
from ..ids import identify
from ..times import rfc3339
from . import client

TOPIC = "definitions.changes"
OPERATOR = "operator"
PATIENCE = 30.0


def key(kind: str, name: str) -> str:
    """The key of a definition's records."""
    return f"{kind}/{name}"


def record(
    op: Literal["UPSERT", "DELETE"], definition: Definition, source: str, by: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A record that puts ``definition`` live, or takes away what has its kind and name.

    A removal is a record, not a null: what was away for longer than Kafka keeps those must
    learn of it, too.
    """
    now = time.time_ns() // 1000
    if op == "DELETE":
        definition = Definition(definition.kind, definition.name)
    return {
        "id": identify("definition", op, definition.kind, definition.name, definition.text, now),
        "time": rfc3339(now),
        "source": source,
        "op": op,
        "definition": msgspec.to_builtins(definition),
        **({"by": dict(by)} if by else {}),
    }


def held(bootstrap: str) -> dict[str, dict[str, Any]]:
    """The latest record of each key on the topic, removed ones left out. Raises ``BrokerUnavailable``."""
    consumer = Consumer(client.reader(bootstrap, "faultline-definitions"))
    records: dict[str, dict[str, Any]] = {}
    try:
        first, end = client.extent(consumer, TOPIC, 0, PATIENCE)
        consumer.assign([TopicPartition(TOPIC, 0, first)])
        limit = time.monotonic() + PATIENCE
        while consumer.position([TopicPartition(TOPIC, 0)])[0].offset < end and first < end:
            for message in consumer.consume(500, 0.2):
                if message.error() is not None or message.key() is None:
                    continue
                name = message.key().decode(errors="replace")
                value = _decoded(message.value())
                if value is None or value.get("op") == "DELETE":
                    records.pop(name, None)
                else:
                    records[name] = value
            if time.monotonic() > limit:
                raise BrokerUnavailable(f"{TOPIC} could not be read to its end within {PATIENCE:.0f} s")
    finally:
        consumer.close()
    return records


def send(bootstrap: str, records: Iterable[Mapping[str, Any]]) -> None:
    """Sends records in their order. Raises ``BrokerUnavailable`` unless Kafka has taken all."""
    failures: list[str] = []
    producer = Producer(client.producer(bootstrap, "faultline-definitions"))
    for each in records:
        definition = each["definition"]
        producer.produce(
            TOPIC,
            msgspec.json.encode(each),
            key(definition["kind"], definition["name"]),
            on_delivery=lambda error, _: failures.append(error.str()) if error else None,
        )
    left = producer.flush(PATIENCE)
    if failures or left:
        why = failures[0] if failures else f"{left} not acknowledged within {PATIENCE:.0f} s"
        raise BrokerUnavailable(f"definitions could not be published: {why}")


def _decoded(value: bytes | None) -> dict[str, Any] | None:
    if value is None:
        return None
    try:
        found = json.loads(value)
    except ValueError:
        return {}  # somebody else's form: it stays as it is, and is replaced where a file has the name
    return found if isinstance(found, dict) else {}
