"""How fast records go from the inbound topic to the outputs, and what a record costs each process."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from support.pipeline_local import PARTITIONS, ROLES, Pipeline, cpu, environment, plain_producer, until
from support.pipeline_records import Sent
from world import alarms

from pipeline.kafka import client
from pipeline.local import processes

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE, OUT = "bench.in", "bench.out"
PATIENCE = 900.0


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement. ``rate`` is that of the last nine tenths; ``cpu`` is microseconds a record."""

    name: str
    records: int
    seconds: float
    rate: float
    cpu: dict[str, float]
    readable: float = 0.0
    counted: int = 0


class Ends:
    """How many records have ever been written to topics."""

    def __init__(self, bootstrap: str) -> None:
        self._reader = Consumer(client.reader(bootstrap, "bench"))

    def count(self, topic: str) -> int:
        return sum(
            self._reader.get_watermark_offsets(TopicPartition(topic, number), timeout=30)[1]
            for number in range(PARTITIONS)
        )

    def close(self) -> None:
        self._reader.close()


def pipeline_run(pipeline: Pipeline, domains: list[str], kind: str, number: int, hosts: int) -> Run:
    """``number`` different alarms of ``kind`` through the whole pipeline, counted in ClickHouse."""
    output = "alarms.deduced" if kind == "READ" else "graph.journal"
    pids = {role: pipeline.pid(role) or 0 for role in ("broker", *ROLES)}
    before = {role: cpu(pid) for role, pid in pids.items()}
    records = list(alarms(domains, number, kind, hosts))
    began, seconds, rate = _through(pipeline.bootstrap, records, output)
    pipeline.settle(300)
    readable = time.monotonic() - began
    used = {role: (cpu(pid) - before[role]) / number * 1e6 for role, pid in pids.items()}
    deduced = "deduced AND startsWith(name, 'DEDUCED ')" if kind == "READ" else "NOT deduced"
    # The keys of the very alarms that were sent: each one once.
    prefix = f"startsWith(record, '{kind}-h-')"
    [row] = pipeline.sql(f"SELECT uniqExact(domain, key) AS n FROM alarms WHERE {deduced} AND {prefix}")
    what = "alarms that each raise one" if kind == "READ" else "alarms that no rule reads"
    return Run(what, number, seconds, rate, used, readable, int(row["n"]))


def bare_run(pipeline: Pipeline, domains: list[str], kind: str, number: int, hosts: int, outputs: int) -> Run:
    """The same records through a bare agent that produces ``outputs`` records of each."""
    records = [(SOURCE, key, value) for _, key, value in alarms(domains, number, kind, hosts)]
    admin = AdminClient({"bootstrap.servers": pipeline.bootstrap})
    with _topics(admin), _agent(pipeline, outputs) as pid:
        pids = {"broker": pipeline.pid("broker") or 0, "agent": pid}
        before = {role: cpu(each) for role, each in pids.items()}
        _, seconds, rate = _through(pipeline.bootstrap, records, OUT, outputs)
        used = {role: (cpu(each) - before[role]) / number * 1e6 for role, each in pids.items()}
    return Run(f"bare agent, {outputs} output{'s' * (outputs > 1)} a record", number, seconds, rate, used)


def _through(
    bootstrap: str, records: list[Sent], output: str, outputs: int = 1
) -> tuple[float, float, float]:
    """Sends ``records`` at once and waits for ``outputs`` of each: start, seconds, records a second."""
    ends = Ends(bootstrap)
    try:
        start = ends.count(output)
        producer = plain_producer(bootstrap, **{"linger.ms": 20, "compression.type": "lz4"})
        goal = len(records) * outputs
        first: tuple[float, int] | None = None
        began = time.monotonic()
        _produce(producer, records)
        while True:
            now, count = time.monotonic(), ends.count(output) - start
            if first is None and count >= goal // 10:
                first = (now, count)
            if count >= goal:
                break
            if now > began + PATIENCE:
                raise SystemExit(f"{count} of {goal} records of {output} after {PATIENCE:.0f} s")
            time.sleep(0.1)
    finally:
        ends.close()
    steady = (count - first[1]) / (now - first[0]) / outputs if now > first[0] else 0.0
    return began, now - began, steady


def _produce(producer: object, records: Iterable[Sent]) -> None:
    for index, (topic, key, value) in enumerate(records):
        producer.produce(topic, value, key)  # type: ignore[attr-defined]
        if index % 1000 == 0:
            producer.poll(0)  # type: ignore[attr-defined]
    if producer.flush(120):  # type: ignore[attr-defined]
        raise SystemExit("not all records could be produced")


@contextmanager
def _topics(admin: AdminClient) -> Iterator[None]:
    config = {"message.timestamp.type": "LogAppendTime"}
    made = admin.create_topics([NewTopic(name, PARTITIONS, 1, config=config) for name in (SOURCE, OUT)])
    for each in made.values():
        each.result(30)
    try:
        yield
    finally:
        for each in admin.delete_topics([SOURCE, OUT]).values():
            each.result(30)
        _wait(lambda: not {SOURCE, OUT} & admin.list_topics(timeout=10).topics.keys())


@contextmanager
def _agent(pipeline: Pipeline, outputs: int) -> Iterator[int]:
    """A bare agent that has shown that it works."""
    place = pipeline.data.parent / f"bare-{time.time_ns()}"
    place.mkdir()
    script = str(Path(__file__).with_name("bare.py"))
    group = f"bare-{time.time_ns()}"
    arguments = [pipeline.bootstrap, group, SOURCE, OUT, str(outputs), str(place)]
    process = processes.spawn(
        [sys.executable, script, *arguments], output=place / "agent.log", environment=environment()
    )
    ends = Ends(pipeline.bootstrap)
    try:
        producer = plain_producer(pipeline.bootstrap)
        for number in range(PARTITIONS):
            producer.produce(SOURCE, b"{}", b"warm", partition=number)
        producer.flush(30)
        until("the bare agent to work", lambda: ends.count(OUT) == PARTITIONS * outputs, 60)
        yield process.pid
    finally:
        ends.close()
        processes.stop(process, 20)


def _wait(check: Callable[[], bool]) -> None:
    until("topics to be gone", check, 30)
