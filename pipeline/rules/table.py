"""A partition's state as table keys and values: JSON arrays that begin with the format's version.

Kinds of keys: ``e`` entity, ``r`` relationship, ``a`` alarm (each also as the memory of
one removed), ``d`` what was announced of a deduced alarm, ``f`` definition, ``o``
origin, ``c`` clock, ``n`` counts, ``t`` a match that must hold for a while, ``w`` a window,
``h`` an alarm that changed lately. What rules derive is not kept: it follows from these.
"""

from __future__ import annotations

from sys import intern
from typing import Any

import msgspec

from ..errors import CheckpointFailed
from ..events import ALARM, Definition
from ..graph.said import NEVER, Claims, Records, Tomb
from ..graph.store import Graph, ensure, link
from ..graph.undo import Undo
from ..graph.vertex import ACTIVE, ON, AlarmPart, Edge, Vertex, linked
from ..graph.watches import Watch
from .effects import Facts, alarm_fact
from .waiting import Waiting

VERSION = 1
Said = tuple[str | None, int, Records, dict[str, tuple[int, Records]] | None]


class EntityRow(msgspec.Struct, array_like=True):
    v: int
    domain: str
    type: str
    id: str
    live: bool
    name: str | None
    category: str
    state: str | None
    attributes: dict[str, Any] | None
    said: Said
    deleted: int
    since: int


class RelationshipRow(msgspec.Struct, array_like=True):
    v: int
    domain: str
    source: tuple[str, str]
    label: str
    target: tuple[str, str]
    present: bool
    attributes: dict[str, Any] | None
    said: Said
    deleted: int
    since: int


class AlarmRow(msgspec.Struct, array_like=True):
    v: int
    domain: str
    source: str
    key: str
    active: bool
    name: str | None
    severity: str
    resource: tuple[str, str]
    external_id: str | None
    attributes: dict[str, Any] | None
    said: Said
    since: int


class DeducedRow(msgspec.Struct, array_like=True):
    v: int
    domain: str
    name: str
    target: tuple[str, str]
    episode: int
    announced: dict[str, Any] | None


class DefinitionRow(msgspec.Struct, array_like=True):
    v: int
    definition: Definition
    failed: str


class OriginRow(msgspec.Struct, array_like=True):
    v: int
    topic: str
    topic_id: str
    partition: int
    offset: int


class ClockRow(msgspec.Struct, array_like=True):
    v: int
    now: str
    read: dict[str, str]


class CountsRow(msgspec.Struct, array_like=True):
    v: int
    counts: dict[str, int]


class HoldRow(msgspec.Struct, array_like=True):
    v: int
    since: int
    stood: bool


class WindowRow(msgspec.Struct, array_like=True):
    v: int
    domain: str
    group: str
    refs: tuple[tuple[bool, str, str], ...]
    times: tuple[int, ...]
    open: bool


class WatchRow(msgspec.Struct, array_like=True):
    v: int
    watch: Watch


encode = msgspec.json.encode
_decoders: dict[str, Any] = {
    kind: msgspec.json.Decoder(type_)
    for kind, type_ in {
        "e": EntityRow,
        "r": RelationshipRow,
        "a": AlarmRow,
        "d": DeducedRow,
        "f": DefinitionRow,
        "o": OriginRow,
        "c": ClockRow,
        "n": CountsRow,
        "t": HoldRow,
        "w": WindowRow,
        "h": WatchRow,
    }.items()
}


def decode(kind: str, key: str, value: bytes) -> Any:
    """The row of a kept value. Raises ``CheckpointFailed`` when it cannot be read."""
    try:
        row = _decoders[kind].decode(value)
    except (KeyError, msgspec.MsgspecError) as error:
        try:
            version = msgspec.json.decode(value)[0]
        except (msgspec.MsgspecError, LookupError, TypeError):
            version = None
        if isinstance(version, int) and version > VERSION:
            raise _newer(key, version) from error
        raise CheckpointFailed(
            f"table key {key!r} cannot be read: {error}; restore the topic from a backup"
        ) from error
    if row.v > VERSION:
        raise _newer(key, row.v)
    return row


def entity_row(graph: Graph, key: str, type_: str, id_: str) -> bytes | None:
    vertex, tomb = graph.entity(type_, id_), graph.tombs.get(key)
    live = vertex is not None and vertex.live
    if not live and tomb is None:
        return None
    claims: Claims | None = vertex if live else tomb
    assert claims is not None
    deleted, since = (NEVER, NEVER) if tomb is None else (tomb.deleted, tomb.since)
    if vertex is None or not live:
        return encode(
            EntityRow(
                VERSION, graph.domain, type_, id_, False, None, "", None, None, _said(claims), deleted, since
            )
        )
    return encode(
        EntityRow(
            VERSION,
            graph.domain,
            type_,
            id_,
            True,
            vertex.name,
            vertex.category,
            vertex.state,
            vertex.attributes,
            _said(claims),
            deleted,
            since,
        )
    )


def relationship_row(graph: Graph, key: str, parts: list[str]) -> bytes | None:
    source_type, source_id, label, target_type, target_id = parts
    source, target = graph.entity(source_type, source_id), graph.entity(target_type, target_id)
    edge = linked(source, label, target) if source is not None and target is not None else None
    if edge is not None and not edge.base:
        edge = None
    tomb = graph.tombs.get(key)
    claims: Claims | None = edge or tomb
    if claims is None:
        return None
    deleted, since = (NEVER, NEVER) if tomb is None else (tomb.deleted, tomb.since)
    return encode(
        RelationshipRow(
            VERSION,
            graph.domain,
            (source_type, source_id),
            label,
            (target_type, target_id),
            edge is not None,
            edge.attributes if edge is not None else None,
            _said(claims),
            deleted,
            since,
        )
    )


def alarm_row(graph: Graph, key: str, source: str, shown: str) -> bytes | None:
    alarm = graph.alarm(source, shown)
    tomb = graph.tombs.get(key)
    if alarm is not None and alarm.alarm is not None:
        part = alarm.alarm
        return encode(
            AlarmRow(
                VERSION,
                graph.domain,
                alarm.type,
                shown,
                True,
                alarm.name,
                part.severity,
                (part.resource.type, part.resource.id),
                part.external_id,
                alarm.attributes,
                _said(alarm),
                NEVER,
            )
        )
    if tomb is None:
        return None
    return encode(
        AlarmRow(
            VERSION, graph.domain, "", shown, False, None, "", ("", ""), None, None, _said(tomb), tomb.since
        )
    )


def deduced_row(graph: Graph, facts: Facts, shown: str) -> bytes | None:
    fact = facts.alarms.get(shown)
    if fact is None or not fact.episode:
        return None
    target = (fact.target.type, fact.target.id)
    return encode(DeducedRow(VERSION, graph.domain, fact.name, target, fact.episode, fact.announced))


def hold_row(waiting: Waiting, key: str) -> bytes | None:
    hold = waiting.holds.get(key)
    return None if hold is None else encode(HoldRow(VERSION, hold.since, hold.stood))


def window_row(waiting: Waiting, key: str) -> bytes | None:
    window = waiting.windows.get(key)
    if window is None:
        return None
    return encode(
        WindowRow(VERSION, window.domain, window.group.name, window.refs, window.times, window.open)
    )


def load_entity(graph: Graph, key: str, row: EntityRow) -> None:
    if row.live:
        vertex = ensure(_NOWHERE, graph, row.type, row.id)
        graph.placeholders.pop(vertex, None)
        vertex.live = True
        vertex.name = vertex.id if row.name == vertex.id else row.name
        vertex.category = intern(row.category)
        vertex.state = None if row.state is None else intern(row.state)
        vertex.attributes = _interned(graph, row.attributes)
        _take(vertex, row.said)
    if row.deleted != NEVER or not row.live:
        tomb = Tomb(row.since, row.deleted)
        if not row.live:
            _take(tomb, row.said)
        graph.tombs[key] = tomb


def load_relationship(graph: Graph, key: str, row: RelationshipRow) -> None:
    if row.present:
        source = ensure(_NOWHERE, graph, *row.source)
        target = ensure(_NOWHERE, graph, *row.target)
        edge = Edge(base=True)
        edge.attributes = _interned(graph, row.attributes)
        _take(edge, row.said)
        link(_NOWHERE, source, intern(row.label), target, edge)
    if row.deleted != NEVER:
        tomb = Tomb(row.since, row.deleted)
        if not row.present:
            _take(tomb, row.said)
        graph.tombs[key] = tomb


def load_alarm(graph: Graph, key: str, row: AlarmRow) -> None:
    if not row.active:
        tomb = Tomb(row.since)
        _take(tomb, row.said)
        graph.tombs[key] = tomb
        return
    source = intern(row.source)
    alarm = Vertex(graph, source, row.external_id or row.key)
    resource = ensure(_NOWHERE, graph, *row.resource)
    alarm.alarm = AlarmPart(row.key, resource, intern(row.severity), row.external_id)
    alarm.name = None if row.name is None else intern(row.name)
    alarm.category, alarm.state, alarm.live = ALARM, ACTIVE, True
    alarm.attributes = _interned(graph, row.attributes)
    _take(alarm, row.said)
    graph.alarms.setdefault(source, {})[row.key] = alarm
    link(_NOWHERE, alarm, ON, resource, Edge(base=True))


def load_deduced(graph: Graph, facts: Facts, row: DeducedRow) -> None:
    """Called after all entities: the alarm finds its target, or waits for it apart."""
    target = graph.entity(*row.target) or Vertex(graph, *row.target)
    fact = alarm_fact(None, facts, row.name, target)
    fact.episode, fact.announced = row.episode, row.announced


class _Nowhere(Undo):
    """Changes that are never taken back: nothing is noted."""

    __slots__ = ()

    def set(self, thing: Any, field: str, value: Any) -> None:
        setattr(thing, field, value)

    def put(self, mapping: dict[Any, Any], key: Any, value: Any) -> None:
        mapping[key] = value

    def call(self, action: Any, *arguments: Any) -> None:
        pass


_NOWHERE = _Nowhere()


def _said(claims: Claims) -> Said:
    return claims.said_by, claims.time, claims.record, claims.more


def _take(claims: Claims, said: Said) -> None:
    said_by, claims.time, claims.record, claims.more = said
    claims.said_by = None if said_by is None else intern(said_by)


def _interned(graph: Graph, attributes: dict[str, Any] | None) -> dict[str, Any] | None:
    if attributes is None:
        return None
    return {intern(name): graph.shared(value) for name, value in attributes.items()}


def _newer(key: str, version: int) -> CheckpointFailed:
    return CheckpointFailed(
        f"table key {key!r} was written in format {version} by a newer Faultline; "
        f"this one reads up to {VERSION}. Run the newer version"
    )
