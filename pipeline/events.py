"""The records that travel between the parts, as frozen structs.

Times are normalized texts (``pipeline.times``): they compare as text. A field that a
record does not carry is ``UNSET`` where absence differs from null, else its default.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

DEFAULT_DOMAIN = "default"
RESOURCE = "RESOURCE"
ALARM = "ALARM"

Op = Literal["UPSERT", "DELETE"]
AlarmStatus = Literal["ACTIVE", "CLEARED"]


class EntityRef(msgspec.Struct, frozen=True, order=True):
    """Names an entity within its domain."""

    type: str
    id: str

    @property
    def key(self) -> str:
        """``TYPE/ID``, the ENTITY of every command."""
        return f"{self.type}/{self.id}"


class Entity(msgspec.Struct, frozen=True, omit_defaults=True):
    """An entity as a record describes it; a field left out stays as it was."""

    type: str
    id: str
    name: str | UnsetType | None = UNSET
    category: str | UnsetType = UNSET
    state: str | UnsetType | None = UNSET
    attributes: dict[str, Any] = {}

    @property
    def ref(self) -> EntityRef:
        return EntityRef(self.type, self.id)


class Relationship(msgspec.Struct, frozen=True, omit_defaults=True):
    """A directed, labelled edge; ``type`` is its label."""

    source: EntityRef
    type: str
    target: EntityRef
    attributes: dict[str, Any] = {}


class Alarm(msgspec.Struct, frozen=True, omit_defaults=True):
    """An alarm as its source reports it; ``severity`` is the source's own word."""

    name: str
    resource: EntityRef
    status: AlarmStatus
    severity: str = ""
    external_id: str | None = None
    attributes: dict[str, Any] = {}


#: The source of definitions that directories hold, which follows them; an operator's stay as they are.
FILES = "files"


class Definition(msgspec.Struct, frozen=True, omit_defaults=True):
    """A rule, workflow or values file as it is put live; ``text`` is the file's own.

    ``mode`` says whether a rule deduces in earnest or in shadow; "" leaves that to its text.
    """

    kind: Literal["RULE", "WORKFLOW", "VALUES", "TRIGGER", "ENVIRONMENT"]
    name: str
    text: str = ""
    path: str = ""
    parameters: dict[str, str] = {}
    mode: Literal["", "shadow", "active"] = ""


class Origin(msgspec.Struct, frozen=True, array_like=True):
    """Where an inbound record stood: Kafka's topic id guards against a recreated topic."""

    topic: str
    topic_id: str
    partition: int
    offset: int


class Mark(msgspec.Struct, frozen=True):
    """A clock mark: up to which append time ingest has read ``topic:topic_id:partition``s."""

    read: dict[str, str]


class Input(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record of ``graph.input``: exactly one of the last five fields is set.

    ``time`` is when it happened, by its source, clamped; ``at`` is the broker's append
    time of the inbound record. ``op`` goes with entity, relationship and definition, ``by``
    with a definition: who put it live, and from where.
    """

    id: str
    time: str
    at: str
    source: str = ""
    domain: str = DEFAULT_DOMAIN
    origin: Origin | None = None
    op: Op = "UPSERT"
    entity: Entity | None = None
    relationship: Relationship | None = None
    alarm: Alarm | None = None
    definition: Definition | None = None
    mark: Mark | None = None
    by: dict[str, str] | None = None


class Position(msgspec.Struct, frozen=True, array_like=True, order=True):
    """A place in a log."""

    partition: int
    offset: int


class Output(msgspec.Struct, frozen=True):
    """A record to be produced: ``id`` is deterministic and becomes ``ce_id``."""

    topic: str
    key: str
    id: str
    time: str
    value: Any


def alarm_key(source: str, name: str, resource: EntityRef, external_id: str | None = None) -> str:
    """``SOURCE/NAME@TYPE/ID``, or ``SOURCE#EXTERNAL_ID``: the ALARM of every command."""
    if external_id:
        return f"{source}#{external_id}"
    return f"{source}/{name}@{resource.type}/{resource.id}"
