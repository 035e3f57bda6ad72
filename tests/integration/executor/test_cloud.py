"""The demo cloud as a process: what is done to it, and only that, appears on Kafka."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from pipeline.actions import registry
from pipeline.actions.declaration import Context
from pipeline.local import broker, processes

pytestmark = pytest.mark.broker
SEED = {
    "domain": "north",
    "hosts": ["host-1", "host-2"],
    "servers": [
        {"id": "vm-1", "name": "web", "host": "host-1"},
        {"id": "vm-2", "host": "host-1", "answers": False},
    ],
}


@pytest.fixture
def cloud(own_broker: broker.Broker, tmp_path: Path) -> Iterator[dict[str, Any]]:
    seed, ready = tmp_path / "seed.json", tmp_path / "ready.json"
    seed.write_text(json.dumps(SEED), encoding="utf-8")
    command = [sys.executable, "-m", "pipeline.local.cloud", "--kafka", own_broker.bootstrap, "--pace", "0.1"]
    process = processes.spawn(
        [*command, "--seed", seed, "--ready", ready, "--token", "t-1"],
        output=tmp_path / "cloud.log",
        environment={"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]},
    )
    end = time.monotonic() + 20
    while not ready.exists():
        assert time.monotonic() < end, processes.tail(tmp_path / "cloud.log")
        time.sleep(0.05)
    yield json.loads(ready.read_text(encoding="utf-8"))
    assert processes.stop(process, 10), processes.tail(tmp_path / "cloud.log")


def changes(bootstrap: str, count: int) -> list[dict[str, Any]]:
    """The first ``count`` records, and any that come within half a second after them."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "none"})
    consumer.assign([TopicPartition("topology.changes", number, OFFSET_BEGINNING) for number in range(8)])
    found: list[dict[str, Any]] = []
    end = time.monotonic() + 20
    while time.monotonic() < end:
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            found.append(json.loads(message.value()))
            if len(found) == count:
                end = time.monotonic() + 0.5
    consumer.close()
    return found


def test_a_call_has_its_consequences_on_kafka(own_broker: broker.Broker, cloud: dict[str, Any]) -> None:
    context = Context(frozenset(cloud["allow"]), cloud["url"], "t-1")
    place = {"host": cloud["servers"]["vm-1"]["address"], "port": cloud["servers"]["vm-1"]["port"]}

    async def look() -> dict[str, Any]:
        found: dict[str, Any] = await registry.find("nova.servers_get").run(context, {"server": "vm-1"})
        return found

    async def play() -> None:
        assert (await look())["name"] == "web"
        await registry.find("nova.servers_migrate").run(context, {"server": "vm-1"})
        statuses = []
        while "ACTIVE" not in statuses:
            statuses.append((await look())["status"])
            await asyncio.sleep(0.01)
        assert list(dict.fromkeys(statuses)) == ["RESIZE", "VERIFY_RESIZE", "ACTIVE"]
        await registry.find("std.tcp_check").run(context, {**place, "expect": "SSH-2.0"})
        await context.close()

    asyncio.run(play())
    found = changes(own_broker.bootstrap, 5)
    assert {(one["source"], one["domain"]) for one in found} == {("nova", "north")}
    assert len({one["id"] for one in found}) == 5
    assert [one["time"] for one in found] == sorted(one["time"] for one in found)
    said = [
        (one["op"], one["relationship"]["source"]["id"]) if "relationship" in one else one["entity"]["state"]
        for one in found
    ]
    assert said == ["RESIZE", ("DELETE", "host-1"), ("UPSERT", "host-2"), "VERIFY_RESIZE", "ACTIVE"]
