"""Actions a second through one executor process, from ``workflow.actions`` to their results."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from pipeline.kafka import topics
from pipeline.kafka.outbox import producer
from pipeline.local import broker, processes

pytestmark = [pytest.mark.slow, pytest.mark.broker]
WORKER = Path(__file__).resolve().parents[2] / "support" / "executor_worker.py"
ACTIONS = 20_000
RATE = 500


class Load:
    """Asks for actions and takes down when each result came."""

    def __init__(self, bootstrap: str) -> None:
        self.producer = producer(bootstrap, "bench")
        self.consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "none"})
        self.consumer.assign([TopicPartition("workflow.commands", one, OFFSET_BEGINNING) for one in range(8)])
        self.asked: dict[str, float] = {}
        self.came: dict[str, float] = {}

    def ask(self, id_: str) -> None:
        root = f"root-{hash(id_) % 500}"
        work = {"id": id_, "root": root, "execution": root, "task": id_, "action": "std.noop", "input": {}}
        self.asked[id_] = time.perf_counter()
        self.producer.produce("workflow.actions", json.dumps(work).encode(), id_.encode())
        self.producer.poll(0)

    def take(self, timeout: float) -> None:
        message = self.consumer.poll(timeout)
        while message is not None:
            if message.error() is None:
                self.came.setdefault(json.loads(message.value())["action"], time.perf_counter())
            message = self.consumer.poll(0)

    def finish(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while len(self.came) < len(self.asked):
            assert time.monotonic() < end, f"{len(self.came)} of {len(self.asked)}"
            self.take(0.01)

    def latency(self, part: float, prefix: str) -> float:
        """In milliseconds, of those whose ids begin so."""
        spans = sorted(self.came[one] - at for one, at in self.asked.items() if one.startswith(prefix))
        return spans[min(len(spans) - 1, int(part * len(spans)))] * 1000


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    running = broker.start(tmp_path / "broker")
    topics.ensure(running.bootstrap)
    options = json.dumps({"bootstrap": running.bootstrap, "instance": "bench", "slots": 128})
    worker = processes.spawn(
        [sys.executable, WORKER, options],
        output=tmp_path / "worker.log",
        environment={"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]},
    )
    made = Load(running.bootstrap)
    yield made
    made.consumer.close()
    processes.stop(worker, 20)
    running.stop()


def test_actions_a_second(load: Load) -> None:
    load.ask("first")
    load.finish(60)
    began = time.perf_counter()
    for number in range(ACTIONS):
        load.ask(f"burst-{number}")
    load.producer.flush(30)
    load.finish(120)
    took = time.perf_counter() - began
    began = time.perf_counter()
    for number in range(10 * RATE):
        while time.perf_counter() < began + number / RATE:
            load.take(0.001)
        load.ask(f"steady-{number}")
    load.finish(60)
    p50, p99 = load.latency(0.5, "steady"), load.latency(0.99, "steady")
    print(f"\n{ACTIONS} std.noop at once: {ACTIONS / took:.0f}/s")
    print(f"{RATE}/s: request to result p50 {p50:.0f} ms, p99 {p99:.0f} ms")
    assert len(load.came) == 1 + ACTIONS + 10 * RATE
