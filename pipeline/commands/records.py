"""What the commands that publish and read records share: where Kafka is, keys, headers, sending."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..codec import Codec
from ..errors import BrokerUnavailable, InvalidCall
from ..local import instance
from ..settings import Settings

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Record:
    """One record to be sent."""

    topic: str
    key: str | bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def bootstrap(settings: Settings) -> str:
    """The Kafka that was named, else that of the running pipeline. Raises ``NotRunning``, ``InvalidCall``."""
    found = settings.kafka or instance.find(settings).kafka
    if not found:
        raise InvalidCall("this pipeline's Kafka is not known here; say --kafka BOOTSTRAP")
    return found


def codec(settings: Settings) -> Codec:
    """A codec that asks the registry of ``settings``, if there is one."""
    if settings.registry is None:
        return Codec()
    from ..kafka.registry import HttpRegistry

    return Codec(HttpRegistry(settings.registry))


def partitions(kafka: str, topic: str) -> list[int]:
    """The partitions of ``topic``. Raises ``InvalidCall`` when it does not exist, ``BrokerUnavailable``."""
    from difflib import get_close_matches

    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    from ..kafka import client

    try:
        topics = AdminClient(client.common(kafka, "faultline")).list_topics(timeout=TIMEOUT).topics
    except KafkaException as error:
        raise BrokerUnavailable(f"Kafka at {kafka} does not answer: {error.args[0].str()}") from error
    if topic not in topics:
        close = get_close_matches(topic, list(topics), n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise InvalidCall(f"there is no topic {topic}{hint}")
    return sorted(topics[topic].partitions)


def key_of(topic: str, record: Any) -> str | None:
    """The key that ``record``, plain values, has in ``topic``; None where it needs none."""
    if not isinstance(record, dict):
        return None
    if topic == "definitions.changes":
        definition = record.get("definition") or {}
        return f"{definition.get('kind')}/{definition.get('name')}"
    if topic.startswith("workflow."):
        return record.get("root") or record.get("execution") or record.get("id")
    return record.get("domain") or "default"


def headers_of(topic: str, record: dict[str, Any]) -> list[tuple[str, bytes]]:
    """The CloudEvents attributes of a JSON record."""
    found = [
        ("ce_specversion", "1.0"),
        ("ce_id", str(record.get("id", ""))),
        ("ce_source", "faultline/emit"),
        ("ce_type", f"faultline.{topic}"),
        ("ce_time", str(record.get("time", ""))),
        ("content-type", "application/json"),
    ]
    return [(name, text.encode()) for name, text in found]


def send(kafka: str, records: Iterable[Record]) -> int:
    """Sends ``records`` and waits until Kafka has them all; returns how many.

    Raises ``BrokerUnavailable`` saying how many it does not have.
    """
    from confluent_kafka import KafkaException, Producer

    from ..kafka import client

    problems: list[str] = []
    sent = 0

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            problems.append(error.str())

    producer = Producer({**client.producer(kafka, "faultline"), "delivery.timeout.ms": int(TIMEOUT * 1000)})
    for record in records:
        while True:
            try:
                producer.produce(
                    record.topic, record.value, record.key, headers=record.headers, on_delivery=delivered
                )
                break
            except BufferError:
                producer.poll(0.1)
            except KafkaException as error:
                problems.append(error.args[0].str())
                break
        sent += 1
    left = producer.flush(TIMEOUT)
    if problems or left:
        lost = len(problems) + left
        why = problems[0] if problems else "no answer"
        raise BrokerUnavailable(f"{lost} of {sent} records did not arrive: {why}; send those again")
    return sent
