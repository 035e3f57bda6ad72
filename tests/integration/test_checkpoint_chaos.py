"""Workers are killed, stopped and woken, joined and left in the middle of a load on a real broker.

The log is its own oracle: whatever happened, the state must be that of its records in
order, no output may be missing, and what came twice must be the same bytes.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from support.log_oracle import judge, wait_until_applied

from pipeline.kafka import reader

if TYPE_CHECKING:
    from pipeline.local.broker import Broker

PARTITIONS = 4
KEYS = 400
RATE = 1_000
SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)


class Load:
    """Produces records to the log at a steady rate until it is stopped."""

    def __init__(self, bootstrap: str, log: str, seed: int) -> None:
        self.producer = Producer(
            {"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 5}
        )
        self.log = log
        self.random = random.Random(seed)
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def send(self, record: dict[str, object]) -> None:
        self.producer.produce(self.log, json.dumps(record).encode(), str(record["key"]).encode())

    def _run(self) -> None:
        while not self.stopping.wait(0.02):
            for _ in range(RATE // 50):
                draw = self.random
                op = {"op": "delete"} if draw.random() < 0.03 else {"outputs": draw.choice((1, 1, 2))}
                self.send({"key": f"k{draw.randrange(KEYS)}", "n": draw.random(), **op})
            self.producer.poll(0)

    def stop(self) -> None:
        self.stopping.set()
        self.thread.join()
        assert self.producer.flush(20) == 0


class Workers:
    """Worker processes by instance name, ended by their own ids."""

    def __init__(self, arguments: list[str], directory: Path) -> None:
        self.arguments = arguments
        self.directory = directory
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.starts = 0

    def start(self, instance: str) -> Path:
        """Starts one and returns its log file."""
        self.starts += 1
        output = self.directory / f"worker-{instance}-{self.starts}.log"
        root = Path(__file__).resolve().parents[2]
        command = [
            sys.executable,
            str(root / "tests/support/counter_worker.py"),
            *self.arguments,
            instance,
            str(self.directory / instance),
        ]
        with output.open("wb") as stream:
            self.running[instance] = subprocess.Popen(
                command, stdout=stream, stderr=stream, env={**os.environ, "PYTHONPATH": str(root)}
            )
        return output

    def send(self, instance: str, number: int) -> None:
        self.running[instance].send_signal(number)

    def kill(self, instance: str) -> None:
        process = self.running.pop(instance)
        process.kill()
        process.wait(10)

    def end(self) -> None:
        for process in self.running.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait(10)


class Stage:
    """The topics of one test, their load and their workers."""

    def __init__(self, bootstrap: str, topic: Callable[..., str], group: str, directory: Path) -> None:
        self.bootstrap = bootstrap
        self.log = topic("log", partitions=PARTITIONS, **{"message.timestamp.type": "LogAppendTime"})
        self.kept = topic("kept", partitions=PARTITIONS, **{"cleanup.policy": "compact"})
        self.out = topic("out", partitions=PARTITIONS)
        arguments = [bootstrap, group, self.log, self.kept, self.out]
        self.workers = Workers(arguments, directory)

    def load(self) -> Load:
        return Load(self.bootstrap, self.log, SEED)

    def finish(self) -> None:
        wait_until_applied(self.bootstrap, self.log, self.kept, PARTITIONS, 60)
        verdict = judge(self.bootstrap, self.log, self.kept, self.out, PARTITIONS)
        print(verdict)
        assert verdict.right, verdict


@pytest.fixture
def stage(
    broker: Broker, topic: Callable[..., str], unique: Callable[[str], str], tmp_path: Path
) -> Iterator[Stage]:
    print(f"CHAOS_SEED={SEED}")
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    for name, config in (("dead.letters", {}), ("roles.status", {"cleanup.policy": "compact"})):
        try:
            admin.create_topics([NewTopic(name, 1, 1, config=config)])[name].result(20)
        except KafkaException as error:
            if "ALREADY_EXISTS" not in error.args[0].name():
                raise
    made = Stage(broker.bootstrap, topic, unique("chaos"), tmp_path)
    yield made
    made.workers.end()


def taken_over(output: Path) -> list[tuple[int, int, int]]:
    """(partition, offset, keys) of each take-over that a worker logged."""
    found = []
    for line in output.read_text().splitlines():
        if "] taken over at offset " in line:
            head, tail = line.split("] taken over at offset ")
            offset, keys = tail.split(" keys")[0].split(": ")
            found.append((int(head.rsplit("[", 1)[1]), int(offset), int(keys)))
    return found


def wait_for(what: str, check: Callable[[], bool], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not check():
        assert time.monotonic() < deadline, f"waited {timeout} s for: {what}"
        time.sleep(0.05)


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
