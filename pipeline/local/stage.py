"""What the demo plays on: the pipeline and the demo cloud, running, and the clients that watch them."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from confluent_kafka import Consumer, Producer

from ..console.client import Client
from ..errors import FaultlineError
from ..kafka import client
from ..settings import Settings
from . import incident, narrator, ports, processes, supervisor, watch

CLOUD_WITHIN = 20.0


@dataclass(slots=True)
class Stage:
    """The running pipeline, its clients, and what was seen so far; ``domain`` is the incident's own."""

    pipeline: supervisor.Pipeline
    api: Client
    producer: Producer
    reader: Consumer
    domain: str
    cloud: str
    seen: list[watch.Seen] = field(default_factory=list)
    roots: set[str] = field(default_factory=set)
    held: list[watch.Seen] = field(default_factory=list)

    def look(self) -> list[watch.Seen]:
        """What has happened in the incident's domain since the last look; looks after the roles, too."""
        supervisor.tend(self.pipeline)
        read = self.held + watch.read(self.reader)
        self.roots |= {
            one.value["root"]
            for one in read
            if one.topic == "workflow.commands" and _domain(one.value.get("by")) == self.domain
        }
        # Topics are read side by side: a step may come before the command that tells whose it is.
        self.held = [one for one in read if one.topic.startswith("workflow.") and not self._ours(one)][-1000:]
        fresh = [one for one in read if self._ours(one)]
        self.seen += fresh
        return fresh

    def send(self, record: incident.Record) -> int:
        """Publishes one record; returns the broker's append time in microseconds."""
        stamps: list[int] = []
        topic, value = record
        self.producer.produce(
            topic,
            json.dumps(value),
            self.domain,
            on_delivery=lambda error, message: None if error else stamps.append(message.timestamp()[1]),
        )
        self.producer.flush(30)
        if not stamps:
            raise FaultlineError(f"{topic} takes no records; look at the broker's log in the data directory")
        return stamps[0] * 1000

    def calls(self) -> dict[str, dict[str, int]]:
        """How often each server of the cloud was told to change, by verb."""
        with build_opener(ProxyHandler({})).open(Request(f"{self.cloud}/demo/calls"), timeout=10) as answer:
            found: dict[str, dict[str, int]] = json.load(answer)["calls"]
        return found

    def _ours(self, one: watch.Seen) -> bool:
        if one.topic.startswith("workflow."):
            return one.value.get("root") in self.roots
        return _domain(one.value) == self.domain


@contextmanager
def staged(settings: Settings, *, pace: float = 1.0) -> Iterator[Stage]:
    """Starts broker, roles and the demo cloud, and stops them at the end. Main thread only.

    ``pace`` stretches or shortens the cloud's delays. Raises what ``supervisor.start`` raises.
    """
    domain = f"demo-{time.strftime('%Y%m%d-%H%M%S')}"
    port, token = ports.free(), secrets.token_urlsafe(16)
    url = f"http://127.0.0.1:{port}"
    own = replace(
        settings,
        cloud_url=f"{url}/v2.1",
        cloud_token=token,
        # The demo's cloud and its servers are on this machine, at ports of the system's choice.
        http_allow=(*settings.http_allow, "127.0.0.1:*"),
    )
    pipeline = supervisor.start(own, show=False)
    cloud = reader = None
    try:
        bootstrap = pipeline.settings.kafka or ""
        seed, ready = settings.data / "cloud.json", settings.data / "cloud.ready.json"
        seed.write_text(json.dumps(incident.cloud_seed(domain)), encoding="utf-8")
        ready.unlink(missing_ok=True)
        arguments: list[str] = ["--kafka", bootstrap, "--seed", str(seed), "--ready", str(ready)]
        arguments += ["--port", str(port), "--token", token, "--pace", str(pace)]
        command = [sys.executable, "-P", "-m", "pipeline.local.cloud", *arguments]
        cloud = processes.spawn(command, output=settings.data / "logs" / "cloud.log")
        _await(ready, cloud, settings.data / "logs" / "cloud.log")
        reader = watch.open_at_end(bootstrap, "faultline-demo", narrator.TOPICS)
        producer = Producer(client.producer(bootstrap, "demo"))
        api = Client(pipeline.settings.api or "", pipeline.settings.token or "")
        yield Stage(pipeline, api, producer, reader, domain, url)
    finally:
        if reader is not None:
            reader.close()
        if cloud is not None:
            processes.stop(cloud, 5)
        supervisor.stop(pipeline)


def _domain(value: dict[str, Any] | None) -> str:
    return str((value or {}).get("domain", "default"))


def _await(ready: Path, cloud: Any, log: Path) -> None:
    end = time.monotonic() + CLOUD_WITHIN
    while not ready.exists():
        if cloud.poll() is not None or time.monotonic() > end:
            raise FaultlineError(
                f"the demo cloud does not come up; the end of its log:\n{processes.tail(log)}"
            )
        time.sleep(0.05)
