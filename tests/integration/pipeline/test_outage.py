"""The pipeline stands still for longer than its rules wait, the sources do not: nothing comes early."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Message
from support.pipeline_local import Pipeline, everything, plain_producer, running, send, until
from support.pipeline_records import alarm, entity

from pipeline.local import broker as local

pytestmark = [pytest.mark.broker, pytest.mark.slow]

#: Seconds that rules wait, and for how long at least the pipeline is away.
WAIT, AWAY = 6, 10
DOMAIN = "outage"
RULES = f"""\
metadata: {{version: 3, name: waits}}
entities:
  any: {{category: ALARM, type: nagios}}
  beat: {{category: ALARM, type: nagios, name: BEAT}}
  flap: {{category: ALARM, type: nagios, name: FLAP}}
  host: {{type: nova.host}}
scenarios:
  - condition: any [on] host
    for: {WAIT}s
    actions: [{{raise_alarm: {{target: host, alarm_name: 'get_attr(any, name)', severity: WARNING}}}}]
  - condition: flap [on] host
    within: {WAIT}s
    at_least: 3
    actions: [{{raise_alarm: {{target: host, alarm_name: many, severity: WARNING}}}}]
  - condition: host AND NOT beat [on] host
    not_seen_for: {WAIT}s
    actions: [{{raise_alarm: {{target: host, alarm_name: silent, severity: CRITICAL}}}}]
"""


@contextmanager
def beating(bootstrap: str, host: str) -> Iterator[None]:
    """Reports one alarm over and over, whoever listens."""
    producer, enough = plain_producer(bootstrap), threading.Event()

    def beat() -> None:
        for number in count():
            send(producer, [alarm(DOMAIN, "BEAT", host, f"beat-{number}", status="ACTIVE")])
            if enough.wait(0.5):
                return

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


def deduced(bootstrap: str) -> dict[tuple[str, str], Message]:
    """The first of each deduced alarm's records, by name and status."""
    found: dict[tuple[str, str], Message] = {}
    for message in everything(bootstrap, "alarms.deduced"):
        said: dict[str, Any] = json.loads(message.value() or b"")["alarm"]
        found.setdefault((said["name"], said["status"]), message)
    return found


def appended(bootstrap: str, identity: str) -> int:
    """When Kafka took a raw alarm's record, in milliseconds."""
    [message] = [
        each
        for each in everything(bootstrap, "alarms.raw")
        if f'"{identity}"'.encode() in (each.value() or b"")
    ]
    return int(message.timestamp()[1])


def test_a_pipeline_that_was_away_is_early_for_nobody(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "waits.yaml").write_text(RULES)
    kafka = local.start(tmp_path / "broker")
    try:
        _play(tmp_path, kafka.bootstrap)
    finally:
        kafka.stop()


def _play(tmp_path: Path, bootstrap: str) -> None:
    producer = plain_producer(bootstrap)

    def tell(name: str, status: str = "ACTIVE") -> None:
        send(producer, [alarm(DOMAIN, name, "h", f"{name}-{status}-{time.monotonic_ns()}", status=status)])

    def run() -> AbstractContextManager[Pipeline]:
        return running(tmp_path, "--kafka", bootstrap, "--partitions", "1", rules=tmp_path / "rules")

    with ExitStack() as later:
        with run() as pipeline:
            later.enter_context(beating(bootstrap, "h"))
            send(producer, [entity(DOMAIN, "nova.host", "h")])
            pipeline.settle(60)
        stopped = time.monotonic()
        for _ in range(3):
            tell("FLAP")
            tell("FLAP", "CLEARED")
            time.sleep(WAIT / 2 + 0.5)
        time.sleep(max(0.0, stopped + AWAY - time.monotonic()))
        send(producer, [alarm(DOMAIN, "STAYS", "h", "stays")])
        with run() as pipeline:
            pipeline.settle(60)
            until("what stays", lambda: ("STAYS", "ACTIVE") in deduced(bootstrap), 60, 0.5)
            found = deduced(bootstrap)
            waited = found["STAYS", "ACTIVE"].timestamp()[1] - appended(bootstrap, "stays")
            assert waited >= WAIT * 1000
            assert {name for name, _ in found} <= {"STAYS", "BEAT"}, "neither FLAP, nor many, nor silent"
            later.close()
            until("the silence", lambda: ("silent", "ACTIVE") in deduced(bootstrap), 60, 0.5)
