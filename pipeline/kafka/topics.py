"""Topics on the broker: made from their declarations, and checked against them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec

from ..errors import BrokerUnavailable, TopicMismatch
from . import client
from .declarations import TIME, Topic, load

log = logging.getLogger(__name__)

TIMEOUT = 30.0
SETTLE = 10.0


def ensure(
    bootstrap: str, topics: Mapping[str, Topic] | None = None, partitions: int = 8, replication: int = -1
) -> dict[str, str]:
    """Makes the topics that are missing and checks those that are there; returns each one's id.

    ``partitions`` for topics that do not declare their own; ``replication`` -1 leaves it to the broker.
    Raises ``TopicMismatch`` naming each topic that differs, what it has and what to do;
    ``BrokerUnavailable`` when Kafka does not answer or refuses.
    """
    wanted = load() if topics is None else topics
    admin = AdminClient(client.common(bootstrap, "faultline-topics"))
    present = _partition_counts(admin, bootstrap)
    missing = [topic for name, topic in wanted.items() if name not in present]
    if missing:
        _create(admin, missing, partitions, replication)
    found = topic_ids(admin, wanted)
    counts = _partition_counts(admin, bootstrap)
    # Also those that were there: another worker may have made them just now.
    _await_leaders(admin, {name: counts.get(name, 0) for name in wanted})
    problems = _differences(admin, wanted.values(), counts, partitions)
    if problems:
        raise TopicMismatch("\n".join(problems))
    return found


def topic_ids(admin: AdminClient, names: Iterable[str]) -> dict[str, str]:
    """Kafka's id of each topic: a topic that is deleted and made again has another.

    Raises ``BrokerUnavailable`` when one is not there.
    """
    wanted = list(names)
    end = time.monotonic() + SETTLE
    while True:
        futures = admin.describe_topics(TopicCollection(wanted), request_timeout=TIMEOUT)
        try:
            return {name: str(future.result().topic_id) for name, future in futures.items()}
        except KafkaException as error:
            # The broker's metadata follows a creation by some milliseconds.
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART or time.monotonic() > end:
                raise BrokerUnavailable(f"topics cannot be looked up: {error.args[0].str()}") from error
            time.sleep(0.05)


def _partition_counts(admin: AdminClient, bootstrap: str) -> dict[str, int]:
    try:
        metadata = admin.list_topics(timeout=TIMEOUT)
    except KafkaException as error:
        raise BrokerUnavailable(
            f"Kafka at {bootstrap} does not answer: {error.args[0].str()}; "
            "is it running, is the address right?"
        ) from error
    return {name: len(topic.partitions) for name, topic in metadata.topics.items()}


def _create(admin: AdminClient, topics: list[Topic], partitions: int, replication: int) -> None:
    new = [
        NewTopic(topic.name, topic.count(partitions), replication, config=topic.config()) for topic in topics
    ]
    for name, future in admin.create_topics(new, request_timeout=TIMEOUT).items():
        try:
            future.result()
        except KafkaException as error:
            # Another worker that starts at the same time may have been first.
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise BrokerUnavailable(f"topic {name} cannot be made: {error.args[0].str()}") from error

    log.info("made %d topics: %s", len(topics), ", ".join(topic.name for topic in topics))


def _await_leaders(admin: AdminClient, counts: Mapping[str, int]) -> None:
    """Returns when every partition answers: a new one is refused to whoever asks too early."""
    pending = [TopicPartition(name, number) for name, count in counts.items() for number in range(count)]
    end = time.monotonic() + SETTLE
    while pending:
        futures = admin.list_offsets(dict.fromkeys(pending, OffsetSpec.latest()), request_timeout=TIMEOUT)
        pending = [partition for partition, future in futures.items() if future.exception() is not None]
        if pending and time.monotonic() > end:
            raise BrokerUnavailable(f"topic {pending[0].topic} does not answer: it has no leader")
        time.sleep(0.02 if pending else 0)


def _differences(
    admin: AdminClient, topics: Iterable[Topic], counts: Mapping[str, int], partitions: int
) -> list[str]:
    resources = {
        topic.name: (topic, ConfigResource(ConfigResource.Type.TOPIC, topic.name)) for topic in topics
    }
    if not resources:
        return []
    futures = admin.describe_configs(
        [resource for _, resource in resources.values()], request_timeout=TIMEOUT
    )
    answers: dict[str, Any] = {resource.name: future for resource, future in futures.items()}
    problems = []
    for name, (topic, _) in resources.items():
        try:
            config = answers[name].result()
        except KafkaException as error:
            raise BrokerUnavailable(f"topic {name} cannot be described: {error.args[0].str()}") from error
        if name in counts and counts[name] != topic.count(partitions):
            problems.append(
                f"topic {name} has {counts[name]} partitions, expected {topic.count(partitions)}: "
                f"set partitions to {counts[name]} as everything in it was placed by that number, "
                "or delete the topic and start over"
            )
        for setting, expected in (
            ("message.timestamp.type", TIME[topic.time]),
            ("cleanup.policy", topic.cleanup),
        ):
            has = config[setting].value
            if sorted(has.split(",")) != sorted(expected.split(",")):
                problems.append(
                    f"topic {name} has {setting}={has}, expected {expected}: change it with "
                    f"kafka-configs --alter --entity-type topics --entity-name {name} "
                    f"--add-config {_quoted(setting, expected)}"
                    + ("" if setting == "cleanup.policy" else "; records that it holds keep their old times")
                )
    return problems


def _quoted(setting: str, value: str) -> str:
    return f"{setting}=[{value}]" if "," in value else f"{setting}={value}"
