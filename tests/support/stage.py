"""What tests with worker processes share: topics, a load, workers, and waiting for things."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from .log_oracle import judge, wait_until_applied

PARTITIONS = 4
KEYS = 400
RATE = 1_000
SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)


class Load:
    """Produces records to the log at a steady rate until it is stopped."""

    def __init__(self, bootstrap: str, log: str, seed: int) -> None:
        self.producer = Producer(
            {"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 5, "log_level": 0}
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
        self.broker: Any = None
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


def make_common_topics(bootstrap: str) -> None:
    """The topics that every worker writes to under their own names."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    wanted: dict[str, dict[str, str]] = {"dead.letters": {}, "roles.status": {"cleanup.policy": "compact"}}
    for name, config in wanted.items():
        try:
            admin.create_topics([NewTopic(name, 1, 1, config=config)])[name].result(20)
        except KafkaException as error:
            if "ALREADY_EXISTS" not in error.args[0].name():
                raise


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
