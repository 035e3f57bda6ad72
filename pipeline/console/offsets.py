"""Where topics begin and end."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from ..errors import BrokerUnavailable

PATIENCE = 10.0
Extents = dict[str, dict[int, tuple[int, int]]]


def extents(admin: AdminClient, topics: Iterable[str]) -> Extents:
    """Each partition's first offset and its next one, of those topics that exist.

    Raises ``BrokerUnavailable``.
    """
    try:
        known = admin.list_topics(timeout=PATIENCE).topics
        wanted = [
            TopicPartition(topic, number)
            for topic in topics
            if topic in known
            for number in known[topic].partitions
        ]
        if not wanted:
            return {}
        first = _ask(admin, wanted, OffsetSpec.earliest())
        last = _ask(admin, wanted, OffsetSpec.latest())
    except (KafkaException, TimeoutError) as error:
        raise BrokerUnavailable(f"cannot ask Kafka for offsets: {error}") from error
    found: Extents = {}
    for topic, number in last:
        found.setdefault(topic, {})[number] = (first.get((topic, number), 0), last[topic, number])
    return found


def _ask(admin: AdminClient, wanted: list[TopicPartition], spec: OffsetSpec) -> dict[tuple[str, int], int]:
    asked = admin.list_offsets(
        dict.fromkeys(wanted, spec),
        isolation_level=IsolationLevel.READ_UNCOMMITTED,
        request_timeout=PATIENCE,
    )
    found = {}
    for place, future in asked.items():
        try:
            found[place.topic, place.partition] = future.result(PATIENCE + 1).offset
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
    return found
