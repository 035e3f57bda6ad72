"""What a worker says of itself while it runs and when it ends well."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.stage import PARTITIONS, Stage, make_common_topics, wait_for

from pipeline.kafka import reader

if TYPE_CHECKING:
    from pipeline.local.broker import Broker


@pytest.fixture
def stage(
    broker: Broker, topic: Callable[..., str], unique: Callable[[str], str], tmp_path: Path
) -> Iterator[Stage]:
    make_common_topics(broker.bootstrap)
    made = Stage(broker.bootstrap, topic, unique("status"), tmp_path)
    yield made
    made.workers.end()


def test_positions_are_those_of_the_log_and_a_clean_end_is_told(stage: Stage) -> None:
    group = stage.workers.arguments[1]

    def beat() -> dict[str, Any] | None:
        value = reader.table(stage.bootstrap, "roles.status", [0], "test")[0].get(f"{group}/a")
        return json.loads(value) if value else None

    def ends() -> dict[str, int]:
        extent = reader.extent(stage.bootstrap, stage.log, range(PARTITIONS), "test")
        return {str(number): end for number, (_, end) in extent.items()}

    load = stage.load()
    stage.workers.start("a")
    time.sleep(3)
    load.stop()
    wait_for("positions at the end", lambda: (beat() or {}).get("positions") == {stage.log: ends()}, 30)
    # Counters are asked for less often than positions.
    total = sum(ends().values())
    wait_for("counters", lambda: (beat() or {})["counters"]["read"] == total, 10)
    shown = beat()
    assert shown is not None
    assert shown["partitions"] == list(range(PARTITIONS))
    assert shown["counters"]["keys"] > 0
    assert shown["pid"] == stage.workers.running["a"].pid
    stage.workers.send("a", signal.SIGTERM)
    assert stage.workers.running.pop("a").wait(20) == 0
    assert beat() is None
