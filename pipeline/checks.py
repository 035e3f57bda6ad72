"""Inbound records checked and given one form: ``pipeline.events.Input``.

There are two ways to the same result. A record that carries nothing unexpected is
decoded straight into typed structs; any other (unknown fields, nulls, mistakes, what
came as Avro) is walked by hand, which is slower and can say what was expected where.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from .errors import InvalidRecord
from .events import (
    DEFAULT_DOMAIN,
    Alarm,
    AlarmStatus,
    Definition,
    Entity,
    EntityRef,
    Input,
    Op,
    Origin,
    Relationship,
)
from .graph.vertex import DEDUCED
from .times import normalize

TOPOLOGY = "topology.changes"
ALARMS = "alarms.raw"
DEFINITIONS = "definitions.changes"
INBOUND = (TOPOLOGY, ALARMS, DEFINITIONS)

#: Names become keys, headers and parts of other keys, so they cannot be of any length.
LONGEST_NAME = 2048
#: Stands between the parts of keys. JSON can only spell it as an escape, which is what is looked for first.
SEPARATOR, ESCAPED = "\x1f", b"\\u001"
#: Deeper values pass one decoder's recursion limit and fail in another's.
DEEPEST = 32

Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
Record = Mapping[str, Any]


class _Ref(Struct, forbid_unknown_fields=True):
    type: Name
    id: Name


class _Entity(Struct, forbid_unknown_fields=True):
    type: Name
    id: Name
    name: str | UnsetType | None = UNSET
    category: Name | UnsetType = UNSET
    state: str | UnsetType | None = UNSET
    attributes: dict[str, Any] = {}


class _Relationship(Struct, forbid_unknown_fields=True):
    source: _Ref
    type: Name
    target: _Ref
    attributes: dict[str, Any] = {}


class _Alarm(Struct, forbid_unknown_fields=True):
    name: Name
    status: AlarmStatus
    resource: _Ref
    severity: str = ""
    external_id: Name | None = None
    attributes: dict[str, Any] = {}


class _TopologyRecord(Struct, forbid_unknown_fields=True):
    id: Name
    time: str
    source: Name
    op: Op
    domain: Name = DEFAULT_DOMAIN
    entity: _Entity | None = None
    relationship: _Relationship | None = None


class _AlarmRecord(Struct, forbid_unknown_fields=True):
    id: Name
    time: str
    source: Name
    alarm: _Alarm
    domain: Name = DEFAULT_DOMAIN


_topology = msgspec.json.Decoder(_TopologyRecord).decode
_alarm = msgspec.json.Decoder(_AlarmRecord).decode


def read_json(topic: str, value: bytes, at: str, origin: Origin | None = None) -> Input:
    """``value``, a JSON record of the inbound ``topic``, as an ``Input`` appended ``at``.

    Raises ``InvalidRecord`` naming the field and what was expected there.
    """
    try:
        quick = _QUICK.get(topic)
        if quick is not None and ESCAPED not in value:
            return quick(value, at, origin)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        # The long way finds out what is special about it, or wrong with it.
        pass
    return check(topic, parse(value), at, origin)


def parse(value: bytes) -> Any:
    """``value`` as plain Python values. Raises ``InvalidRecord`` when it is not JSON."""
    try:
        return msgspec.json.decode(value)
    except UnicodeDecodeError as error:
        raise InvalidRecord("not-json", f"expected JSON, got bytes that are not UTF-8: {error}") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidRecord("not-json", f"expected JSON: {error}") from error
    except RecursionError as error:
        raise InvalidRecord("too-deep", "expected JSON that nests less deeply") from error


def check(topic: str, record: Any, at: str, origin: Origin | None = None) -> Input:
    """``record``, plain values of the inbound ``topic``, as an ``Input`` appended ``at``.

    Raises ``InvalidRecord`` naming the field and what was expected there.
    """
    walk = _WALK.get(topic)
    if walk is None:
        raise InvalidRecord("bad-topic", f"{topic} is not an inbound topic; those are {', '.join(INBOUND)}")
    if record is None:
        raise InvalidRecord("null", "expected a record, got null")
    return walk(_object(record, "the record"), at, origin)


def removal(key: bytes | None, identity: str, at: str, origin: Origin) -> Input:
    """What a null value on ``definitions.changes`` says: the definition ``KIND/NAME`` is gone.

    Raises ``InvalidRecord`` when ``key`` is no such key.
    """
    kind, _, name = (key or b"").decode("utf-8", "replace").partition("/")
    if kind not in _KINDS or not name:
        raise InvalidRecord("null", "expected a key such as RULE/NAME beside the null value")
    definition = Definition(kind=_kind(kind), name=name)
    return Input(id=identity, time=at, at=at, origin=origin, op="DELETE", definition=definition)


def _quick_topology(value: bytes, at: str, origin: Origin | None) -> Input:
    record = _topology(value)
    entity, relationship = record.entity, record.relationship
    if (entity is None) is (relationship is None):
        raise ValueError
    made: Entity | None = None
    edge: Relationship | None = None
    if entity is not None:
        _flat(entity.attributes)
        made = Entity(entity.type, entity.id, entity.name, entity.category, entity.state, entity.attributes)
    elif relationship is not None:
        source, target = relationship.source, relationship.target
        _flat(relationship.attributes)
        edge = Relationship(
            EntityRef(source.type, source.id),
            relationship.type,
            EntityRef(target.type, target.id),
            relationship.attributes,
        )
    time = normalize(record.time)
    return Input(record.id, time, at, record.source, record.domain, origin, record.op, made, edge)


def _quick_alarm(value: bytes, at: str, origin: Origin | None) -> Input:
    record = _alarm(value)
    if record.source == DEDUCED:
        raise ValueError
    alarm = record.alarm
    resource = alarm.resource
    _flat(alarm.attributes)
    made = Alarm(
        alarm.name,
        EntityRef(resource.type, resource.id),
        alarm.status,
        alarm.severity,
        alarm.external_id,
        alarm.attributes,
    )
    time = normalize(record.time)
    return Input(record.id, time, at, record.source, record.domain, origin, alarm=made)


def _flat(attributes: dict[str, Any]) -> None:
    for value in attributes.values():
        if isinstance(value, dict | list) and not _shallow(value, DEEPEST):
            raise ValueError


def _walk_topology(record: Record, at: str, origin: Origin | None) -> Input:
    rest = dict(record)
    head = _head(rest, at, origin)
    op = _choice(rest, "op", ("UPSERT", "DELETE"), "bad-op")
    entity, relationship = rest.pop("entity", None), rest.pop("relationship", None)
    if (entity is None) is (relationship is None):
        found = "neither" if entity is None else "both"
        raise InvalidRecord(f"{found}-of", f"expected exactly one of entity and relationship, got {found}")
    if entity is not None:
        return Input(**head, op=op, entity=_entity(_object(entity, "entity"), rest))
    return Input(**head, op=op, relationship=_relationship(_object(relationship, "relationship"), rest))


def _walk_alarm(record: Record, at: str, origin: Origin | None) -> Input:
    rest = dict(record)
    head = _head(rest, at, origin)
    if head["source"] == DEDUCED:
        message = f"source: {DEDUCED} is that of alarms which rules deduce; name what reports this one"
        raise InvalidRecord("reserved-source", message)
    value = dict(_object(_present(rest, "alarm", "alarm"), "alarm"))
    name = _name(value, "name", "alarm.name")
    resource = _ref(_present(value, "resource", "alarm.resource"), "alarm.resource")
    status = _choice(value, "status", ("ACTIVE", "CLEARED"), "bad-status", "alarm.status")
    severity = _text(value, "severity", "alarm.severity") or ""
    external_id = _optional_name(value, "external_id", "alarm.external_id")
    attributes = _attributes(value, rest, "alarm")
    return Input(**head, alarm=Alarm(name, resource, status, severity, external_id, attributes))


def _walk_definition(record: Record, at: str, origin: Origin | None) -> Input:
    rest = dict(record)
    head = _head(rest, at, origin, source="")
    op = _choice(rest, "op", ("UPSERT", "DELETE"), "bad-op")
    value = dict(_object(_present(rest, "definition", "definition"), "definition"))
    kind = _choice(value, "kind", _KINDS, "bad-kind", "definition.kind")
    name = _name(value, "name", "definition.name")
    text = _text(value, "text", "definition.text")
    if op == "UPSERT" and not text:
        raise InvalidRecord("missing-field", "definition.text: expected the file's text, got nothing")
    path = _text(value, "path", "definition.path") or ""
    given = value.pop("parameters", None) or {}
    parameters = _object(given, "definition.parameters")
    for key, word in parameters.items():
        if not isinstance(word, str):
            raise wrong(f"definition.parameters.{key}", "text", word)
    mode: Any = _choice(value, "mode", MODES, "bad-mode", "definition.mode") if value.get("mode") else ""
    definition = Definition(_kind(kind), name, text or "", path, dict(parameters), mode)
    told = rest.get("by")
    by = {str(key): str(word) for key, word in told.items()} if isinstance(told, Mapping) else None
    return Input(**head, op=op, definition=definition, by=by or None)


def _head(rest: dict[str, Any], at: str, origin: Origin | None, **defaults: str) -> dict[str, Any]:
    """Takes what every record has out of ``rest``."""
    identity = _name(rest, "id", "id")
    time = _present(rest, "time", "time")
    if not isinstance(time, str):
        raise wrong("time", "an RFC 3339 time such as 2026-01-05T10:00:00.000000Z", time)
    try:
        time = normalize(time)
    except (ValueError, OverflowError) as error:
        raise InvalidRecord("bad-time", f"time: {error}"[:300]) from error
    source = _name(rest, "source", "source", defaults.get("source"))
    domain = _name(rest, "domain", "domain", DEFAULT_DOMAIN)
    return {"id": identity, "time": time, "at": at, "source": source, "domain": domain, "origin": origin}


def _entity(entity: Record, above: Record) -> Entity:
    value = dict(entity)
    kind, identity = _name(value, "type", "entity.type"), _name(value, "id", "entity.id")
    name = _text(value, "name", "entity.name") if "name" in value else UNSET
    category = _optional_name(value, "category", "entity.category") or UNSET
    state = _text(value, "state", "entity.state") if "state" in value else UNSET
    return Entity(kind, identity, name, category, state, _attributes(value, above, "entity"))


def _relationship(relationship: Record, above: Record) -> Relationship:
    value = dict(relationship)
    source = _ref(_present(value, "source", "relationship.source"), "relationship.source")
    kind = _name(value, "type", "relationship.type")
    target = _ref(_present(value, "target", "relationship.target"), "relationship.target")
    return Relationship(source, kind, target, _attributes(value, above, "relationship"))


def _ref(value: Any, field: str) -> EntityRef:
    ref = dict(_object(value, field))
    return EntityRef(_name(ref, "type", f"{field}.type"), _name(ref, "id", f"{field}.id"))


def _attributes(rest: dict[str, Any], above: Record, field: str) -> dict[str, Any]:
    """The attributes, with the fields that are nobody else's kept among them."""
    given = rest.pop("attributes", None)
    own = {} if given is None else _object(given, f"{field}.attributes")
    merged = {**above, **rest, **own}
    for key, value in merged.items():
        if isinstance(value, dict | list) and not _shallow(value, DEEPEST):
            message = f"{field}.attributes.{key[:100]}: expected at most {DEEPEST} levels"
            raise InvalidRecord("too-deep", message)
    return merged


def _shallow(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return True
    return levels > 0 and all(_shallow(item, levels - 1) for item in value)


def _object(value: Any, field: str) -> Record:
    if not isinstance(value, dict):
        raise wrong(field, "an object", value)
    return value


def _present(rest: dict[str, Any], key: str, field: str) -> Any:
    value = rest.pop(key, None)
    if value is None:
        raise InvalidRecord("missing-field", f"{field}: expected a value, got nothing")
    return value


def _name(rest: dict[str, Any], key: str, field: str, default: str | None = None) -> str:
    name = _optional_name(rest, key, field)
    if name is None:
        name = default
    if name is None:
        raise InvalidRecord("missing-field", f"{field}: expected text, got nothing")
    return name


def _optional_name(rest: dict[str, Any], key: str, field: str) -> str | None:
    text = _text(rest, key, field)
    if text is not None and not 0 < len(text) <= LONGEST_NAME:
        got = f"{len(text)} characters"
        raise InvalidRecord("bad-length", f"{field}: expected 1 to {LONGEST_NAME} characters, got {got}")
    if text is not None and SEPARATOR in text:
        raise InvalidRecord("bad-name", f"{field}: expected text without the control character U+001F")
    return text


def _text(rest: dict[str, Any], key: str, field: str) -> str | None:
    value = rest.pop(key, None)
    if value is not None and not isinstance(value, str):
        raise wrong(field, "text", value)
    return value


def _choice(rest: dict[str, Any], key: str, words: tuple[str, ...], reason: str, field: str = "") -> Any:
    field = field or key
    value = _present(rest, key, field)
    if not isinstance(value, str):
        raise wrong(field, " or ".join(words), value)
    if value not in words:
        raise InvalidRecord(reason, f"{field}: expected {' or '.join(words)}, got {value[:100]!r}")
    return value


def _kind(word: str) -> Kind:
    return _KINDS[_KINDS.index(word)]


def wrong(field: str, expected: str, value: Any) -> InvalidRecord:
    """The error that says what stood at ``field`` where ``expected`` should."""
    return InvalidRecord("bad-type", f"{field}: expected {expected}, got {_described(value)}")


def _described(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"[:60]
    if isinstance(value, str):
        return f"the text {value[:60]!r}"
    if value is None:
        return "null"
    return "an object" if isinstance(value, dict) else "a list" if isinstance(value, list) else "bytes"


Kind = Literal["RULE", "WORKFLOW", "VALUES", "TRIGGER", "ENVIRONMENT"]
MODES = ("shadow", "active")
_KINDS: tuple[Kind, ...] = ("RULE", "WORKFLOW", "VALUES", "TRIGGER", "ENVIRONMENT")
_Reader = Callable[[bytes, str, Origin | None], Input]
_Walker = Callable[[Record, str, Origin | None], Input]
_QUICK: dict[str, _Reader] = {TOPOLOGY: _quick_topology, ALARMS: _quick_alarm}
_WALK: dict[str, _Walker] = {
    TOPOLOGY: _walk_topology,
    ALARMS: _walk_alarm,
    DEFINITIONS: _walk_definition,
}
