from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pipeline.codec import Codec
from pipeline.commands import tail
from pipeline.errors import InvalidCall


class Message:
    """What the client hands out, as far as it is printed."""

    def __init__(self, value: bytes | None, topic: str = "alarms.raw", **headers: bytes) -> None:
        self._value, self._topic, self._headers = value, topic, list(headers.items())

    def value(self) -> bytes | None:
        return self._value

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return 3

    def offset(self) -> int:
        return 42

    def timestamp(self) -> tuple[int, int]:
        return 2, 1_767_607_200_000

    def key(self) -> bytes:
        return b"north"

    def headers(self) -> list[tuple[str, bytes]]:
        return self._headers


def printed(message: Any, full: bool = False) -> Any:
    return msgspec.json.decode(tail.line(Codec(), message, full))


def test_a_record_is_printed_decoded() -> None:
    names = {"root": "r", "execution": "e", "kind": "TASK", "name": "", "state": "IDLE"}
    step = {"id": "s", "time": "t", **names}
    avro = Codec().single_object("workflow.steps", step)
    assert printed(Message(b' {"a": 1}')) == {"a": 1}
    assert printed(Message(avro)) == step
    assert printed(Message(None)) is None


def test_what_cannot_be_decoded_is_printed_with_the_reason() -> None:
    found = printed(Message(b"\xffnope"))
    assert (found["unreadable"], found["partition"], found["offset"]) == ("not-json", 3, 42)
    assert found["base64"] == "/25vcGU="


def test_a_dead_letter_is_printed_with_why() -> None:
    assert printed(Message(b"nope", "dead.letters", reason=b"not-json", offset=b"7")) == {
        "reason": "not-json",
        "offset": "7",
        "value": "nope",
    }


def test_a_full_record_has_its_place() -> None:
    assert printed(Message(b"1", ce_id=b"x"), full=True) == {
        "topic": "alarms.raw",
        "partition": 3,
        "offset": 42,
        "time": "2026-01-05T10:00:00.000000Z",
        "key": "north",
        "headers": {"ce_id": "x"},
        "value": 1,
    }


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("beginning", "beginning"),
        ("end", "end"),
        ("17", 17),
        ("1970-01-01T00:00:01Z", "@1000000"),
    ],
)
def test_where_to_begin(text: str, start: int | str) -> None:
    assert tail.parse_start(text) == start


@pytest.mark.parametrize("text", ["", "start", "-1", "2026-01-05", "²"])
def test_other_beginnings_are_refused(text: str) -> None:
    with pytest.raises(InvalidCall, match="--from: expected beginning"):
        tail.parse_start(text)
