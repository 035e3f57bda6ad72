"""Records in Confluent's framing, with a real registry behind them."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import msgspec
import pytest
from support import apicurio, inbound

from pipeline import avro
from pipeline.codec import Codec
from pipeline.errors import SchemaRefused
from pipeline.kafka.registry import HttpRegistry
from pipeline.local.broker import Broker
from pipeline.resources import shipped

Start = Callable[..., subprocess.Popen[bytes]]
SCHEMAS = avro.current(shipped("schemas"))


def framed(identity: int, number: int) -> bytes:
    return b"\x00" + identity.to_bytes(4, "big") + SCHEMAS["alarms.raw"].write(inbound.alarm(number))


def test_framed_records_are_read_and_wait_for_a_registry_that_is_away(
    kafka: Broker, start: Start, tmp_path: Path
) -> None:
    with apicurio.registry(tmp_path) as (url, registry):
        identity = HttpRegistry(url).register("alarms.raw-value", SCHEMAS["alarms.raw"].text)
        worker = start(FAULTLINE_REGISTRY=url)
        send(kafka, identity, range(50))
        inbound.eventually(lambda: len(inbound.ids(kafka.bootstrap)) == 50, "framed records")
        send(kafka, identity + 1_000, range(1))
        inbound.eventually(lambda: bool(letters(kafka)), "an unknown id set aside")
        assert letters(kafka) == [b"unknown-schema"]

        registry.send_signal(signal.SIGSTOP)
        send(kafka, identity, range(50, 60))
        inbound.eventually(lambda: len(inbound.ids(kafka.bootstrap)) == 60, "a known schema needs none")
        worker.terminate()
        assert worker.wait(20) == 0

        worker = start(FAULTLINE_REGISTRY=url)
        send(kafka, identity, range(60, 70))
        log = tmp_path / "ingest-0.log"
        inbound.eventually(lambda: "does not answer" in log.read_text(), "the outage noticed")
        entity: dict[str, Any] = {"id": "e", "time": "2026-01-05T10:00:00Z", "source": "nova", "op": "UPSERT"}
        entity["entity"] = {"type": "t", "id": "1"}
        inbound.produce(kafka.bootstrap, [("topology.changes", msgspec.json.encode(entity))])
        inbound.eventually(
            lambda: len(inbound.ids(kafka.bootstrap)) == 61, "a partition that needs no registry"
        )
        registry.send_signal(signal.SIGCONT)
        inbound.eventually(lambda: len(inbound.ids(kafka.bootstrap)) == 71, "what had waited")
    assert letters(kafka) == [b"unknown-schema"], "an outage is no fault of a record"
    assert worker.poll() is None
    inbound.claims(kafka.bootstrap)


def send(kafka: Broker, identity: int, numbers: range) -> None:
    inbound.produce(kafka.bootstrap, [("alarms.raw", framed(identity, number)) for number in numbers])


def letters(kafka: Broker) -> list[bytes]:
    found = inbound.read(kafka.bootstrap, "dead.letters")
    return [dict(message.headers() or [])["reason"] for message in found]


def test_what_goes_out_is_registered_and_read_by_its_id(tmp_path: Path) -> None:
    with apicurio.registry(tmp_path) as (url, _):
        shelf = HttpRegistry(url)
        names = {"root": "r", "execution": "e", "kind": "TASK", "name": "n", "state": "IDLE"}
        step = {"id": "s", "time": "t", **names}
        value = Codec(shelf).encode("workflow.steps", step)
        assert value[:1] == b"\x00"
        assert Codec(HttpRegistry(url)).decode(value) == step
        again = shelf.register("workflow.steps-value", SCHEMAS["workflow.steps"].text)
        assert again == int.from_bytes(value[1:5])

        backward = msgspec.json.encode({"compatibility": "BACKWARD"})
        headers = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
        with urlopen(Request(f"{url}/config/workflow.steps-value", backward, headers, method="PUT")):
            pass
        fields = [{"name": "id", "type": "long"}]
        other = {"type": "record", "name": "Step", "namespace": "faultline", "fields": fields}
        with pytest.raises(SchemaRefused, match=r"workflow\.steps-value"):
            shelf.register("workflow.steps-value", msgspec.json.encode(other).decode())
