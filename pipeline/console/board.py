"""What each role last said of itself on ``roles.status``, and how far it has come."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from confluent_kafka import OFFSET_BEGINNING, TopicPartition

from ..kafka.reader import consumer

STATUS = "roles.status"
#: A role that has said nothing for so long is shown as silent.
SILENT = 5.0
Positions = dict[str, dict[int, int]]


@dataclass(slots=True)
class Board:
    """The latest word of each ``ROLE/INSTANCE``. ``follow`` fills it, in a thread of its own."""

    said: dict[str, tuple[float, dict[str, Any]]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, key: str, value: bytes | None, when: float) -> None:
        """One record of ``roles.status``; null says that the role has ended in order."""
        with self.lock:
            if value is None:
                self.said.pop(key, None)
                return
            try:
                said = msgspec.json.decode(value, type=dict[str, Any])
            except msgspec.DecodeError:
                return
            self.said[key] = (when, said)

    def roles(self) -> list[dict[str, Any]]:
        """Each role's latest word, with its ``age`` in seconds and whether it is ``alive``."""
        now = time.time()
        with self.lock:
            said = sorted(self.said.items())
        return [
            {**word, "age": round(max(0.0, now - when), 1), "alive": now - when < SILENT}
            for _, (when, word) in said
        ]

    def positions(self, role: str) -> Positions:
        """How far all instances of ``role`` have come: the first offset not done, by topic and partition.

        Positions are checkpointed, so that of an instance that has died is as true as any.
        """
        with self.lock:
            words = [word for _, word in self.said.values() if word.get("role") == role]
        return _reached(word.get("positions", {}) for word in words)

    def watching(self) -> Positions:
        """How far the topics that triggers watch are done with; nothing while no worker tells of them."""
        return _reached(word.get("watching", {}) for word in self.roles() if word["alive"])

    def alive(self, role: str) -> bool:
        """Whether an instance of ``role`` has spoken lately."""
        return any(word["alive"] for word in self.roles() if word.get("role") == role)


def _reached(told: Iterable[Mapping[str, Mapping[str, int]]]) -> Positions:
    """The farthest of what several tell."""
    found: Positions = {}
    for positions in told:
        for topic, partitions in positions.items():
            reached = found.setdefault(topic, {})
            for number, offset in partitions.items():
                reached[int(number)] = max(offset, reached.get(int(number), 0))
    return found


def follow(board: Board, bootstrap: str, stop: threading.Event) -> None:
    """Reads ``roles.status`` from its beginning until ``stop``."""
    with consumer(bootstrap, "history-board") as reader:
        reader.assign([TopicPartition(STATUS, 0, OFFSET_BEGINNING)])
        while not stop.is_set():
            for message in reader.consume(100, 0.1):
                if message.error() is None and message.key() is not None:
                    key = message.key().decode("utf-8", "replace")
                    board.take(key, message.value(), message.timestamp()[1] / 1000)
