"""The broker itself goes away under load: stopped for ten seconds, then killed. Nobody intervenes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from support.stage import PARTITIONS, SEED, Stage, make_common_topics, taken_over, wait_for

from pipeline.local import broker as local


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    print(f"CHAOS_SEED={SEED}")
    own = local.start(tmp_path / "broker")
    admin = AdminClient({"bootstrap.servers": own.bootstrap})

    def make(name: str, partitions: int, **config: str) -> str:
        admin.create_topics([NewTopic(name, partitions, 1, config=config)])[name].result(20)
        return name

    make_common_topics(own.bootstrap)
    made = Stage(own.bootstrap, make, "outage", tmp_path)
    made.broker = own
    yield made
    made.workers.end()
    made.broker.stop()


def test_the_broker_goes_away(stage: Stage, tmp_path: Path) -> None:
    load = stage.load()
    output = stage.workers.start("a")
    wait_for("a take-over", lambda: len(taken_over(output)) == PARTITIONS, 30)
    time.sleep(2)
    stage.broker.stop()
    time.sleep(10)
    stage.broker = local.start(tmp_path / "broker")
    time.sleep(5)
    stage.broker.kill()
    stage.broker = local.start(tmp_path / "broker")
    # If the worker has given up, its supervisor would start it again.
    time.sleep(5)
    print("worker still the same process:", stage.workers.running["a"].poll() is None)
    if stage.workers.running["a"].poll() is not None:
        print(output.read_text()[-3000:])
        stage.workers.start("a")
    load.stop()
    stage.finish()
