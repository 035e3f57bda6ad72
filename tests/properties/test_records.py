"""The forms of a record are one record; no bytes do worse than to be refused."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline import avro, checks
from pipeline.codec import Codec
from pipeline.errors import InvalidRecord
from pipeline.events import Input
from pipeline.resources import shipped

AT = "2026-01-05T10:00:01.000000Z"
CODEC = Codec()
SCHEMAS = avro.current(shipped("schemas"))


class Shelf:
    """A registry that holds the inbound schemas under 1, 2, 3."""

    def schema(self, identity: int) -> str:
        if identity not in (1, 2, 3):
            raise InvalidRecord("unknown-schema", str(identity))
        return SCHEMAS[checks.INBOUND[identity - 1]].text

    def register(self, subject: str, schema: str) -> int:
        raise AssertionError("inbound records are not written")


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
letters = st.characters(exclude_categories=["Cs"], exclude_characters=checks.SEPARATOR)
names = st.text(letters, min_size=1, max_size=8)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)
attributes = st.dictionaries(texts, values, max_size=4)
times = st.datetimes().map(lambda moment: moment.isoformat(timespec="microseconds") + "Z")
refs = st.fixed_dictionaries({"type": names, "id": names})


def maybe(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda extra, known: {**extra, **known},
        st.dictionaries(st.sampled_from(["trace", "extra", "nulls", "weight", "-"]), values, max_size=2),
        st.fixed_dictionaries(required, optional=optional),
    )


head = {"id": names, "time": times, "source": names}
entities = maybe(
    {"type": names, "id": names},
    {
        "name": st.none() | texts,
        "category": names,
        "state": st.none() | texts,
        "attributes": attributes,
    },
)
relationships = maybe({"source": refs, "type": names, "target": refs}, {"attributes": attributes})
alarms = maybe(
    {"name": names, "resource": refs, "status": st.sampled_from(["ACTIVE", "CLEARED"])},
    {"severity": texts, "external_id": names, "attributes": attributes},
)
ops = st.sampled_from(["UPSERT", "DELETE"])
records = st.one_of(
    st.tuples(st.just(checks.TOPOLOGY), maybe({**head, "op": ops, "entity": entities}, {"domain": names})),
    st.tuples(
        st.just(checks.TOPOLOGY), maybe({**head, "op": ops, "relationship": relationships}, {"domain": names})
    ),
    st.tuples(st.just(checks.ALARMS), maybe({**head, "alarm": alarms}, {"domain": names})),
)


def attributes_of(record: Input) -> list[dict[str, Any]]:
    return [part.attributes for part in (record.entity, record.relationship, record.alarm) if part]


def same(left: Input, right: Input) -> None:
    assert left == right
    # Python's true is 1 and its 1 is 1.0; in JSON they are not.
    assert [msgspec.json.encode(each, order="sorted") for each in attributes_of(left)] == [
        msgspec.json.encode(each, order="sorted") for each in attributes_of(right)
    ]


@given(records)
@settings(max_examples=300, deadline=None)
def test_every_form_gives_the_same_input(pair: tuple[str, dict[str, Any]]) -> None:
    topic, record = pair
    expected = CODEC.read(topic, msgspec.json.encode(record), AT)
    same(checks.check(topic, record, AT), expected)
    same(CODEC.read(topic, CODEC.single_object(topic, record), AT), expected)
    frame = b"\x00" + (checks.INBOUND.index(topic) + 1).to_bytes(4, "big")
    same(Codec(Shelf()).read(topic, frame + SCHEMAS[topic].write(record), AT), expected)


single = [b"\xc3\x01" + SCHEMAS[topic].fingerprint for topic in checks.INBOUND]
frames = [b"\x00\x00\x00\x00" + bytes([number]) for number in range(1, 5)]
prefixes = st.sampled_from([b"", b"{", b'{"id":"1","time":', b"\x00", b"\xc3\x01", *single, *frames])


@given(st.sampled_from(checks.INBOUND), prefixes, st.binary(max_size=200))
@example(checks.ALARMS, b"", b"[" * 100_000)
@example(checks.ALARMS, frames[1], b"\xff" * 50)
@example(checks.TOPOLOGY, single[0], b"\x02a" * 30)
@settings(max_examples=2_000, deadline=None)
def test_no_bytes_do_worse_than_to_be_refused(topic: str, prefix: bytes, body: bytes) -> None:
    found = outcome(lambda: Codec(Shelf()).read(topic, prefix + body, AT))
    if isinstance(found, Input):
        msgspec.json.encode(found)
    else:
        reason, message = found
        assert reason
        assert len(message) < 2_000


anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4)
)


@given(records, st.data())
@settings(max_examples=500, deadline=None)
def test_a_record_with_one_thing_changed_is_read_or_refused_the_same_both_ways(
    pair: tuple[str, dict[str, Any]], data: st.DataObject
) -> None:
    topic, record = pair
    spot: Any = record
    while True:
        key = data.draw(st.sampled_from(sorted(spot)))
        if not isinstance(spot[key], dict) or not spot[key] or data.draw(st.booleans()):
            break
        spot = spot[key]
    spot[key] = data.draw(anything)
    value = msgspec.json.encode(record)
    assert outcome(lambda: checks.read_json(topic, value, AT)) == outcome(
        lambda: checks.check(topic, msgspec.json.decode(value), AT)
    )


def outcome(attempt: Any) -> Any:
    try:
        return attempt()
    except InvalidRecord as error:
        return error.reason, str(error)
