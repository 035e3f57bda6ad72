from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import inbound

from pipeline.kafka import topics
from pipeline.local import broker as local
from pipeline.local import processes

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[local.Broker]:
    """A broker of one's own, with Faultline's topics, that a test may stop."""
    running = local.start(tmp_path / "kafka")
    topics.ensure(running.bootstrap, partitions=inbound.PARTITIONS)
    yield running
    running.stop()


@pytest.fixture
def start(kafka: local.Broker, tmp_path: Path) -> Iterator[Start]:
    """Starts ingest workers on it; those that still run are ended after the test."""
    begun: list[subprocess.Popen[bytes]] = []

    def begin(instance: str = "ingest-0", **settings: str) -> subprocess.Popen[bytes]:
        begun.append(inbound.start(kafka.bootstrap, tmp_path, instance, **settings))
        return begun[-1]

    yield begin
    for process in begun:
        processes.stop(process, 15.0)
