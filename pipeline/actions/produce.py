"""``kafka.produce``: a record on a topic of the user's."""

from __future__ import annotations

import json
import threading
from functools import lru_cache
from typing import Any

from ..errors import ActionFailed, InvalidInput
from .declaration import Context, action

SECONDS = 30.0
LARGEST = 900_000


@action("kafka.produce", "changes")
async def produce(
    context: Context,
    topic: str,
    value: Any,
    key: str | None = None,
    headers: dict[str, str] | None = None,
    timeout: float = SECONDS,  # noqa: ASYNC109 - it is the action's input
) -> dict[str, Any]:
    """Writes a record (texts as they are, all else as JSON); its ``topic``, ``partition`` and ``offset``.

    The header ``ce_id`` is the action execution's id, by which a reader can tell a repetition.
    """
    if not context.kafka:
        raise ActionFailed("kafka.produce: no Kafka is set here")
    if _ours(topic) and topic not in context.topics:
        raise ActionFailed(
            f"{topic} is one of Faultline's own topics, which playbooks do not write; "
            f"list it under topic_allow in the settings to allow it"
        )
    data = None if value is None else (value if isinstance(value, str) else json.dumps(value)).encode()
    if data is not None and len(data) > LARGEST:
        raise InvalidInput(f"kafka.produce: input `value`: {len(data)} bytes; the limit is {LARGEST}")
    more = dict(headers or {})
    if context.call.action:
        more.setdefault("ce_id", context.call.action)
    fields = [(name, text.encode()) for name, text in more.items()]
    return await context.clients.thread(
        _send, context, topic, data, key.encode() if key is not None else None, fields, timeout
    )


def _ours(topic: str) -> bool:
    return topic in _declared() or topic.startswith(("__", "faultline", "_schemas"))


@lru_cache(maxsize=1)
def _declared() -> frozenset[str]:
    from ..kafka.declarations import load

    return frozenset(load())


# In a thread; it ends when the record is delivered or given up, which librdkafka limits.
def _send(
    context: Context,
    topic: str,
    value: bytes | None,
    key: bytes | None,
    headers: list[tuple[str, bytes]],
    limit: float,
) -> dict[str, Any]:
    from confluent_kafka import KafkaException

    # One a time limit: librdkafka's limit is the producer's, not the record's.
    producer = context.clients.get(("kafka", limit), lambda: _producer(context.kafka, limit))
    done = threading.Event()
    outcome: list[Any] = []

    def delivered(error: Any, message: Any) -> None:
        outcome.extend((error, message))
        done.set()

    try:
        producer.produce(topic, value, key, headers=headers, on_delivery=delivered)
    except (KafkaException, BufferError) as error:
        raise ActionFailed(f"kafka.produce: {topic}: {error}") from None
    # Whoever polls serves the others' reports as well, so each waits for its own.
    while not done.is_set():
        producer.poll(0.05)
    failed, message = outcome
    if failed is not None:
        # Purged or timed out in flight: the broker may have it all the same.
        doubt = "; outcome unknown" if failed.code() in _doubtful() else ""
        raise ActionFailed(f"kafka.produce: {topic}: {failed.str()}{doubt}")
    return {"topic": topic, "partition": message.partition(), "offset": message.offset()}


def _producer(bootstrap: str, limit: float) -> Any:
    from confluent_kafka import Producer

    from ..kafka import client

    return Producer(
        client.producer(bootstrap, "faultline-action")
        | {
            "delivery.timeout.ms": max(1_000, round(limit * 1_000)),
            # A topic that is not there is an error soon, not when the limit is reached.
            "topic.metadata.propagation.max.ms": 5_000,
        }
    )


def _doubtful() -> tuple[int, ...]:
    from confluent_kafka import KafkaError

    return (KafkaError._MSG_TIMED_OUT, KafkaError._PURGE_INFLIGHT, KafkaError.REQUEST_TIMED_OUT)


ACTIONS = (produce,)
