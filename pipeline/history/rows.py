"""From a Kafka record to rows: which tables it belongs in, and what stands in their columns."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Raw

from ..events import alarm_key
from ..ids import revision
from ..times import micros, normalize
from .records import (
    AlarmState,
    Change,
    DeducedRecord,
    DefinitionRecord,
    JournalRecord,
    RuleRef,
    StepRecord,
)

Row = tuple[Any, ...]
Rows = dict[str, list[Row]]

PLACE = ("domain", "event_time", "ingest_time", "topic", "topic_id", "partition", "offset", "n", "epoch")
#: Of each record that follows from one of ``graph.input``: which, and where that one came from.
_LOG = (
    *PLACE, "id", "record", "log_partition", "log_offset", "origin_topic", "origin_topic_id",
    "origin_partition", "origin_offset",
)  # fmt: skip

#: The columns of each table, in the order in which rows hold them.
COLUMNS: dict[str, tuple[str, ...]] = {
    "changes": (
        *_LOG, "source", "outcome", "kind", "op", "key", "type", "entity_id", "name", "category", "state",
        "placeholder", "attributes", "source_type", "source_id", "target_type", "target_id", "reason", "late",
    ),
    "alarms": (
        *_LOG, "key", "source", "name", "severity", "operational_severity", "status", "resource_type",
        "resource_id", "deduced", "episode", "rule", "rule_revision", "scenario", "match", "external_id",
        "attributes", "outcome", "reason", "late",
    ),
    "causes": (*_LOG, "op", "source", "target", "rule", "match"),
    "states": (*_LOG, "key", "state", "aggregated_state", "operational_state", "rule", "match"),
    "starts": (*_LOG, "workflow", "input", "execution", "rule", "match"),
    "shadows": (
        *_LOG, "rule", "rule_revision", "scenario", "deduces", "op", "key", "name", "severity",
        "operational_severity", "resource_type", "resource_id", "state", "source", "target", "workflow",
        "input", "match",
    ),
    "rules": (*_LOG, "kind", "op", "name", "revision", "reason", "mode", "by"),
    "definitions": (
        *PLACE, "id", "source", "kind", "op", "name", "revision", "path", "parameters", "mode", "by", "text",
    ),
    "steps": (
        *PLACE, "id", "root", "execution", "kind", "name", "state", "state_info", "from", "task", "action",
        "workflow", "input", "output", "result", "published", "by", "attempt", "index", "late",
        "started_at", "ended_at",
    ),
    "executions": (
        *PLACE, "id", "step", "root", "workflow", "parent", "task", "state", "state_info", "input", "output",
        "started_by", "started_at", "ended_at",
    ),
    "tasks": (
        *PLACE, "id", "step", "root", "execution", "workflow", "name", "state", "state_info", "result",
        "published", "attempt", "started_at", "ended_at",
    ),
    "actions": (
        *PLACE, "id", "step", "root", "execution", "task", "name", "state", "state_info", "input", "result",
        "attempt", "index", "late", "started_at", "ended_at",
    ),
    "dead_letters": (
        *PLACE, "id", "reason", "error", "origin_topic", "origin_partition", "origin_offset", "key", "value",
        "headers",
    ),
}  # fmt: skip

INGEST_TIME, TOPIC, TOPIC_ID, PARTITION, OFFSET = map(
    PLACE.index, ("ingest_time", "topic", "topic_id", "partition", "offset")
)


@dataclass(slots=True)
class Place:
    """Where a record stands; ``ingest_time`` is the broker's timestamp, in microseconds."""

    topic: str
    topic_id: str
    partition: int
    offset: int
    epoch: int
    ingest_time: int


DEFINITIONS = "definitions.changes"
_NO_ORIGIN = ("", "", -1, -1)
Headers = list[tuple[str, bytes]]
Mapper = Callable[[Place, bytes | None, bytes | None, Headers, Rows], None]
_decode_journal = msgspec.json.Decoder(JournalRecord).decode
_decode_deduced = msgspec.json.Decoder(DeducedRecord).decode
_decode_step = msgspec.json.Decoder(StepRecord).decode
_decode_definition = msgspec.json.Decoder(DefinitionRecord).decode
_decode_text = msgspec.json.Decoder(str).decode


def empty() -> Rows:
    """No rows of any table."""
    return {table: [] for table in COLUMNS}


def journal(place: Place, _key: bytes | None, value: bytes | None, _headers: Headers, rows: Rows) -> None:
    """Adds the rows of a record of ``graph.journal``. Raises ``msgspec.DecodeError`` or ``ValueError``."""
    record = _decode_journal(value or b"")
    head = (record.domain, micros(record.time), place.ingest_time, place.topic, place.topic_id,
            place.partition, place.offset)  # fmt: skip
    tail = (place.epoch, record.id, record.record, *record.position, *(record.origin or _NO_ORIGIN))
    made: list[tuple[str, Row]] = []
    for n, change in enumerate(record.changes):
        found = _change(change, record)
        if found is not None:
            made.append((found[0], (*head, n, *tail, *found[1])))
    # Only now, so that a record that cannot be read leaves no row behind.
    for table, row in made:
        rows[table].append(row)


def deduced(place: Place, _key: bytes | None, value: bytes | None, _headers: Headers, rows: Rows) -> None:
    """Adds the row of a record of ``alarms.deduced``. Raises ``msgspec.DecodeError`` or ``ValueError``."""
    record = _decode_deduced(value or b"")
    alarm = record.alarm
    position = record.position if record.position[0] >= 0 else (place.partition, place.offset)
    cause = record.cause.record if record.cause else ""
    outcome = "CLEARED" if alarm.status == "CLEARED" else "ACTIVE"
    rows["alarms"].append((
        record.domain, micros(record.time), place.ingest_time, place.topic, place.topic_id,
        place.partition, place.offset, 0, place.epoch, record.id, cause, *position, *_NO_ORIGIN,
        *_alarm(alarm, alarm.key, record.source, True, alarm.status, record.rule, record.match, outcome, "",
                False),
    ))  # fmt: skip


def step(place: Place, _key: bytes | None, value: bytes | None, _headers: Headers, rows: Rows) -> None:
    """Adds the rows of a record of ``workflow.steps``. Raises ``msgspec.DecodeError`` or ``ValueError``."""
    record = _decode_step(value or b"")
    head = (record.domain, micros(record.time), place.ingest_time, place.topic, place.topic_id,
            place.partition, place.offset, 0, place.epoch)  # fmt: skip
    root = record.root or record.execution
    name, workflow = record.name or "", record.workflow or ""
    task, action = record.task or "", record.action or ""
    info = _text(record.state_info)
    given, output, result = _json(record.input), _json(record.output), _json(record.result)
    published, by = _json(record.published), _text(record.by)
    started = micros(record.started_at) if record.started_at else None
    ended = micros(record.ended_at) if record.ended_at else None
    attempt = record.attempt or 0
    index = -1 if record.index is None else record.index
    rows["steps"].append((
        *head, record.id, root, record.execution, record.kind, name, record.state, info,
        record.from_state or "", task, action, workflow, given, output, result, published, by, attempt,
        index, record.late, started, ended,
    ))  # fmt: skip
    if record.kind == "EXECUTION":
        rows["executions"].append((
            *head, record.execution, record.id, root, workflow or name, record.parent.execution, task,
            record.state, info, given, output, by, started, ended,
        ))  # fmt: skip
    elif record.kind == "TASK":
        rows["tasks"].append((
            *head, task, record.id, root, record.execution, workflow, name, record.state, info, result,
            published, attempt, started, ended,
        ))  # fmt: skip
    elif record.kind == "ACTION":
        rows["actions"].append((
            *head, action, record.id, root, record.execution, task, name, record.state, info, given, result,
            attempt, index, record.late, started, ended,
        ))  # fmt: skip


def definition(place: Place, _key: bytes | None, value: bytes | None, _headers: Headers, rows: Rows) -> None:
    """Adds the row of a record of ``definitions.changes``: the text that a revision stands for.

    Raises ``msgspec.DecodeError``.
    """
    record = _decode_definition(value or b"")
    given = record.definition
    # A playbook's namespace is no parameter of its text.
    own = revision(given.text, given.parameters if given.kind == "RULE" else None) if given.text else ""
    when = place.ingest_time
    with suppress(ValueError, OverflowError):
        when = micros(normalize(record.time))
    rows["definitions"].append((
        "", when, place.ingest_time, place.topic, place.topic_id, place.partition, place.offset, 0,
        place.epoch, record.id, record.source, given.kind, record.op, given.name,
        own, given.path, msgspec.json.encode(given.parameters).decode(),
        given.mode, _json(record.by), given.text,
    ))  # fmt: skip


def dead_letter(place: Place, key: bytes | None, value: bytes | None, headers: Headers, rows: Rows) -> None:
    """Adds the row of a dead letter. Takes whatever there is and raises nothing."""
    texts = {name: _printable(content) for name, content in headers}
    when = place.ingest_time
    with suppress(KeyError, ValueError):
        when = micros(texts["time"])
    rows["dead_letters"].append((
        "", when, place.ingest_time, place.topic, place.topic_id, place.partition, place.offset, 0,
        place.epoch, texts.get("ce_id", ""), texts.get("reason", ""), texts.get("error", ""),
        texts.get("topic", ""), _number(texts.get("partition")), _number(texts.get("offset")),
        _printable(key), value or b"", msgspec.json.encode(texts).decode(),
    ))  # fmt: skip


#: How each topic that history reads becomes rows.
MAPPERS: dict[str, Mapper] = {
    "graph.journal": journal,
    "alarms.deduced": deduced,
    "workflow.steps": step,
    "dead.letters": dead_letter,
    DEFINITIONS: definition,
}


def _change(change: Change, record: JournalRecord) -> tuple[str, Row] | None:
    """The table and the columns beyond the record's own; None for what another topic tells."""
    kind, alarm = change.kind, change.alarm
    source, reason, late = record.source, change.reason or "", record.late
    if kind == "ALARM":
        if change.deduced or alarm is None:
            return None  # alarms.deduced has it, with the match that explains it
        status = "CLEARED" if change.op in ("CLEARED", "REMOVED") else alarm.status
        return "alarms", _alarm(
            alarm, change.key, source, False, status, None, change.match, change.op, reason, late
        )
    if kind in ("REPEATED", "IGNORED"):
        if alarm is not None:
            return "alarms", _alarm(
                alarm, change.key, source, False, alarm.status, None, change.match, kind, reason, late
            )
        if record.origin is not None and record.origin[0] == DEFINITIONS:
            return "rules", ("", kind, change.key, "", reason, "", "")
        return "changes", (source, kind, "", change.op, change.key, *_NOTHING, reason, late)
    if kind == "ENTITY" and change.entity is not None:
        entity = change.entity
        return "changes", (
            source, "APPLIED", kind, change.op, change.key or f"{entity.type}/{entity.id}", entity.type,
            entity.id, entity.name or "", entity.category or "", entity.state or "", entity.placeholder,
            _json(entity.attributes), "", "", "", "", reason, late,
        )  # fmt: skip
    if kind == "RELATIONSHIP" and change.relationship is not None:
        edge = change.relationship
        start, end = edge.source, edge.target
        return "changes", (
            source, "APPLIED", kind, change.op, change.key or f"{start.key} {edge.type} {end.key}", edge.type,
            "", "", "", "", False, "", start.type, start.id, end.type, end.id, reason, late,
        )  # fmt: skip
    if kind in ("RULE", "VALUES"):
        told = (change.mode, _json(change.by))
        return "rules", (kind, change.op, change.name, change.revision or "", reason, *told)
    if kind == "SHADOW":
        return "shadows", _shadow(change)
    rule, match = _rule(change.rule).name, _text(change.match)
    if kind == "STATE":
        return "states", (
            change.key, change.state or "", change.aggregated_state or "", change.operational_state or "",
            rule, match,
        )  # fmt: skip
    if kind == "CAUSE":
        return "causes", (change.op, change.source, change.target, rule, match)
    if kind == "WORKFLOW":
        return "starts", (change.workflow, _json(change.input), change.execution, rule, match)
    if kind == "DOWN":
        return "changes", (
            source, "APPLIED", kind, "ADDED" if change.down else "REMOVED", change.key, *_NOTHING, rule, late
        )  # fmt: skip
    return None


def _alarm(
    alarm: AlarmState, key: str, source: str, is_deduced: bool, status: str, rule: str | RuleRef | None,
    match: Raw, outcome: str, reason: str, late: bool,
) -> Row:  # fmt: skip
    origin = alarm.source or source
    resource = alarm.resource
    by = _rule(rule)
    if not key:
        key = alarm_key(origin, alarm.name, resource, alarm.external_id)
    return (
        key, origin, alarm.name, alarm.severity or "", alarm.operational_severity or "", status,
        resource.type, resource.id, is_deduced, alarm.episode, by.name, by.revision, by.scenario,
        _text(match), alarm.external_id or "", _json(alarm.attributes), outcome, reason, late,
    )  # fmt: skip


def _shadow(change: Change) -> Row:
    rule, resource = _rule(change.rule), change.resource
    place = ("", "") if resource is None else (resource.type, resource.id)
    return (
        rule.name, rule.revision, rule.scenario, change.deduces, change.op, change.key, change.name,
        change.severity, change.operational_severity, *place, change.state or "", change.source,
        change.target, change.workflow, _json(change.input), _text(change.match),
    )  # fmt: skip


_NO_RULE = RuleRef()
#: The columns of changes that only entities and relationships have.
_NOTHING = ("", "", "", "", "", False, "", "", "", "", "")


def _rule(rule: str | RuleRef | None) -> RuleRef:
    if rule is None:
        return _NO_RULE
    return RuleRef(rule) if isinstance(rule, str) else rule


def _json(raw: Raw) -> str:
    return str(raw, "utf-8")


def _text(raw: Raw) -> str:
    """A JSON string as its text, null as nothing, anything else as JSON."""
    text = str(raw, "utf-8")
    if text.startswith('"'):
        return _decode_text(text)
    return "" if text == "null" else text


def _printable(data: bytes | str | None) -> str:
    if isinstance(data, str):
        return data
    return (data or b"").decode("utf-8", "backslashreplace")


def _number(text: str | None) -> int:
    try:
        number = int(text or "")
    except ValueError:
        return -1
    return number if -(2**31) <= number < 2**63 else -1
