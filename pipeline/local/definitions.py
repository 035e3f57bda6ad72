"""Rules, playbooks and value mappings of directories, put live on ``definitions.changes``."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from ..document import read_file
from ..errors import BrokerUnavailable, FaultlineError, InvalidDocument
from ..events import Definition
from ..ids import identify
from ..kafka import client
from ..resources import shipped
from ..settings import Settings
from ..times import rfc3339

log = logging.getLogger(__name__)

TOPIC = "definitions.changes"
SOURCE = "files"
"""Who put a definition live: those of directories follow their files, an operator's stay as they are."""
PATIENCE = 30.0


@dataclass(slots=True)
class Found:
    """What directories hold: definitions that were accepted, and what is wrong with the rest."""

    definitions: list[Definition] = field(default_factory=list)
    findings: list[object] = field(default_factory=list)


def collect(settings: Settings) -> Found:
    """Reads and checks every definition that ``settings`` name. A bad file is a finding, the rest goes on."""
    found = Found()
    _rules(directories(settings.rules, "rules"), found)
    for path in _files(directories(settings.playbooks, "playbooks")):
        _keep(found, path, _workflow)
    for path in _files([settings.values] if settings.values else []):
        _keep(found, path, _values)
    return _unique(found)


def directories(given: Iterable[Path], name: str) -> list[Path]:
    """The directories to read: those given, else ``./NAME`` where there is one, else those shipped.

    Raises ``FaultlineError`` when one that was given is not there.
    """
    chosen = list(given)
    for place in chosen:
        if not place.exists():
            raise FaultlineError(f"{name}: {place} is not there")
    if chosen:
        return chosen
    own = Path.cwd() / name
    return [own if own.is_dir() else shipped(name)]


def publish(bootstrap: str, found: Found) -> int:
    """Puts live what differs from what the topic holds; takes away what files no longer hold.

    Returns how many records were sent. Raises ``BrokerUnavailable``.
    """
    live = held(bootstrap)
    wanted = {f"{item.kind}/{item.name}": item for item in found.definitions}
    # A file that is refused now leaves its earlier version in force.
    refused = {getattr(finding, "path", "") for finding in found.findings}
    changes: dict[str, bytes | None] = {}
    for key, item in wanted.items():
        if live.get(key, {}).get("definition") != msgspec.to_builtins(item):
            changes[key] = _record(key, item)
    for key, record in live.items():
        path = record.get("definition", {}).get("path", "")
        if record.get("source") == SOURCE and key not in wanted and path not in refused:
            changes[key] = None
    if changes:
        _send(bootstrap, changes)
    return len(changes)


def held(bootstrap: str) -> dict[str, dict[str, Any]]:
    """The latest record of each key on the topic, deletions left out. Raises ``BrokerUnavailable``."""
    consumer = Consumer(client.reader(bootstrap, "faultline-definitions"))
    records: dict[str, dict[str, Any]] = {}
    try:
        first, end = client.extent(consumer, TOPIC, 0, PATIENCE)
        consumer.assign([TopicPartition(TOPIC, 0, first)])
        limit = time.monotonic() + PATIENCE
        while consumer.position([TopicPartition(TOPIC, 0)])[0].offset < end and first < end:
            for message in consumer.consume(500, 0.2):
                if message.error() is not None or message.key() is None:
                    continue
                key = message.key().decode(errors="replace")
                value = _decoded(message.value())
                if value is None or value.get("op") == "DELETE":
                    records.pop(key, None)
                else:
                    records[key] = value
            if time.monotonic() > limit:
                raise BrokerUnavailable(f"{TOPIC} could not be read to its end within {PATIENCE:.0f} s")
    finally:
        consumer.close()
    return records


def _send(bootstrap: str, changes: Mapping[str, bytes | None]) -> None:
    failures: list[str] = []
    producer = Producer(client.producer(bootstrap, "faultline-definitions"))
    for key, value in changes.items():
        producer.produce(
            TOPIC, value, key, on_delivery=lambda error, _: failures.append(error.str()) if error else None
        )
    left = producer.flush(PATIENCE)
    if failures or left:
        raise BrokerUnavailable(
            f"definitions could not be published: {failures or f'{left} not acknowledged'}"
        )


def _decoded(value: bytes | None) -> dict[str, Any] | None:
    if value is None:
        return None
    try:
        record = json.loads(value)
    except ValueError:
        return {}  # somebody else's form: it stays as it is, and is replaced where a file has the name
    return record if isinstance(record, dict) else {}


def _record(key: str, definition: Definition) -> bytes:
    now = time.time_ns() // 1000
    return msgspec.json.encode(
        {
            "id": identify("definition", key, definition.text, now),
            "time": rfc3339(now),
            "source": SOURCE,
            "op": "UPSERT",
            "definition": definition,
        }
    )


def _files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        paths = [place] if place.is_file() else sorted([*place.rglob("*.yaml"), *place.rglob("*.yml")])
        yield from (path for path in paths if not path.name.endswith((".test.yaml", ".test.yml")))


def _keep(found: Found, path: Path, read: Any) -> None:
    try:
        found.definitions.append(read(path))
    except InvalidDocument as error:
        found.findings += error.findings


def _workflow(path: Path) -> Definition:
    from ..workflow.definition import content

    document = read_file(path, aliases=False)
    content(document)
    names = [name for name in document.value if name not in ("version", "name", "description", "tags")]
    book = document.value.get("name")
    name = book if isinstance(book, str) else names[0] if len(names) == 1 else path.stem
    return Definition("WORKFLOW", name, document.text, str(path))


def _values(path: Path) -> Definition:
    from ..graph.values import parse

    document = read_file(path)
    parse(path.stem, document.text, str(path))
    return Definition("VALUES", path.stem, document.text, str(path))


def _rules(places: list[Path], found: Found) -> None:
    from ..rules.reading import parse
    from ..rules.template import Template

    included: dict[str, Template] = {}
    pending: list[tuple[Path, str]] = []

    def take(path: Path, text: str) -> None:
        template, _ = parse(text, str(path), {}, included)
        if template.kind == "definition":
            included[template.name] = template
        found.definitions.append(Definition("RULE", template.name, text, str(path)))

    # Definition templates first: others include them by name.
    for path in _files(places):
        try:
            document = read_file(path, scalars="text")
        except InvalidDocument as error:
            found.findings += error.findings
            continue
        value = document.value
        if (
            isinstance(value, dict)
            and not {"scenarios", "equivalences"} & value.keys()
            and "definitions" in value
        ):
            _attempt(found, take, path, document.text)
        else:
            pending.append((path, document.text))
    for path, text in pending:
        _attempt(found, take, path, text)


def _attempt(found: Found, take: Any, path: Path, text: str) -> None:
    try:
        take(path, text)
    except InvalidDocument as error:
        found.findings += error.findings


def _unique(found: Found) -> Found:
    """The first file that has a name keeps it; a later one is a finding."""
    kept: dict[tuple[str, str], Definition] = {}
    for item in found.definitions:
        first = kept.setdefault((item.kind, item.name), item)
        if first is not item:
            from ..document import Finding

            message = f"the name {item.name!r} is taken by {first.path}; give this one another"
            found.findings.append(Finding(item.path, 1, 1, "name-taken", message))
    return Found(list(kept.values()), found.findings)
