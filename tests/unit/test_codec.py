from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import msgspec
import pytest
from fastavro import schemaless_writer

from pipeline import avro
from pipeline.codec import Codec
from pipeline.errors import InvalidRecord, RegistryUnavailable

AT = "2026-01-05T10:00:01.000000Z"
ALARM: dict[str, Any] = {
    "id": "a-1",
    "time": "2026-01-05T10:00:00.000000Z",
    "source": "nagios",
    "domain": "default",
    "alarm": {
        "name": "CPU",
        "severity": "WARNING",
        "status": "ACTIVE",
        "resource": {"type": "nova.host", "id": "h"},
        "attributes": {"rawtext": "97%", "n": 5, "f": 1.5, "b": True, "x": None, "l": [1, {"a": []}]},
    },
}
STEP: dict[str, Any] = {
    "id": "s-1",
    "time": "2026-01-05T10:00:00.000000Z",
    "root": "r",
    "execution": "r",
    "kind": "TASK",
    "name": "check",
    "state": "ERROR",
    "state_info": None,
    "result": {"a": [1, 2]},
    "attempt": 2,
    "something": {"new": 1},
}


class Shelf:
    """A registry in memory that counts what it is asked."""

    def __init__(self) -> None:
        self.schemas: dict[int, str] = {}
        self.asked: list[Any] = []
        self.down = False

    def schema(self, identity: int) -> str:
        self.asked.append(identity)
        if self.down:
            raise RegistryUnavailable("down")
        if identity not in self.schemas:
            raise InvalidRecord("unknown-schema", f"schema {identity}")
        return self.schemas[identity]

    def register(self, subject: str, schema: str) -> int:
        self.asked.append(subject)
        if self.down:
            raise RegistryUnavailable("down")
        self.schemas[len(self.schemas) + 1] = schema
        return len(self.schemas)


def framed(identity: int, schema: Any, record: Any) -> bytes:
    body = BytesIO()
    schemaless_writer(body, schema, record)
    return b"\x00" + identity.to_bytes(4, "big") + body.getvalue()


def test_the_three_forms_give_the_same_record() -> None:
    shelf = Shelf()
    codec = Codec(shelf)
    schema = avro.current(avro_directory())["alarms.raw"]
    identity = shelf.register("alarms.raw-value", schema.text)
    forms = [
        msgspec.json.encode(ALARM),
        b"\x00" + identity.to_bytes(4, "big") + schema.write(ALARM),
        codec.single_object("alarms.raw", ALARM),
    ]
    first, *rest = [codec.read("alarms.raw", form, AT) for form in forms]
    assert rest == [first, first]
    assert [codec.decode(form) for form in forms] == [ALARM] * 3
    assert {codec.as_json(form) for form in forms[1:]} == {msgspec.json.encode(ALARM)}


def avro_directory() -> Any:
    from pipeline.resources import shipped

    return shipped("schemas")


def test_a_fingerprint_is_the_one_of_the_specification() -> None:
    # The value that Avro's own test data gives for "null", in the order of a single object.
    assert avro.schema('"null"').fingerprint[::-1].hex() == "63dd24e7cc258f8a"
    assert avro.schema('{"type": "int"}').fingerprint == avro.schema('"int"').fingerprint


def test_a_producers_own_schema_is_read_and_its_own_fields_are_kept() -> None:
    schema = {
        "type": "record",
        "name": "theirs.Alert",
        "fields": [
            {"name": "id", "type": "string"},
            {"name": "time", "type": {"type": "long", "logicalType": "timestamp-micros"}},
            {"name": "source", "type": "string"},
            {"name": "domain", "type": ["null", "string"]},
            {"name": "team", "type": {"type": "enum", "name": "Team", "symbols": ["RED", "BLUE"]}},
            {"name": "extra", "type": {"type": "map", "values": "int"}},
            {
                "name": "alarm",
                "type": {
                    "type": "record",
                    "name": "Alarm",
                    "fields": [
                        {"name": "name", "type": "string"},
                        {"name": "status", "type": "string"},
                        {
                            "name": "resource",
                            "type": {
                                "type": "record",
                                "name": "Ref",
                                "fields": [
                                    {"name": "type", "type": "string"},
                                    {"name": "id", "type": "string"},
                                ],
                            },
                        },
                        {"name": "cause", "type": ["null", "Ref"]},
                    ],
                },
            },
        ],
    }
    shelf = Shelf()
    shelf.schemas[9] = json.dumps(schema)
    value = framed(
        9,
        schema,
        {
            "id": "a-1",
            "time": 1_767_607_200_000_000,
            "source": "theirs",
            "domain": None,
            "team": "RED",
            "extra": {"a": 1},
            "alarm": {
                "name": "X",
                "status": "ACTIVE",
                "resource": {"type": "t", "id": "1"},
                "cause": {"type": "t", "id": "0"},
            },
        },
    )
    codec = Codec(shelf)
    read = codec.read("alarms.raw", value, AT)
    assert read.time == "2026-01-05T10:00:00.000000Z"
    assert read.domain == "default"
    assert read.alarm is not None
    assert read.alarm.attributes == {"team": "RED", "extra": {"a": 1}, "cause": {"type": "t", "id": "0"}}
    codec.read("alarms.raw", value, AT)
    assert shelf.asked == [9], "a schema is asked for once"


def test_null_and_left_out_stay_apart_in_avro() -> None:
    codec = Codec()
    for entity in ({"type": "t", "id": "1"}, {"type": "t", "id": "1", "state": None, "name": "n"}):
        record = {"id": "t", "time": ALARM["time"], "source": "s", "op": "UPSERT", "entity": entity}
        form = codec.single_object("topology.changes", record)
        assert codec.read("topology.changes", form, AT) == codec.read(
            "topology.changes", msgspec.json.encode(record), AT
        )


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"\x00", "bad-avro"),
        (b"\x00\x00\x00\x00", "bad-avro"),
        (b"\x00\x00\x00\x00\x01", "bad-avro"),
        (b"\x00\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "bad-avro"),
        (b"\x00\x00\x00\x00\x02garbage", "unknown-schema"),
        (b"\xc3\x01", "unknown-schema"),
        (b"\xc3\x01abcdefgh", "unknown-schema"),
        (b"\xc3\x02abcdefgh", "not-json"),
        (None, "null"),
    ],
)
def test_false_frames_are_refused(value: bytes | None, reason: str) -> None:
    shelf = Shelf()
    shelf.schemas[1] = avro.current(avro_directory())["alarms.raw"].text
    with pytest.raises(InvalidRecord) as error:
        Codec(shelf).read("alarms.raw", value, AT)
    assert error.value.reason == reason


def test_what_is_left_over_behind_a_record_is_an_error() -> None:
    codec = Codec()
    with pytest.raises(InvalidRecord, match="3 bytes are left over"):
        codec.decode(codec.single_object("alarms.raw", ALARM) + b"abc")


def test_a_registry_that_is_down_is_no_fault_of_the_record() -> None:
    shelf = Shelf()
    shelf.down = True
    with pytest.raises(RegistryUnavailable):
        Codec(shelf).read("alarms.raw", b"\x00\x00\x00\x00\x01abc", AT)


def test_without_a_registry_a_frame_says_what_is_missing() -> None:
    with pytest.raises(InvalidRecord, match="no schema registry is configured"):
        Codec().decode(b"\x00\x00\x00\x00\x01abc")


def test_what_goes_out_is_json_or_with_a_registry_avro() -> None:
    shelf = Shelf()
    assert Codec().encode("workflow.steps", STEP) == msgspec.json.encode(STEP)
    codec = Codec(shelf)
    first, second = codec.encode("workflow.steps", STEP), codec.encode("workflow.steps", STEP)
    assert first == second
    assert first[:5] == b"\x00\x00\x00\x00\x01"
    assert shelf.asked == ["workflow.steps-value"], "registered once"
    assert codec.decode(first) == STEP
    assert codec.encode("graph.input", {"id": "1"}) == b'{"id":"1"}', "logs stay JSON"


def test_a_record_that_does_not_fit_its_schema_is_named() -> None:
    codec = Codec(Shelf())
    with pytest.raises(InvalidRecord, match="command: expected one of START, PAUSE"):
        codec.check("workflow.commands", {"id": "c", "time": "t", "command": "STRAT"})
    with pytest.raises(InvalidRecord, match="state: expected a value, got nothing"):
        codec.check("workflow.steps", {**STEP, "state": None})
    with pytest.raises(InvalidRecord, match="attempt: expected a whole number"):
        codec.check("workflow.steps", {**STEP, "attempt": "2"})
    with pytest.raises(InvalidRecord, match=r"alarm\.status"):
        codec.check("alarms.raw", {**ALARM, "alarm": {**ALARM["alarm"], "status": "?"}})


def test_infinite_numbers_are_refused() -> None:
    codec = Codec()
    record = {**ALARM, "alarm": {**ALARM["alarm"], "attributes": {"n": float("inf")}}}
    with pytest.raises(InvalidRecord, match="finite"):
        codec.decode(codec.single_object("alarms.raw", record))
