"""A whole pipeline on a directory of its own, driven by the commands that a user types."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Message, Producer, TopicPartition

from pipeline.console.client import Client
from pipeline.errors import FaultlineError
from pipeline.kafka import client
from pipeline.local import instance, processes
from pipeline.local.instance import Instance

ROLES = ("ingest", "correlate", "workflow", "executor", "history")
PARTITIONS = 8


@dataclass(slots=True)
class Pipeline:
    """What runs on ``data``; workers beside the supervised ones are in ``beside`` by their instance."""

    data: Path
    process: subprocess.Popen[bytes]
    beside: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def instance(self) -> Instance:
        found = instance.read(self.data)
        assert found is not None, processes.tail(self.data.parent / "up.log", 60)
        return found

    @property
    def bootstrap(self) -> str:
        return self.instance.kafka

    def command(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """One ``faultline`` command on this pipeline."""
        return subprocess.run(
            [sys.executable, "-P", "-m", "pipeline", *arguments, "--data", str(self.data)],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            cwd=self.data.parent,
            env=environment(),
        )

    def settle(self, seconds: float = 60) -> None:
        """``faultline status --wait``: all that came in can be read from history."""
        done = self.command("status", "--wait", str(seconds), timeout=seconds + 60)
        assert done.returncode == 0, done.stderr + processes.tail(self.data.parent / "up.log", 40)

    def sql(self, query: str) -> list[dict[str, Any]]:
        """The rows that ``faultline sql`` prints."""
        done = self.command("sql", "--json", query)
        assert done.returncode == 0, done.stderr
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows

    def status(self) -> dict[str, Any]:
        """What ``faultline status --json`` prints; asked directly, for it is asked often."""
        found = self.instance
        answer: dict[str, Any] = Client(found.api, found.token).get("/api/status")
        return answer

    def owned(self, role: str) -> dict[str, list[int]]:
        """The partitions that each instance of ``role`` says it owns, of those heard of lately."""
        found: dict[str, list[int]] = {}
        with suppress(FaultlineError):
            for each in self.status()["roles"]:
                if each["role"] == role and each["alive"]:
                    found[each["instance"]] = each["partitions"]
        return found

    def pid(self, role: str) -> int | None:
        """The supervised process of ``role``; ``broker`` is one too."""
        for pid, arguments in children(self.process.pid):
            if role == "broker" and "kafka.Kafka" in arguments:
                return pid
            if "--role" in arguments and arguments[arguments.index("--role") + 1] == role:
                return pid
        return None

    def kill(self, role: str, number: int = signal.SIGKILL) -> int:
        """Sends ``number`` to the supervised process of ``role``, once there is one; returns its id."""
        found: list[int] = []

        def there() -> bool:
            pid = self.pid(role)
            found[:] = [] if pid is None else [pid]
            return bool(found)

        until(f"{role} to run", there, 30)
        os.kill(found[0], number)
        return found[0]

    def start_beside(self, role: str, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """A further ``faultline worker`` of ``role``, which nobody starts again."""
        directory = self.data.parent / f"beside-{name}"
        directory.mkdir(exist_ok=True)
        variables = environment() | {"FAULTLINE_INSTANCE": name, "FAULTLINE_KAFKA": self.bootstrap}
        command = [sys.executable, "-P", "-m", "pipeline", "worker"]
        process = processes.spawn(
            [*command, "--role", role, "--data", str(directory), *arguments],
            output=directory / "worker.log",
            environment=variables,
            directory=directory,
        )
        self.beside[name] = process
        return process

    def kill_beside(self, name: str) -> None:
        process = self.beside.pop(name)
        process.kill()
        process.wait(20)

    def stop_beside(self) -> None:
        for process in self.beside.values():
            processes.stop(process, 20)
        self.beside.clear()


@contextmanager
def running(directory: Path, *arguments: str, rules: Path | None = None) -> Iterator[Pipeline]:
    """``faultline up`` on ``directory``, ready, and stopped at the end. Main thread only."""
    data = directory / "data"
    command = [sys.executable, "-P", "-m", "pipeline", "up", "--data", str(data)]
    if rules is not None:
        command += ["--rules", str(rules)]
    if "--partitions" not in arguments:
        command += ["--partitions", str(PARTITIONS)]
    process = processes.spawn(
        [*command, *arguments], output=directory / "up.log", environment=environment(), directory=directory
    )
    pipeline = Pipeline(data, process)
    try:
        until(
            "the pipeline to be ready",
            lambda: process.poll() is not None or instance.read(data) is not None,
            120,
        )
        assert instance.read(data) is not None, processes.tail(directory / "up.log", 60)
        yield pipeline
    finally:
        pipeline.stop_beside()
        processes.stop(process, 60)


def environment() -> dict[str, str]:
    """This process's environment without settings of a pipeline that it may live in."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FAULTLINE_")}
    if cache := os.environ.get("FAULTLINE_CACHE"):
        kept["FAULTLINE_CACHE"] = cache
    # The program must be found from wherever the command is run.
    root = str(Path(__file__).resolve().parents[2])
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, (root, kept.get("PYTHONPATH"))))}


def children(parent: int) -> Iterator[tuple[int, list[str]]]:
    """The processes that ``parent`` has started, each with its arguments."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError, IndexError, ValueError):
            if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                arguments = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                yield int(entry.name), [one for one in arguments if one]


def until(what: str, check: Callable[[], object], seconds: float, pause: float = 0.05) -> None:
    """Waits for ``check`` to come true; fails naming ``what`` at the time-out."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, f"waited {seconds:.0f} s for {what}"
        time.sleep(pause)


def plain_producer(bootstrap: str, **options: Any) -> Producer:
    """A producer as somebody else would make one: none of our settings but for patience."""
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "log_level": 0,
            "linger.ms": 5,
            "message.max.bytes": 2_000_000,
            "queue.buffering.max.messages": 500_000,
            "enable.idempotence": True,
            **options,
        }
    )


def send(producer: Producer, records: Sequence[tuple[str, str | None, bytes | None]]) -> None:
    """Sends ``(topic, key, value)`` records and waits until Kafka has them all."""
    failed: list[str] = []

    def delivered(error: Any, _: Message) -> None:
        if error is not None:
            failed.append(error.str())

    for topic, key, value in records:
        while True:
            try:
                producer.produce(topic, value, key, on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.05)
        producer.poll(0)
    assert producer.flush(60) == 0
    assert not failed, failed[:3]


def everything(bootstrap: str, topic: str) -> list[Message]:
    """All committed records of ``topic``, each partition in its order."""
    reader = Consumer(client.reader(bootstrap, "tests") | {"enable.partition.eof": True})
    found: list[Message] = []
    try:
        numbers = reader.list_topics(topic, timeout=20).topics[topic].partitions
        left = set(numbers)
        reader.assign([TopicPartition(topic, number, 0) for number in sorted(left)])
        end = time.monotonic() + 60
        while left:
            assert time.monotonic() < end, f"{topic} could not be read to its end"
            for message in reader.consume(2000, 0.2):
                if message.error() is None:
                    found.append(message)
                else:
                    left.discard(message.partition())
    finally:
        reader.close()
    return found


def cpu(pid: int) -> float:
    """Seconds of processor time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
