"""Records as the other roles write them, and history processes that a test may kill."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

T = "2026-01-05T10:{:02d}:{:02d}.{:06d}Z"


def at(number: int) -> str:
    """A time that grows with ``number``, one a second."""
    return T.format(number // 60 % 60, number % 60, number % 1_000_000)


@dataclass
class Records:
    """Writes journal, deduced alarms and steps of a small world; ``position`` is that of the log."""

    position: int = -1
    written: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def journal(
        self, *changes: dict[str, Any], domain: str = "default", source: str = "test"
    ) -> dict[str, Any]:
        self.position += 1
        record = {
            "id": f"j-{self.position}", "time": at(self.position), "at": at(self.position), "domain": domain,
            "source": source, "record": f"r-{self.position}", "position": [0, self.position],
            "changes": list(changes),
        }  # fmt: skip
        self.written.append(("graph.journal", domain, record))
        return record

    def entity(self, key: str, op: str = "UPSERT", **fields: Any) -> dict[str, Any]:
        kind, _, identity = key.partition("/")
        entity = {
            "type": kind, "id": identity, "name": identity, "category": "RESOURCE", "state": "available",
            "placeholder": False, "attributes": {}, **fields,
        }  # fmt: skip
        return {"kind": "ENTITY", "op": op, "key": key, "entity": entity}

    def relationship(self, source: str, label: str, target: str, op: str = "UPSERT") -> dict[str, Any]:
        ends = [dict(zip(("type", "id"), key.split("/", 1), strict=True)) for key in (source, target)]
        return {
            "kind": "RELATIONSHIP",
            "op": op,
            "relationship": {"source": ends[0], "type": label, "target": ends[1]},
        }

    def alarm(self, name: str, on: str, op: str = "RAISED", **fields: Any) -> dict[str, Any]:
        kind, _, identity = on.partition("/")
        status = "ACTIVE" if op in ("RAISED", "CHANGED", "REPEATED", "IGNORED") else "CLEARED"
        alarm = {
            "source": "nagios", "name": name, "severity": "CRITICAL", "operational_severity": "CRITICAL",
            "status": status, "resource": {"type": kind, "id": identity}, "attributes": {"a": 1},
            "episode": 1,
            **fields,
        }  # fmt: skip
        key = f"nagios/{name}@{on}"
        if op in ("REPEATED", "IGNORED"):
            return {"kind": op, "key": key, "reason": "older", "alarm": alarm}
        return {"kind": "ALARM", "op": op, "key": key, "deduced": False, "alarm": alarm}

    def state(self, key: str, word: str, operational: str) -> dict[str, Any]:
        return {
            "kind": "STATE", "key": key, "state": "available", "aggregated_state": word,
            "operational_state": operational, "rule": "host_down", "match": "m-1",
        }  # fmt: skip

    def cause(self, source: str, target: str, op: str = "ADDED", rule: str = "host_down") -> dict[str, Any]:
        return {
            "kind": "CAUSE",
            "op": op,
            "source": source,
            "target": target,
            "rule": rule,
            "match": f"{rule}:{target}",
        }

    def deduced(self, name: str, on: str, status: str = "ACTIVE", episode: int = 1) -> dict[str, Any]:
        kind, _, identity = on.partition("/")
        record = {
            "id": f"d-{self.position}-{name}-{on}", "time": at(self.position), "source": "vitrage",
            "domain": "default", "position": [0, self.position],
            "alarm": {
                "key": f"vitrage/{name}@{on}", "name": name, "severity": "WARNING",
                "operational_severity": "WARNING", "status": status,
                "resource": {"type": kind, "id": identity}, "episode": episode,
            },
            "rule": {"name": "host_down", "revision": "5f0c", "scenario": 0},
            "match": {"host": "nova.host/host-1"},
            "cause": {"record": f"r-{self.position}"},
        }  # fmt: skip
        self.written.append(("alarms.deduced", "default", record))
        return record

    def step(self, kind: str, state: str, number: int, **fields: Any) -> dict[str, Any]:
        record = {
            "id": f"s-{number}", "time": at(number), "root": "e-1", "execution": "e-1", "kind": kind,
            "state": state, "state_info": None, "from": None, **fields,
        }  # fmt: skip
        self.written.append(("workflow.steps", "e-1", record))
        return record


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture(scope="module")
def incident_records() -> Records:
    return Records()


def produce(
    bootstrap: str, written: list[tuple[str, str, Any]], rename: Callable[[str], str] = lambda topic: topic
) -> None:
    """Sends ``(topic, key, record)``s, all of a topic to partition 0 so that their order is known."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
    for number, (topic, key, record) in enumerate(written):
        value = record if isinstance(record, bytes) or record is None else json.dumps(record).encode()
        producer.produce(rename(topic), value, key.encode(), partition=0)
        if number % 1000 == 0:
            producer.poll(0)
    assert producer.flush(20) == 0


@pytest.fixture
def send(broker: Any) -> Callable[..., None]:
    """``send(written, rename)`` produces to the shared broker."""
    return lambda *arguments, **named: produce(broker.bootstrap, *arguments, **named)


SINK = Path(__file__).resolve().parents[2] / "support" / "history_sink.py"


@dataclass
class SinkProcess:
    """A sink in a process of its own: one process at a time can open the files."""

    command: list[str]
    output: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command, stdout=self.output.open("ab"), stderr=self.output.with_suffix(".err").open("ab")
        )

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(20)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            assert self.process.wait(30) == 0, self.output.with_suffix(".err").read_text()

    def inserted(self) -> int:
        """How many records of all topics it last said were in."""
        found = [line for line in self.output.read_text().splitlines() if line.startswith("positions {")]
        if not found:
            return 0
        try:
            positions = json.loads(found[-1].removeprefix("positions "))
        except json.JSONDecodeError:
            return 0
        return sum(sum(partitions.values()) for partitions in positions.values())

    def wait(self, count: int, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while self.inserted() < count:
            assert self.process is not None
            assert self.process.poll() is None, self.output.with_suffix(".err").read_text()
            assert time.monotonic() < deadline, f"{self.inserted()} of {count} records are in"
            time.sleep(0.05)


@pytest.fixture
def sink_on(tmp_path: Path) -> Iterator[Callable[[str, dict[str, str]], SinkProcess]]:
    """``sink_on(BOOTSTRAP, {"graph.journal": NAME, ...})`` makes a sink of those topics into ``tmp_path``."""
    made: list[SinkProcess] = []

    def make(bootstrap: str, topics: dict[str, str]) -> SinkProcess:
        command = [sys.executable, str(SINK), bootstrap, str(tmp_path), json.dumps(topics)]
        made.append(SinkProcess(command, tmp_path / "sink.out"))
        return made[-1]

    yield make
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.kill()


@pytest.fixture
def sink(broker: Any, sink_on: Any) -> Callable[[dict[str, str]], SinkProcess]:
    """As ``sink_on``, on the shared broker."""
    return lambda topics: sink_on(broker.bootstrap, topics)


@pytest.fixture
def produce_to() -> Callable[..., None]:
    """``produce_to(BOOTSTRAP, written, rename)`` produces to any broker."""
    return produce


ASK = """
import json, sys
from pathlib import Path
from pipeline.history.database import local
from pipeline.history.reading import opened
history = opened(local(Path(sys.argv[1])))
print(json.dumps([history.rows(query) for query in sys.argv[2:]]))
history.close()
"""


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., list[list[dict[str, Any]]]]:
    """Asks the files in ``tmp_path`` in a process of its own."""

    def asked(*queries: str) -> list[list[dict[str, Any]]]:
        done = subprocess.run(
            [sys.executable, "-c", ASK, str(tmp_path), *queries], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        found: list[list[dict[str, Any]]] = json.loads(done.stdout)
        return found

    return asked
