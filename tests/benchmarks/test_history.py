"""What keeping history costs: records a second from a full topic, and at the rates of a busy pipeline.

``python -m pytest tests/benchmarks/test_history.py -s``; BENCH_RECORDS sets the size. Processor
time is the figure to watch, for it bears company: two cores are shared with the broker and
every other role.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer

if TYPE_CHECKING:
    from pipeline.local.broker import Broker

RECORDS = int(os.environ.get("BENCH_RECORDS", "40000"))
WARM = 500
PARTITIONS = 8
SINK = Path(__file__).resolve().parent.parent / "support" / "history_sink.py"
RULE = {"name": "host_high_cpu", "revision": "aad4c119f71cec96", "scenario": 0}
#: A quarter of a core at 5,000 records a second.
MOST_MICROS = 50.0


def alarm(number: int, *, deduced: bool) -> dict[str, Any]:
    source, name = ("vitrage", "suspect") if deduced else ("nagios", "HOST_HIGH_CPU_LOAD")
    return {
        "source": source, "name": name, "severity": "WARNING", "operational_severity": "WARNING",
        "status": "ACTIVE", "resource": {"type": "nova.host", "id": f"host-{number}"},
        "attributes": {"rawtext": "cpu 97%"}, "episode": 1,
    }  # fmt: skip


def records(number: int, deducing: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """What one alarm becomes: a journal record, and one of its deduced alarm when rules read it."""
    host = f"nova.host/host-{number}"
    raised, follows = f"nagios/HOST_HIGH_CPU_LOAD@{host}", f"vitrage/suspect@{host}"
    moment = f"2026-01-05T{number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}.000000Z"
    common = {
        "time": moment, "domain": f"d{number % PARTITIONS}",
        "position": [number % PARTITIONS, number // PARTITIONS],
    }  # fmt: skip
    changes: list[dict[str, Any]] = [
        {
            "kind": "ALARM",
            "op": "RAISED",
            "key": raised,
            "deduced": False,
            "alarm": alarm(number, deduced=False),
        }
    ]
    if deducing:
        because = {"rule": RULE, "match": {"host": host, "alarm": raised}}
        changes += [
            {"kind": "ALARM", "op": "RAISED", "key": follows, "deduced": True,
             "alarm": alarm(number, deduced=True), **because},
            {"kind": "CAUSE", "op": "ADDED", "source": raised, "target": follows, **because},
            {"kind": "STATE", "key": host, "state": "available", "aggregated_state": "SUBOPTIMAL",
             "operational_state": "SUBOPTIMAL", **because},
        ]  # fmt: skip
        yield "alarms.deduced", {
            "id": f"deduced-{number}", "source": "vitrage", **common, **because,
            "alarm": {"key": follows, **alarm(number, deduced=True)}, "cause": {"record": f"a-{number}"},
        }  # fmt: skip
    yield "graph.journal", {
        "id": f"journal-{number}", "at": moment, "source": "nagios", "record": f"a-{number}",
        "origin": ["alarms.raw", "topic", 0, number], **common, "changes": changes,
    }  # fmt: skip


def fill(bootstrap: str, names: dict[str, str], deducing: bool, rate: float | None, numbers: range) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "compression.type": "lz4"})
    started = time.monotonic()
    for count, number in enumerate(numbers):
        for topic, record in records(number, deducing):
            producer.produce(names[topic], json.dumps(record), partition=number % PARTITIONS)
        if count % 250 == 0:
            producer.poll(0)
            if rate is not None:
                time.sleep(max(0.0, started + count / rate - time.monotonic()))
    assert producer.flush(60) == 0


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
@pytest.mark.parametrize(("deducing", "rate"), [(False, None), (False, 5000.0), (True, None), (True, 3500.0)])
def test_the_sink_keeps_up_with_little_of_a_core(
    broker: Broker, topic: Callable[..., str], tmp_path: Path, deducing: bool, rate: float | None
) -> None:
    names = {name: topic(name, partitions=PARTITIONS) for name in ("graph.journal", "alarms.deduced")}
    each = 2 if deducing else 1
    fill(broker.bootstrap, names, deducing, None, range(WARM))
    output = tmp_path / "sink.out"
    process = subprocess.Popen(
        [sys.executable, str(SINK), broker.bootstrap, str(tmp_path), json.dumps(names)],
        stdout=output.open("wb"),
    )
    try:
        while "ready" not in output.read_text():
            assert process.poll() is None
            time.sleep(0.02)
        while inserted(output) < WARM * each:
            time.sleep(0.02)
        if rate is None:
            # Stopped, so that it finds all of it when it goes on.
            process.send_signal(signal.SIGSTOP)
            fill(broker.bootstrap, names, deducing, None, range(WARM, WARM + RECORDS))
            process.send_signal(signal.SIGCONT)
        before, started = cpu(process.pid), time.monotonic()
        if rate is not None:
            fill(broker.bootstrap, names, deducing, rate, range(WARM, WARM + RECORDS))
        goal = RECORDS * each
        while inserted(output) < goal + WARM * each:
            assert process.poll() is None
            time.sleep(0.05)
        seconds, spent = time.monotonic() - started, cpu(process.pid) - before
    finally:
        process.terminate()
        process.wait(30)
    micros = spent / goal * 1e6
    print(
        f"\nhistory, {'deducing' if deducing else 'unread'} alarms, "
        f"{'a full topic' if rate is None else f'{rate:,.0f} alarms/s'}: {goal / seconds:,.0f} records/s, "
        f"{micros:.0f} us CPU a record, {100 * spent / seconds:.0f} % of a core"
    )
    assert micros < MOST_MICROS


def inserted(output: Path) -> int:
    """How many records the sink last said were in."""
    lines = [line for line in output.read_text().splitlines() if line.startswith("positions {")]
    if not lines or not lines[-1].endswith("}"):
        return 0
    positions = json.loads(lines[-1].removeprefix("positions "))
    return sum(sum(partitions.values()) for partitions in positions.values())
