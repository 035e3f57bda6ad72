"""What ingest asks Kafka about its topics: how many partitions, how large a record, where they end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import IsolationLevel, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, OffsetSpec, ResourceType

from ..errors import BrokerUnavailable
from .progress import Place, Positions

TIMEOUT = 30.0


@dataclass(slots=True)
class Cluster:
    """An admin client and the question about ends that is under way."""

    admin: AdminClient
    _asked: dict[Place, Future[Any]] = field(default_factory=dict)

    def topics(self, names: Sequence[str]) -> dict[str, tuple[str, int]]:
        """Each topic's id and number of partitions. Raises ``BrokerUnavailable``."""
        answers = self.admin.describe_topics(TopicCollection(list(names)), request_timeout=TIMEOUT)
        try:
            described = {name: answer.result() for name, answer in answers.items()}
        except KafkaException as error:
            raise BrokerUnavailable(f"the topics cannot be described: {error}") from error
        return {name: (str(each.topic_id), len(each.partitions)) for name, each in described.items()}

    def largest(self, names: Iterable[str]) -> dict[str, int]:
        """The largest record that each topic takes. Raises ``BrokerUnavailable``."""
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        answers = self.admin.describe_configs(resources, request_timeout=TIMEOUT)
        try:
            return {
                resource.name: int(answer.result()["max.message.bytes"].value)
                for resource, answer in answers.items()
            }
        except KafkaException as error:
            raise BrokerUnavailable(f"the topics' settings cannot be read: {error}") from error

    def ask_ends(self, places: Iterable[Place]) -> None:
        """Asks where these partitions end, unless such a question is under way."""
        wanted = {TopicPartition(*place): OffsetSpec.latest() for place in places}
        if wanted and not self._asked:
            # What an open transaction holds back has not been read, and cannot be.
            answers = self.admin.list_offsets(
                wanted, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=TIMEOUT
            )
            self._asked = {(each.topic, each.partition): answer for each, answer in answers.items()}

    def ends(self) -> Positions | None:
        """The answer once it is there; partitions that could not be asked about are left out."""
        if not self._asked or not all(answer.done() for answer in self._asked.values()):
            return None
        found = {
            place: answer.result().offset
            for place, answer in self._asked.items()
            if answer.exception() is None
        }
        self._asked = {}
        return found
