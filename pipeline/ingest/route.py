"""One inbound record to the records that stand for it in the log."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import msgspec

from .. import checks
from ..codec import Codec
from ..errors import InvalidRecord, RegistryUnavailable
from ..events import Input, Origin
from ..ids import identify
from ..times import rfc3339

GRAPH_INPUT = "graph.input"
COMMANDS = "workflow.commands"

#: How far ahead of the broker's clock a record's own time may be (milliseconds).
TOLERANCE = 300_000

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Routed:
    """A record for the log. Without a key it goes into each of the topic's partitions."""

    topic: str
    key: str | None
    value: bytes


@dataclass(slots=True)
class Router:
    """Decodes, checks and clamps; counts what it met."""

    codec: Codec
    counts: Counter[str] = field(default_factory=Counter)

    def route(
        self, topic: str, partition: int, offset: int, timestamp: int, topic_id: str,
        key: bytes | None, value: bytes | None,
    ) -> Routed:  # fmt: skip
        """The record of the log for one inbound record; ``timestamp``: milliseconds, by the broker.

        Raises ``InvalidRecord`` when it is malformed, ``RegistryUnavailable`` when its
        schema cannot be fetched now.
        """
        at, limit = _stamp(timestamp)
        origin = Origin(topic, topic_id, partition, offset)
        try:
            if value is None and topic == checks.DEFINITIONS:
                record = checks.removal(key, identify(topic_id, partition, offset), at, origin)
            else:
                record = self.codec.read(topic, value, at, origin)
            if record.time > limit:
                self.counts["clamped"] += 1
                record = msgspec.structs.replace(record, time=at)
            if record.definition is None:
                return Routed(GRAPH_INPUT, record.domain, _encode(record))
            if record.definition.kind in ("WORKFLOW", "ENVIRONMENT"):
                return Routed(COMMANDS, None, _encode(_command(record)))
            if record.definition.kind == "TRIGGER":
                # One partition alone watches the clock for it.
                return Routed(COMMANDS, f"trigger/{record.definition.name}", _encode(_command(record)))
            return Routed(GRAPH_INPUT, None, _encode(record))
        except (InvalidRecord, RegistryUnavailable, MemoryError):
            raise
        except Exception as error:
            # No record may stop a partition, not even one that uncovers a mistake of ours.
            raise InvalidRecord("unreadable", f"cannot be read: {error!r}"[:300]) from error


def _command(record: Input) -> dict[str, Any]:
    return {
        "id": record.id,
        "time": record.time,
        "at": record.at,
        "command": "DEFINITION",
        "op": record.op,
        "definition": record.definition,
        "origin": record.origin,
    }


@lru_cache(4096)
def _stamp(timestamp: int) -> tuple[str, str]:
    """The append time as text, and the latest time that a record appended then may have."""
    return rfc3339(timestamp * 1000), rfc3339((timestamp + TOLERANCE) * 1000)
