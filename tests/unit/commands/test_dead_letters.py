from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pipeline import cli
from pipeline.codec import Codec
from pipeline.commands import dead_letters
from pipeline.errors import InvalidRecord
from pipeline.events import Alarm, EntityRef, Input, Origin
from pipeline.kafka.deadletter import DeadLetter

ALARM: dict[str, Any] = {
    "id": "a-1",
    "time": "2026-01-05T10:00:00Z",
    "source": "nagios",
    "alarm": {"name": "CPU", "status": "ACTIVE", "resource": {"type": "nova.host", "id": "h"}},
}


def letter(topic: str, value: bytes | None, key: bytes | None = b"k") -> DeadLetter:
    return DeadLetter(value, key, "reason", "error", topic, 1, 2, "2026-01-05T10:00:00.000000Z")


def test_a_mended_record_goes_where_it_was_meant_to_go() -> None:
    mended = msgspec.json.encode(ALARM)
    record = dead_letters.again(Codec(), "3-4", letter("alarms.raw", b"broken"), mended)
    assert (record.topic, record.key, record.value) == ("alarms.raw", b"k", mended)
    assert record.headers == [("resent-from", b"3-4")]


@pytest.mark.parametrize("value", [b"broken", None])
def test_what_would_be_set_aside_again_is_not_sent(value: bytes | None) -> None:
    with pytest.raises(InvalidRecord):
        dead_letters.again(Codec(), "3-4", letter("alarms.raw", value), value)


def test_a_record_of_the_log_comes_back_as_a_new_one() -> None:
    alarm = Alarm("CPU", EntityRef("nova.host", "h"), "ACTIVE")
    inner = Input("a-1", "t", "t", domain="north", origin=Origin("alarms.raw", "abc", 0, 5), alarm=alarm)
    record = dead_letters.again(Codec(), "3-4", letter("graph.input", b"", None), msgspec.json.encode(inner))
    assert (record.topic, record.key) == ("graph.input", b"north")
    assert record.value is not None
    assert msgspec.json.decode(record.value, type=Input) == msgspec.structs.replace(inner, origin=None)


def test_a_command_finds_its_partition_again() -> None:
    value = msgspec.json.encode({"id": "c", "command": "START", "root": "r-1"})
    assert dead_letters.again(Codec(), "3-4", letter("workflow.commands", value, None), value).key == b"r-1"


@pytest.mark.parametrize("arguments", [["show"], ["list", "1-2"], ["mend", "1-2"]])
def test_wrong_calls(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = cli.main(["dead-letters", *arguments])
    except SystemExit as end:
        status = int(str(end.code))
    assert status == 2
    assert capsys.readouterr().err
