from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline import cli
from pipeline.codec import Codec
from pipeline.commands import emit

ALARM: dict[str, Any] = {
    "id": "a-1",
    "time": "2026-01-05T10:00:00Z",
    "source": "nagios",
    "domain": "north",
    "alarm": {"name": "CPU", "status": "ACTIVE", "resource": {"type": "nova.host", "id": "h"}},
}


def line(**changes: Any) -> bytes:
    return json.dumps({**ALARM, **changes}).encode()


def test_a_good_line_is_sent_as_it_stands_under_its_domain() -> None:
    (record,), bad = emit.check(Codec(), "alarms.raw", [line() + b"\r", b"", b"  "])
    assert bad == []
    assert (record.topic, record.key, record.value) == ("alarms.raw", "north", line())
    assert dict(record.headers)["ce_id"] == b"a-1"
    assert dict(record.headers)["ce_type"] == b"faultline.alarms.raw"


@pytest.mark.parametrize(
    ("topic", "record", "key"),
    [
        (
            "definitions.changes",
            {**ALARM, "op": "UPSERT", "definition": {"kind": "RULE", "name": "r", "text": "x"}},
            "RULE/r",
        ),
        ("workflow.commands", {"id": "c", "time": "t", "command": "START", "root": "r-1"}, "r-1"),
        ("workflow.commands", {"id": "c", "time": "t", "command": "START"}, "c"),
    ],
)
def test_each_topic_has_its_key(topic: str, record: dict[str, Any], key: str) -> None:
    (found,), _ = emit.check(Codec(), topic, [json.dumps(record).encode()])
    assert found.key == key


def test_each_bad_line_is_named_and_nothing_is_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "lines.jsonl"
    file.write_bytes(b"\n".join([line(), line(time="noon"), b"", b"{", line(id=None), line(extra=1)]))
    assert cli.main(["emit", "alarms.raw", str(file), "--kafka", "127.0.0.1:1"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0].startswith(f"{file}:2: bad-time: time: 'noon'")
    assert lines[1].startswith(f"{file}:4: not-json: expected JSON")
    assert lines[2] == f"{file}:5: missing-field: id: expected text, got nothing"
    assert lines[3] == "3 of 5 lines are bad; nothing was sent"


def test_a_line_larger_than_kafka_takes_is_bad() -> None:
    _, bad = emit.check(Codec(), "alarms.raw", [line(text="x" * emit.LARGEST)])
    assert [(number, error.reason) for number, error in bad] == [(1, "too-large")]


def test_a_wrong_call_is_told_what_would_be_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["emit", "alarms.row", "-"]) == 2
    assert "alarms.raw" in capsys.readouterr().err
    assert cli.main(["emit", "alarms.raw", str(tmp_path / "none")]) == 2
    assert "none cannot be read" in capsys.readouterr().err
