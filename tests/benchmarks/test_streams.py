"""What hosting a shard costs beside a bare Faust agent, both on the same broker in the same run.

``python -m pytest tests/benchmarks/test_streams.py -s``; BENCH_RECORDS sets the size.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from confluent_kafka import Producer

from pipeline.kafka import reader

if TYPE_CHECKING:
    from pipeline.local.broker import Broker

RECORDS = int(os.environ.get("BENCH_RECORDS", "40000"))
PARTITIONS = 8
SUPPORT = Path(__file__).resolve().parent.parent / "support"
PAD = "x" * 150


def fill(bootstrap: str, log: str, outputs: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 20})
    for n in range(RECORDS):
        key = f"k{n % 5000}"
        producer.produce(log, json.dumps({"key": key, "n": n, "outputs": outputs, "pad": PAD}), key)
        if n % 1000 == 0:
            producer.poll(0)
    assert producer.flush(60) == 0


def total(bootstrap: str, topic: str) -> int:
    return sum(end for _, end in reader.extent(bootstrap, topic, range(PARTITIONS), "bench").values())


class Rate(NamedTuple):
    """Records a second, and what one costs the process of processor time: it bears company better."""

    records: float
    micros: float

    def __str__(self) -> str:
        return f"{self.records:,.0f}/s ({self.micros:.0f} us CPU)"


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(command: list[str], directory: Path, done: Callable[[], int], goal: int) -> Rate:
    """How fast ``goal`` is reached after its first tenth, as ``done`` counts."""
    with (directory / "output").open("ab") as stream:
        root = str(SUPPORT.parent.parent)
        process = subprocess.Popen(
            [sys.executable, *command], stdout=stream, stderr=stream, env={**os.environ, "PYTHONPATH": root}
        )
    try:
        started = time.monotonic()
        first: tuple[float, int, float] | None = None
        while True:
            now, count = time.monotonic(), done()
            if first is None and count >= goal // 10:
                first = (now, count, cpu(process.pid))
            if count >= goal:
                assert first is not None
                records = count - first[1]
                used = cpu(process.pid) - first[2]
                return Rate(records / (now - first[0]), used / records * 1e6)
            assert process.poll() is None, (directory / "output").read_text()[-2000:]
            assert now - started < 180, f"{count} of {goal} after 180 s"
            time.sleep(0.25)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


@pytest.mark.slow
@pytest.mark.parametrize("outputs", [0, 1])
def test_host_beside_bare_agent(
    broker: Broker, topic: Callable[..., str], unique: Callable[[str], str], tmp_path: Path, outputs: int
) -> None:
    for name, config in (("dead.letters", {}), ("roles.status", {"cleanup.policy": "compact"})):
        _ensure(broker.bootstrap, name, config)
    log = topic("log", partitions=PARTITIONS, **{"message.timestamp.type": "LogAppendTime"})
    fill(broker.bootstrap, log, outputs)
    rates = {}
    for what in ("bare", "host", "bare again", "host again"):
        out = topic("out", partitions=PARTITIONS)
        group = unique("bench")
        if what.startswith("bare"):
            # A bare agent has nothing but its outputs to be counted by.
            shown = "1" if outputs else "marks"
            arguments = [broker.bootstrap, group, log, out, shown, str(tmp_path)]
            command = [str(SUPPORT / "bare_agent.py"), *arguments]
        else:
            kept = topic("kept", partitions=PARTITIONS, **{"cleanup.policy": "compact"})
            arguments = [broker.bootstrap, group, log, kept, out, "a", str(tmp_path / group)]
            command = [str(SUPPORT / "counter_worker.py"), *arguments]
        if outputs:
            rates[what] = measure(command, tmp_path, lambda: total(broker.bootstrap, out), RECORDS)  # noqa: B023
        elif what.startswith("bare"):
            counted = [str(tmp_path / "count"), str(RECORDS)]
            Path(counted[0]).write_text("0")
            rates[what] = measure(
                [*command, *counted],
                tmp_path,
                lambda: int(Path(counted[0]).read_text() or 0),  # noqa: B023
                RECORDS,
            )
        else:
            rates[what] = measure(command, tmp_path, lambda: applied(broker.bootstrap, group), RECORDS)  # noqa: B023
    bare = max(rates["bare"], rates["bare again"])
    host = max(rates["host"], rates["host again"])
    figures = ", ".join(f"{what} {rate}" for what, rate in rates.items())
    print(f"\n{outputs} outputs a record: {figures}; host / bare = {host.records / bare.records:.2f}")
    assert host.records > 0.6 * bare.records


def applied(bootstrap: str, group: str) -> int:
    """How far the worker's heartbeat says it has come."""
    beat = reader.table(bootstrap, "roles.status", [0], "bench")[0].get(f"{group}/a")
    positions = json.loads(beat)["positions"] if beat else {}
    return sum(position for log in positions.values() for position in log.values())


def _ensure(bootstrap: str, name: str, config: dict[str, str]) -> None:
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": bootstrap})
    try:
        admin.create_topics([NewTopic(name, 1, 1, config=config)])[name].result(20)
    except KafkaException as error:
        if "ALREADY_EXISTS" not in error.args[0].name():
            raise
