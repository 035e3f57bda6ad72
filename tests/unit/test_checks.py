from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pipeline import checks
from pipeline.errors import InvalidRecord
from pipeline.events import Alarm, Definition, Entity, EntityRef, Input, Origin, Relationship

AT = "2026-01-05T10:00:01.000000Z"
TIME = "2026-01-05T10:00:00.000000Z"
HEAD: dict[str, Any] = {"id": "r-1", "time": TIME, "source": "nova"}
ENTITY: dict[str, Any] = {**HEAD, "op": "UPSERT", "entity": {"type": "nova.host", "id": "host-1"}}
EDGE: dict[str, Any] = {
    **HEAD,
    "op": "DELETE",
    "relationship": {
        "source": {"type": "nova.host", "id": "h"},
        "type": "contains",
        "target": {"type": "nova.instance", "id": "v"},
    },
}
ALARM: dict[str, Any] = {
    **HEAD,
    "alarm": {"name": "CPU", "status": "ACTIVE", "resource": {"type": "nova.host", "id": "h"}},
}
RULE: dict[str, Any] = {
    **HEAD,
    "op": "UPSERT",
    "definition": {"kind": "RULE", "name": "r", "text": "scenarios: []"},
}


def read(topic: str, record: Any) -> Input:
    """Both ways to the same: straight from bytes, and by hand."""
    quick = checks.read_json(topic, msgspec.json.encode(record), AT)
    assert checks.check(topic, record, AT) == quick
    return quick


def refused(topic: str, record: Any) -> InvalidRecord:
    with pytest.raises(InvalidRecord) as quick:
        checks.read_json(topic, msgspec.json.encode(record), AT)
    with pytest.raises(InvalidRecord) as slow:
        checks.check(topic, record, AT)
    assert (quick.value.reason, str(quick.value)) == (slow.value.reason, str(slow.value))
    return slow.value


def test_an_entity_keeps_apart_what_is_left_out_and_what_is_null() -> None:
    entity = {"type": "nova.host", "id": "host-1", "state": None, "attributes": {"rack": None}}
    assert read(checks.TOPOLOGY, {**ENTITY, "entity": entity}) == Input(
        "r-1", TIME, AT, "nova", entity=Entity("nova.host", "host-1", state=None, attributes={"rack": None})
    )


def test_a_relationship() -> None:
    assert read(checks.TOPOLOGY, EDGE) == Input(
        "r-1",
        TIME,
        AT,
        "nova",
        op="DELETE",
        relationship=Relationship(EntityRef("nova.host", "h"), "contains", EntityRef("nova.instance", "v")),
    )


def test_an_alarm_with_a_domain_and_an_origin() -> None:
    origin = Origin("alarms.raw", "abc", 3, 7)
    value = msgspec.json.encode({**ALARM, "domain": "north"})
    assert checks.read_json(checks.ALARMS, value, AT, origin) == Input(
        "r-1",
        TIME,
        AT,
        "nova",
        "north",
        origin,
        alarm=Alarm("CPU", EntityRef("nova.host", "h"), "ACTIVE"),
    )


def test_a_definition() -> None:
    definition = {**RULE["definition"], "path": "a.yaml", "parameters": {"zone": "z"}}
    assert read(checks.DEFINITIONS, {**RULE, "definition": definition}).definition == Definition(
        "RULE", "r", "scenarios: []", "a.yaml", {"zone": "z"}
    )


def test_a_definition_is_removed_by_a_null_value() -> None:
    origin = Origin(checks.DEFINITIONS, "abc", 0, 1)
    removed = checks.removal(b"WORKFLOW/book.flow", "some-id", AT, origin)
    assert (removed.op, removed.definition) == ("DELETE", Definition("WORKFLOW", "book.flow"))
    for key in (None, b"", b"RULE", b"RULE/", b"THING/x", b"\xff/x"):
        with pytest.raises(InvalidRecord, match="RULE/NAME"):
            checks.removal(key, "some-id", AT, origin)


def test_unknown_fields_are_kept_as_attributes_and_give_way_to_them() -> None:
    alarm = {**ALARM["alarm"], "weight": 3, "shown": "alarm", "attributes": {"shown": "attribute"}}
    found = read(checks.ALARMS, {**ALARM, "trace": "t", "shown": "record", "alarm": alarm}).alarm
    assert found is not None
    assert found.attributes == {"trace": "t", "weight": 3, "shown": "attribute"}
    entity = read(checks.TOPOLOGY, {**ENTITY, "entity": {**ENTITY["entity"], "rack": "r7"}}).entity
    assert entity is not None
    assert entity.attributes == {"rack": "r7"}
    edge = read(checks.TOPOLOGY, {**EDGE, "port": 8}).relationship
    assert edge is not None
    assert edge.attributes == {"port": 8}
    resource = {**ALARM["alarm"]["resource"], "name": "shown nowhere"}
    assert read(checks.ALARMS, {**ALARM, "alarm": {**ALARM["alarm"], "resource": resource}}).alarm is not None


@pytest.mark.parametrize("field", ["domain", "entity.category", "alarm.severity", "alarm.external_id"])
def test_null_is_as_good_as_left_out_where_there_is_a_default(field: str) -> None:
    topic, base = (checks.TOPOLOGY, ENTITY) if "entity" in field else (checks.ALARMS, ALARM)
    assert read(topic, changed(base, field, None)) == read(topic, base)


@pytest.mark.parametrize(
    "time",
    ["2026-01-05T10:00:00Z", "2026-01-05T11:00:00+01:00", "2026-01-05t10:00:00.0Z", "2026-01-05 10:00:00Z"],
)
def test_times_are_brought_to_one_form(time: str) -> None:
    assert read(checks.ALARMS, {**ALARM, "time": time}).time == TIME


MISSING = object()


def changed(record: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    """``record`` with one field, named by its path, another; ``MISSING`` takes it away."""
    name, _, rest = field.partition(".")
    copy = dict(record)
    if rest:
        copy[name] = changed(record[name], rest, value)
    elif value is MISSING:
        copy.pop(name, None)
    else:
        copy[name] = value
    return copy


@pytest.mark.parametrize(
    ("topic", "base", "field", "value", "reason", "message"),
    [
        (checks.ALARMS, ALARM, "id", MISSING, "missing-field", "id: expected text, got nothing"),
        (checks.ALARMS, ALARM, "id", "", "bad-length", "id: expected 1 to 2048 characters, got 0"),
        (checks.ALARMS, ALARM, "id", 5, "bad-type", "id: expected text, got the number 5"),
        (checks.ALARMS, ALARM, "source", MISSING, "missing-field", "source: expected text"),
        (checks.ALARMS, ALARM, "domain", True, "bad-type", "domain: expected text, got true"),
        (checks.ALARMS, ALARM, "domain", "d" * 2049, "bad-length", "domain: expected 1 to 2048"),
        (checks.ALARMS, ALARM, "time", MISSING, "missing-field", "time: expected a value"),
        (checks.ALARMS, ALARM, "time", 17, "bad-type", "time: expected an RFC 3339 time such as"),
        (checks.ALARMS, ALARM, "time", "yesterday", "bad-time", "'yesterday' is not an RFC 3339 time"),
        (checks.ALARMS, ALARM, "time", "2026-01-05T10:00:00", "bad-time", "no time zone"),
        (checks.ALARMS, ALARM, "time", "2026-02-30T10:00:00.000000Z", "bad-time", "time: "),
        (checks.ALARMS, ALARM, "time", "0001-01-01T00:00:00+05:00", "bad-time", "time: "),
        (checks.ALARMS, ALARM, "alarm", MISSING, "missing-field", "alarm: expected a value"),
        (checks.ALARMS, ALARM, "alarm", [], "bad-type", "alarm: expected an object, got a list"),
        (checks.ALARMS, ALARM, "alarm.name", 1.5, "bad-type", "alarm.name: expected text"),
        (checks.ALARMS, ALARM, "alarm.status", MISSING, "missing-field", "alarm.status: expected"),
        (checks.ALARMS, ALARM, "alarm.status", "active", "bad-status", "expected ACTIVE or CLEARED, got"),
        (checks.ALARMS, ALARM, "alarm.severity", {}, "bad-type", "alarm.severity: expected text"),
        (checks.ALARMS, ALARM, "alarm.resource", "h", "bad-type", "alarm.resource: expected an object"),
        (checks.ALARMS, ALARM, "alarm.resource.id", None, "missing-field", "alarm.resource.id: expected"),
        (checks.ALARMS, ALARM, "alarm.attributes", [1], "bad-type", "alarm.attributes: expected an object"),
        (checks.TOPOLOGY, ENTITY, "op", "MERGE", "bad-op", "op: expected UPSERT or DELETE, got 'MERGE'"),
        (checks.TOPOLOGY, ENTITY, "op", MISSING, "missing-field", "op: expected"),
        (checks.TOPOLOGY, ENTITY, "entity", MISSING, "neither-of", "exactly one of entity and relationship"),
        (checks.TOPOLOGY, ENTITY, "relationship", EDGE["relationship"], "both-of", "got both"),
        (checks.TOPOLOGY, ENTITY, "entity.type", 7, "bad-type", "entity.type: expected text"),
        (checks.TOPOLOGY, EDGE, "relationship.source", None, "missing-field", "relationship.source: "),
        (checks.TOPOLOGY, EDGE, "relationship.target.type", "", "bad-length", "relationship.target.type"),
        (checks.DEFINITIONS, RULE, "definition.kind", "PLAY", "bad-kind", "RULE or WORKFLOW or VALUES"),
        (checks.DEFINITIONS, RULE, "definition.text", "", "missing-field", "definition.text: expected"),
        (checks.DEFINITIONS, RULE, "definition.parameters", {"a": 1}, "bad-type", "definition.parameters.a"),
    ],
)
def test_what_is_wrong_is_named(
    topic: str, base: dict[str, Any], field: str, value: Any, reason: str, message: str
) -> None:
    error = refused(topic, changed(base, field, value))
    assert error.reason == reason
    assert message in str(error)


@pytest.mark.parametrize("record", [None, [], "text", 5, True])
def test_a_record_is_an_object(record: Any) -> None:
    assert refused(checks.ALARMS, record).reason in ("null", "bad-type")


@pytest.mark.parametrize(
    "value",
    [b"", b"{", b"nope", b"\xff\xfe{}", b'{"id": NaN}', b'{"a": "\\ud800"}', b'{"a": 1} {}', b"x" * 900_000],
    ids=lambda value: str(value[:12]),
)
def test_what_is_not_json_is_refused(value: bytes) -> None:
    with pytest.raises(InvalidRecord) as error:
        checks.read_json(checks.ALARMS, value, AT)
    assert error.value.reason == "not-json"
    assert len(str(error.value)) < 300


def test_values_nested_without_end_are_refused() -> None:
    nested: Any = 1
    for _ in range(checks.DEEPEST + 2):
        nested = [nested]
    error = refused(checks.ALARMS, changed(ALARM, "alarm.attributes", {"deep": nested}))
    assert error.reason == "too-deep"
    assert "alarm.attributes.deep" in str(error)
    with pytest.raises(InvalidRecord) as abyss:
        checks.read_json(checks.ALARMS, b"[" * 200_000, AT)
    assert abyss.value.reason == "too-deep"


def test_a_large_record_is_as_good_as_a_small_one() -> None:
    text = "y" * 900_000
    alarm = read(checks.ALARMS, changed(ALARM, "alarm.attributes", {"rawtext": text})).alarm
    assert alarm is not None
    assert alarm.attributes == {"rawtext": text}


def test_only_inbound_topics_are_read() -> None:
    assert refused("graph.input", ALARM).reason == "bad-topic"


def test_no_source_reports_what_rules_deduce() -> None:
    error = refused(checks.ALARMS, {**ALARM, "source": "vitrage"})
    assert error.reason == "reserved-source"
    assert "deduce" in str(error)
    read(checks.TOPOLOGY, {**ENTITY, "source": "vitrage"})


@pytest.mark.parametrize(
    ("topic", "record", "field"),
    [
        (checks.TOPOLOGY, {**ENTITY, "domain": "a\x1fb"}, "domain"),
        (checks.TOPOLOGY, {**ENTITY, "entity": {"type": "t", "id": "a\x1fb"}}, "entity.id"),
        (
            checks.TOPOLOGY,
            {**EDGE, "relationship": {**EDGE["relationship"], "type": "\x1f"}},
            "relationship.type",
        ),
        (checks.ALARMS, {**ALARM, "alarm": {**ALARM["alarm"], "name": "a\x1fb"}}, "alarm.name"),
        (checks.ALARMS, {**ALARM, "alarm": {**ALARM["alarm"], "external_id": "\x1f"}}, "alarm.external_id"),
    ],
)
def test_the_character_between_the_parts_of_keys_is_in_no_name(topic: str, record: Any, field: str) -> None:
    error = refused(topic, record)
    assert error.reason == "bad-name"
    assert str(error).startswith(f"{field}: ")


def test_it_may_be_in_what_is_no_name() -> None:
    entity = {"type": "t", "id": "i", "name": "a\x1fb", "attributes": {"text": "x\x1fy\x1e"}}
    found = read(checks.TOPOLOGY, {**ENTITY, "entity": entity}).entity
    assert found is not None
    assert (found.name, found.attributes) == ("a\x1fb", {"text": "x\x1fy\x1e"})
