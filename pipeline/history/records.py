"""The records that history reads, as structs that decode only what the tables keep.

What is kept as JSON text (attributes, input, result, ...) stays undecoded: ``msgspec.Raw``.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from ..events import DEFAULT_DOMAIN, EntityRef

NOWHERE = (-1, -1)


class EntityState(msgspec.Struct):
    """An entity as it stands after a change."""

    type: str
    id: str
    name: str | None = None
    category: str | None = None
    state: str | None = None
    placeholder: bool = False
    attributes: Raw = Raw()


class Edge(msgspec.Struct):
    """A relationship."""

    source: EntityRef
    type: str
    target: EntityRef


class AlarmState(msgspec.Struct):
    """An alarm as it stands after a change, or as it was reported when nothing changed."""

    name: str
    resource: EntityRef
    status: str
    key: str = ""
    source: str = ""
    severity: str | None = None
    operational_severity: str | None = None
    external_id: str | None = None
    attributes: Raw = Raw()
    episode: int = 0


class RuleRef(msgspec.Struct):
    """Which rule: a template's name, its revision and the number of the rule within it."""

    name: str = ""
    revision: str = ""
    scenario: int = -1


class Change(msgspec.Struct):
    """One entry of a journal record; ``kind`` tells which of the fields are there."""

    kind: str
    op: str = ""
    key: str = ""
    entity: EntityState | None = None
    relationship: Edge | None = None
    alarm: AlarmState | None = None
    deduced: bool = False
    state: str | None = None
    aggregated_state: str | None = None
    operational_state: str | None = None
    source: str = ""
    target: str = ""
    rule: str | RuleRef | None = None
    match: Raw = Raw()
    down: bool = False
    workflow: str = ""
    input: Raw = Raw()
    execution: str = ""
    name: str = ""
    revision: str | None = None
    reason: str | None = None
    mode: str = ""
    by: Raw = Raw()
    deduces: str = ""
    severity: str = ""
    operational_severity: str = ""
    resource: EntityRef | None = None


class JournalRecord(msgspec.Struct):
    """What one record of ``graph.input`` changed, in order."""

    id: str
    time: str
    changes: list[Change]
    domain: str = DEFAULT_DOMAIN
    source: str = ""
    record: str = ""
    position: tuple[int, int] = NOWHERE
    origin: tuple[str, str, int, int] | None = None
    late: bool = False


class Cause(msgspec.Struct):
    """The inbound record that something follows from."""

    record: str = ""


class DeducedRecord(msgspec.Struct):
    """A deduced alarm, raised, changed or cleared."""

    id: str
    time: str
    alarm: AlarmState
    source: str = ""
    domain: str = DEFAULT_DOMAIN
    rule: RuleRef | None = None
    match: Raw = Raw()
    cause: Cause | None = None
    position: tuple[int, int] = NOWHERE


class Parent(msgspec.Struct, frozen=True):
    """The execution whose task started another one."""

    execution: str = ""


class StepRecord(msgspec.Struct, rename={"from_state": "from"}):
    """One change of state of an execution, a task or an action."""

    id: str
    time: str
    execution: str
    kind: str
    state: str
    root: str = ""
    name: str | None = None
    domain: str = DEFAULT_DOMAIN
    state_info: Raw = Raw()
    from_state: str | None = None
    task: str | None = None
    action: str | None = None
    workflow: str | None = None
    input: Raw = Raw()
    output: Raw = Raw()
    result: Raw = Raw()
    published: Raw = Raw()
    by: Raw = Raw()
    attempt: int | None = None
    index: int | None = None
    late: bool = False
    parent: Parent = Parent()
    started_at: str | None = None
    ended_at: str | None = None


class DefinitionText(msgspec.Struct):
    """A definition as it was put live; without a text when it was taken away."""

    kind: str
    name: str
    text: str = ""
    path: str = ""
    parameters: dict[str, str] = {}
    mode: str = ""


class DefinitionRecord(msgspec.Struct):
    """A record of ``definitions.changes``."""

    definition: DefinitionText
    id: str = ""
    time: str = ""
    source: str = ""
    op: str = "UPSERT"
    by: Raw = Raw()
