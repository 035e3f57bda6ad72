"""What triggers make of records without a broker: the same starts as behind Kafka, from counted positions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from .events import Definition
from .workflow.triggers import TRIGGER, Trigger, starts, triggers_of


class Reactions:
    """The documents of triggers among ``definitions``, and how many records of each topic there were."""

    def __init__(self, definitions: Iterable[Definition]) -> None:
        self.documents = [one for one in definitions if one.kind == TRIGGER]
        self._watching: dict[str, list[tuple[str, Trigger]]] = {}
        for document in self.documents:
            for trigger in triggers_of(document.text):
                if trigger.topic:
                    self._watching.setdefault(trigger.topic, []).append((document.name, trigger))
        self._seen: Counter[str] = Counter()

    def watches(self, topic: str) -> bool:
        """Whether a trigger reads the topic."""
        return topic in self._watching

    def to(self, topic: str, record: Any, time: int) -> list[dict[str, Any]]:
        """The STARTs for one record of a topic, at ``time`` in microseconds."""
        fitting = self._watching.get(topic)
        if not fitting:
            return []
        offset = self._seen[topic]
        self._seen[topic] += 1
        place = {"topic": topic, "topic_id": "", "partition": 0, "offset": offset}
        return starts(fitting, record, place, time)
