from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline import avro, evolution
from pipeline.codec import Codec
from pipeline.errors import InvalidRecord
from pipeline.resources import shipped

SCHEMAS = shipped("schemas")
SAMPLES = Path(__file__).parent.parent / "samples" / "avro"
TOPICS = sorted(avro.current(SCHEMAS))


def versions(topic: str) -> list[Path]:
    return sorted((SCHEMAS / "history" / topic).glob("*.avsc"), key=lambda path: int(path.stem))


@pytest.mark.parametrize("topic", TOPICS)
def test_a_schema_reads_what_every_earlier_one_wrote(topic: str) -> None:
    reader = avro.current(SCHEMAS)[topic]
    for path in versions(topic):
        assert evolution.unreadable(reader, avro.schema(path.read_text())) == [], path


@pytest.mark.parametrize("topic", TOPICS)
def test_the_latest_version_kept_is_the_current_schema(topic: str) -> None:
    kept = versions(topic)
    assert kept, f"schemas/history/{topic}/1.avsc must hold the first version"
    current = (SCHEMAS / f"{topic}.avsc").read_text()
    assert json.loads(kept[-1].read_text()) == json.loads(current), (
        f"schemas/{topic}.avsc has changed: keep it as schemas/history/{topic}/{len(kept) + 1}.avsc too, "
        "so that what is written with it stays readable, and leave the versions before as they are"
    )


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_bytes_written_by_every_version_stay_readable(sample: Path) -> None:
    stored = msgspec.json.decode(sample.read_bytes())
    assert Codec().decode(bytes.fromhex(stored["bytes"])) == stored["record"]


def test_every_version_has_its_sample() -> None:
    kept = {f"{topic}.{path.stem}" for topic in TOPICS for path in versions(topic)}
    assert {path.stem for path in SAMPLES.glob("*.json")} == kept


BASE: dict[str, Any] = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "kind", "type": {"type": "enum", "name": "K", "symbols": ["A", "B"]}},
        {"name": "note", "type": ["null", "string"], "default": None},
        {"name": "parts", "type": {"type": "array", "items": "long"}, "default": []},
    ],
}


def changed(**fields: Any) -> avro.Schema:
    """The base schema with fields put, changed or (None) taken away."""
    by_name = {entry["name"]: entry for entry in BASE["fields"]}
    for name, change in fields.items():
        if change is None:
            del by_name[name]
        else:
            by_name[name] = {"name": name, **change}
    return avro.schema(json.dumps({**BASE, "fields": list(by_name.values())}))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"extra": {"type": "string"}}, "extra: is new and has no default"),
        ({"id": {"type": "long"}}, "id: was string, is long"),
        ({"kind": {"type": {"type": "enum", "name": "K", "symbols": ["A"]}}}, "kind: no longer knows B"),
        ({"note": {"type": "string", "default": ""}}, "note: was null, is string"),
        ({"parts": {"type": {"type": "array", "items": "string"}}}, "parts[]: was long, is string"),
        ({"note": {"type": ["null", "long"], "default": None}}, "note: no branch reads string"),
    ],
)
def test_what_would_no_longer_be_readable_is_named(change: dict[str, Any], problem: str) -> None:
    found = evolution.unreadable(changed(**change), changed())
    assert any(each.startswith(problem) for each in found), found


@pytest.mark.parametrize(
    "change",
    [
        {"extra": {"type": "string", "default": ""}},
        {"note": None},
        {"kind": {"type": {"type": "enum", "name": "K", "symbols": ["A", "B", "C"]}}},
        {"parts": {"type": {"type": "array", "items": "double"}, "default": []}},
        {"id": {"type": ["null", "string"]}},
    ],
)
def test_what_stays_readable_is_let_through(change: dict[str, Any]) -> None:
    assert evolution.unreadable(changed(**change), changed()) == []


def test_a_schema_that_is_none_is_named() -> None:
    with pytest.raises(InvalidRecord, match="cannot be used"):
        avro.schema('{"type": "record"}')
