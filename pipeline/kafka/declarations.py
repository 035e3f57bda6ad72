"""The topics as ``topics/*.yaml`` declares them, one file each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..document import Document, Finding, read_file
from ..errors import InvalidDocument
from ..resources import shipped

FIELDS = ("name", "description", "schema", "key", "partitions", "cleanup", "retention", "time", "settings")
REQUIRED = ("name", "description", "key", "cleanup", "retention", "time")
CLEANUP = ("delete", "compact", "compact,delete")
TIME = {"append": "LogAppendTime", "create": "CreateTime"}
UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
# Fields of a declaration; under settings they would contradict it.
TAKEN = ("cleanup.policy", "retention.ms", "message.timestamp.type", "compression.type")


@dataclass(frozen=True, slots=True)
class Topic:
    """A declared topic. ``partitions`` is None where the setting of that name decides."""

    name: str
    description: str
    key: str
    cleanup: str
    retention: int | None
    time: Literal["append", "create"]
    schema: str | None
    partitions: int | None
    alongside: str | None
    settings: Mapping[str, str]

    def count(self, partitions: int) -> int:
        """How many partitions it has where ``partitions`` is the setting."""
        return self.partitions or partitions

    def config(self) -> dict[str, str]:
        """Its settings in Kafka's names."""
        return {
            **self.settings,
            "cleanup.policy": self.cleanup,
            "retention.ms": str(-1 if self.retention is None else self.retention),
            "message.timestamp.type": TIME[self.time],
            # Producers choose; the broker keeps what they chose.
            "compression.type": "producer",
        }


def load(directory: Path | None = None) -> dict[str, Topic]:
    """Every declaration of ``directory`` (those shipped, by default), by name.

    Raises ``InvalidDocument`` with everything that is wrong, in all files.
    """
    place = directory or shipped("topics")
    topics: dict[str, Topic] = {}
    findings: list[object] = []
    for path in sorted(place.glob("*.yaml")):
        try:
            topic = declaration(read_file(path))
            topics[topic.name] = topic
        except InvalidDocument as error:
            findings += error.findings
    if findings:
        raise InvalidDocument(findings)
    return topics


def declaration(document: Document) -> Topic:
    """The topic that ``document`` declares. Raises ``InvalidDocument`` with each finding."""
    value = document.value
    if not isinstance(value, dict):
        raise InvalidDocument(
            [document.finding("topic-form", "a topic is a mapping with name, key, cleanup...")]
        )
    findings = list(_check(document, value))
    if findings:
        raise InvalidDocument(list(findings))
    number, alongside = _partitions(value.get("partitions"))
    return Topic(
        name=value["name"],
        description=value["description"].strip(),
        key=value["key"],
        cleanup=value["cleanup"],
        retention=_milliseconds(value["retention"]),
        time=value["time"],
        schema=value.get("schema"),
        partitions=number,
        alongside=alongside,
        settings={name: _text(item) for name, item in (value.get("settings") or {}).items()},
    )


def _check(document: Document, value: dict[Any, Any]) -> list[Finding]:
    def wrong(code: str, message: str, *steps: str) -> None:
        findings.append(document.finding(code, message, *steps))

    findings: list[Finding] = []
    for field in value:
        if field not in FIELDS:
            wrong("topic-field", f"unknown field {field!r}; a topic has {', '.join(FIELDS)}", field)
    for field in REQUIRED:
        if not isinstance(value.get(field), str) or not value[field].strip():
            wrong("topic-field", f"{field!r} is missing or is not a text", field)
    if findings:
        return findings
    name = value["name"]
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", name) or name in (".", ".."):
        wrong("topic-name", f"{name!r} is no name for a topic: letters, digits, '.', '_', '-'", "name")
    elif document.path != "-" and Path(document.path).stem != name:
        wrong("topic-name", f"the file of topic {name!r} must be called {name}.yaml", "name")
    if value["cleanup"] not in CLEANUP:
        wrong("topic-cleanup", f"cleanup is one of {', '.join(CLEANUP)}, not {value['cleanup']!r}", "cleanup")
    if value["time"] not in TIME:
        wrong(
            "topic-time",
            f"time is append (the broker's) or create (the producer's), not {value['time']!r}",
            "time",
        )
    try:
        _milliseconds(value["retention"])
    except ValueError as error:
        wrong("topic-retention", str(error), "retention")
    try:
        _partitions(value.get("partitions"))
    except ValueError as error:
        wrong("topic-partitions", str(error), "partitions")
    if not isinstance(value.get("schema", ""), str):
        wrong("topic-schema", "schema is the name of a file of schemas/, without its ending", "schema")
    settings = value.get("settings") or {}
    if not isinstance(settings, dict):
        wrong("topic-settings", "settings is a mapping of Kafka's own names to values", "settings")
        return findings
    for key, item in settings.items():
        if key in TAKEN:
            wrong(
                "topic-settings", f"{key} follows from the other fields; leave it out here", "settings", key
            )
        elif not isinstance(item, str | int | float | bool):
            wrong("topic-settings", f"{key} must be a plain value", "settings", key)
    return findings


def _milliseconds(text: str) -> int | None:
    if text == "forever":
        return None
    match = re.fullmatch(r"([1-9][0-9]*)([smhd])", text)
    if match is None:
        raise ValueError(f"retention is a number with s, m, h or d, such as 7d, or forever, not {text!r}")
    return int(match[1]) * UNITS[match[2]]


def _partitions(value: Any) -> tuple[int | None, str | None]:
    if value is None:
        return None, None
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value, None
    if isinstance(value, str) and value.startswith("as "):
        return None, value[3:].strip()
    raise ValueError(f"partitions is a number, or 'as TOPIC' for as many as another has, not {value!r}")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
