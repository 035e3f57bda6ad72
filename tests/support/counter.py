"""A shard whose state betrays every lost, repeated or reordered record."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import msgspec

from pipeline.errors import CheckpointFailed, InvalidRecord
from pipeline.events import Output
from pipeline.ids import identify
from pipeline.times import rfc3339


class CounterShard:
    """Per key a count and a checksum that depends on the order; one or two outputs a record."""

    def __init__(self, partition: int, topic: str = "out") -> None:
        self.partition = partition
        self.topic = topic
        self.dirty: set[str] = set()
        self.table: dict[str, tuple[int, str]] = {}
        self.restores = 0

    def step(self, value: bytes, position: int, timestamp: int) -> list[Output]:
        try:
            record = msgspec.json.decode(value)
        except msgspec.MsgspecError as error:
            raise InvalidRecord("not-json", str(error)) from error
        key = record["key"]
        if record.get("op") == "delete":
            if self.table.pop(key, None) is not None:
                self.dirty.add(key)
            return []
        count, checksum = self.table.get(key, (0, ""))
        checksum = blake2b(f"{checksum}{position}".encode() + value, digest_size=8).hexdigest()
        self.table[key] = (count + 1, checksum)
        self.dirty.add(key)
        body = {"key": key, "count": count + 1, "checksum": checksum, "pad": "x" * record.get("size", 0)}
        time = rfc3339(timestamp)
        return [
            Output(self.topic, f"{key}/{n}", identify("count", self.partition, position, n), time, body)
            for n in range(record.get("outputs", 1))
        ]

    def encode(self, key: str) -> bytes | None:
        entry = self.table.get(key)
        if entry is None:
            return None
        return msgspec.json.encode({"v": 1, "count": entry[0], "checksum": entry[1]})

    def load(self, key: str, value: bytes) -> None:
        entry = msgspec.json.decode(value)
        if entry["v"] > 1:
            raise CheckpointFailed("written by a newer version")
        self.table[key] = (entry["count"], entry["checksum"])

    def restored(self) -> None:
        self.restores += 1

    def due(self) -> int | None:
        return None

    def timers(self, now: int) -> list[Output]:
        return []

    def counters(self) -> dict[str, Any]:
        return {"keys": len(self.table)}
