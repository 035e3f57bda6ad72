"""Bytes to records and back: JSON, Avro in Confluent framing, Avro single-object."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from . import checks
from .errors import InvalidRecord
from .events import Input, Origin
from .resources import shipped

if TYPE_CHECKING:
    from .avro import Schema

#: The first byte of Confluent's frame; the schema's id and the body follow.
CONFLUENT = b"\x00"
#: The first two bytes of a single object; the schema's fingerprint and the body follow.
SINGLE_OBJECT = b"\xc3\x01"

#: What is written in Avro when there is a registry. Logs that are replayed stay JSON,
#: so that reading one never depends on another service.
WRITTEN_AS_AVRO = frozenset({"alarms.deduced", "workflow.steps"})


class Registry(Protocol):
    """Where Confluent-framed records have their schemas from."""

    def schema(self, identity: int) -> str:
        """The schema's JSON text. Raises ``InvalidRecord`` when there is none of that id,
        ``RegistryUnavailable`` when it cannot be asked."""

    def register(self, subject: str, schema: str) -> int:
        """The id of ``schema`` under ``subject``, new or known.

        Raises ``RegistryUnavailable``, or ``SchemaRefused`` when it is incompatible."""


class Codec:
    """Reads all forms; writes JSON, or Avro for some topics when there is a registry."""

    def __init__(self, registry: Registry | None = None, directory: Path | None = None) -> None:
        self._registry = registry
        self._directory = directory
        self._read_by_id: dict[int, Schema] = {}
        self._written_ids: dict[str, bytes] = {}

    def read(self, topic: str, value: bytes | None, at: str, origin: Origin | None = None) -> Input:
        """``value`` of the inbound ``topic``, decoded and checked.

        Raises ``InvalidRecord`` when it is malformed, ``RegistryUnavailable`` when its
        schema cannot be fetched now.
        """
        if value is None:
            raise InvalidRecord("null", "expected a record, got null")
        if value[:1] == CONFLUENT or value[:2] == SINGLE_OBJECT:
            return checks.check(topic, self.decode(value), at, origin)
        return checks.read_json(topic, value, at, origin)

    def decode(self, value: bytes) -> Any:
        """``value`` as plain values. Raises as ``read`` does."""
        if value[:1] == CONFLUENT:
            return self._confluent(value)
        if value[:2] == SINGLE_OBJECT:
            return self._single_object(value)
        return checks.parse(value)

    def as_json(self, value: bytes) -> bytes:
        """``value`` as JSON; what is no Avro is returned as it is. Raises as ``read`` does."""
        if value[:1] == CONFLUENT or value[:2] == SINGLE_OBJECT:
            return msgspec.json.encode(self.decode(value))
        return value

    def encode(self, topic: str, value: Any) -> bytes:
        """``value`` as ``topic`` carries it.

        Raises ``InvalidRecord`` when it does not fit the topic's schema, and as
        ``Registry.register`` does at the first record of a topic.
        """
        if self._registry is None or topic not in WRITTEN_AS_AVRO:
            return msgspec.json.encode(value)
        schema = self._current[topic]
        frame = self._written_ids.get(topic)
        if frame is None:
            identity = self._registry.register(f"{topic}-value", schema.text)
            frame = self._written_ids[topic] = CONFLUENT + identity.to_bytes(4, "big")
        return frame + schema.write(msgspec.to_builtins(value))

    def single_object(self, topic: str, value: Any) -> bytes:
        """``value`` as a single object of the topic's own schema. Raises ``InvalidRecord``."""
        schema = self._current[topic]
        return SINGLE_OBJECT + schema.fingerprint + schema.write(msgspec.to_builtins(value))

    def check(self, topic: str, value: Any) -> None:
        """Raises ``InvalidRecord`` naming the field where ``value`` is not a record of ``topic``."""
        if topic in checks.INBOUND:
            checks.check(topic, value, "")
        else:
            self._current[topic].check(value)

    @property
    def topics(self) -> list[str]:
        """The topics that have a schema."""
        return sorted(self._current)

    @cached_property
    def _current(self) -> dict[str, Schema]:
        from .avro import current

        return current(self._directory or shipped("schemas"))

    @cached_property
    def _versions(self) -> dict[bytes, Schema]:
        from .avro import versions

        return dict(versions(self._directory or shipped("schemas")))

    def _confluent(self, value: bytes) -> Any:
        if len(value) < 5:
            raise InvalidRecord("bad-avro", f"expected a schema id of 4 bytes, got {len(value) - 1}")
        identity = int.from_bytes(value[1:5], "big")
        schema = self._read_by_id.get(identity)
        if schema is None:
            if self._registry is None:
                raise InvalidRecord(
                    "unknown-schema", f"schema {identity}: no schema registry is configured to ask for it"
                )
            from .avro import schema as parse

            schema = self._read_by_id[identity] = parse(self._registry.schema(identity))
        return schema.read(value[5:])

    def _single_object(self, value: bytes) -> Any:
        schema = self._versions.get(value[2:10])
        if schema is None:
            name = value[2:10].hex()
            raise InvalidRecord("unknown-schema", f"fingerprint {name}: no schema of ours, past or present")
        return schema.read(value[10:])
