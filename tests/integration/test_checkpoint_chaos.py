"""Workers are killed, stopped and woken, joined and left in the middle of a load on a real broker.

The log is its own oracle: whatever happened, the state must be that of its records in
order, no output may be missing, and what came twice must be the same bytes.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.log_oracle import judge, wait_until_applied
from support.stage import PARTITIONS, SEED, Stage, make_common_topics, taken_over, wait_for

from pipeline.kafka import reader

if TYPE_CHECKING:
    from pipeline.local.broker import Broker


@pytest.fixture
def stage(
    broker: Broker, topic: Callable[..., str], unique: Callable[[str], str], tmp_path: Path
) -> Iterator[Stage]:
    print(f"CHAOS_SEED={SEED}")
    make_common_topics(broker.bootstrap)
    made = Stage(broker.bootstrap, topic, unique("chaos"), tmp_path)
    yield made
    made.workers.end()


def test_killed_again_and_again(stage: Stage) -> None:
    draw = random.Random(SEED)
    load = stage.load()
    for blow in range(6):
        output = stage.workers.start("a")
        wait_for("a take-over", lambda: len(taken_over(output)) == PARTITIONS, 30)  # noqa: B023
        if blow:
            # Every restore read something: the blow before came after several checkpoints.
            assert all(keys > 0 for _, _, keys in taken_over(output)), taken_over(output)
        time.sleep(draw.uniform(1.6, 3.0))
        stage.workers.kill("a")
    stage.workers.start("a")
    load.stop()
    stage.finish()


def test_joined_left_and_woken(stage: Stage) -> None:
    load = stage.load()
    first = stage.workers.start("a")
    wait_for("a take-over", lambda: len(taken_over(first)) == PARTITIONS, 30)
    time.sleep(2)
    second = stage.workers.start("b")
    wait_for("b's share", lambda: len(taken_over(second)) > 0, 30)
    assert all(keys > 0 for _, _, keys in taken_over(second))
    time.sleep(2)
    stage.workers.send("b", signal.SIGTERM)
    assert stage.workers.running.pop("b").wait(20) == 0
    wait_for("a has it all again", lambda: len(taken_over(first)) > PARTITIONS, 30)
    third = stage.workers.start("b")
    wait_for("b's share", lambda: len(taken_over(third)) > 0, 30)
    time.sleep(2)
    before = len(taken_over(first))
    stage.workers.send("b", signal.SIGSTOP)
    wait_for("b's session to end and a to take over", lambda: len(taken_over(first)) > before, 30)
    time.sleep(2)
    stage.workers.send("b", signal.SIGCONT)
    # It must find itself fenced and end, before it writes anything.
    assert stage.workers.running.pop("b").wait(20) == 1
    assert "Fenced" in third.read_text()
    fourth = stage.workers.start("b")
    wait_for("b's share", lambda: len(taken_over(fourth)) > 0, 30)
    time.sleep(1)
    load.stop()
    stage.finish()


def test_a_record_that_kills_is_set_aside(stage: Stage) -> None:
    load = stage.load()
    stage.workers.start("a")
    time.sleep(4)
    load.send({"key": "killer", "kill": True})
    load.send({"key": "large", "size": 2_400_000})
    time.sleep(0.5)
    load.stop()
    letters: dict[str, tuple[int, int]] = {}

    def both_set_aside() -> bool:
        process = stage.workers.running["a"]
        if process.poll() is not None:
            stage.workers.start("a")
        for batch in reader.messages(stage.bootstrap, "dead.letters", [0], "test"):
            for message in batch:
                headers = {name: value.decode() for name, value in message.headers()}
                if headers["topic"] == stage.log:
                    place = (int(headers["partition"]), int(headers["offset"]))
                    letters[headers["reason"]] = place
        return len(letters) == 2

    wait_for("two dead letters", both_set_aside, 60)
    assert set(letters) == {"never-finished", "output-too-large"}
    aside: dict[int, frozenset[int]] = {}
    for number, offset in letters.values():
        aside[number] = aside.get(number, frozenset()) | {offset}
    wait_until_applied(stage.bootstrap, stage.log, stage.kept, PARTITIONS, 60)
    verdict = judge(stage.bootstrap, stage.log, stage.kept, stage.out, PARTITIONS, aside)
    print(verdict, "starts:", stage.workers.starts)
    assert verdict.right, verdict
