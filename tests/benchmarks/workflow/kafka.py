"""Workflows through Kafka: from START commands to each execution's terminal step, history on.

    python tests/benchmarks/workflow/kafka.py [--scale 0.1]

One worker of each role. Rates are by the broker's times of the first START and the last end.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from support.pipeline_local import running

from pipeline.kafka import client
from pipeline.local import watch
from pipeline.times import rfc3339

PLAYBOOK = """
version: '2.0'
one:
  tasks:
    only: {action: std.noop}
five:
  tasks:
    a: {action: std.noop, on-success: b}
    b: {action: std.noop, on-success: c}
    c: {action: std.noop, on-success: d}
    d: {action: std.noop, on-success: e}
    e: {action: std.noop}
fork:
  tasks:
    begin: {action: std.noop, on-success: [%(branches)s]}
%(tasks)s
    end: {action: std.noop, join: all}
many:
  input: [count]
  tasks:
    each: {action: std.noop, with-items: "i in <%% range($.count) %%>"}
"""
ENDED = ("SUCCESS", "ERROR", "CANCELLED")
# Name, workflow, input, how many executions, tasks or items of each.
LOADS: tuple[tuple[str, str, dict[str, Any], int, int], ...] = (
    ("one task", "one", {}, 4000, 1),
    ("sequence of 5", "five", {}, 2000, 5),
    ("fork and join of 10", "fork", {}, 500, 12),
    ("with-items over 100", "many", {"count": 100}, 100, 100),
    ("with-items over 1,000", "many", {"count": 1000}, 5, 1000),
    ("with-items over 10,000", "many", {"count": 10000}, 1, 10000),
)


def main() -> None:
    """Measures each load and prints a line for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="a share of the executions")
    scale = parser.parse_args().scale
    with tempfile.TemporaryDirectory(prefix="faultline-bench-") as directory:
        playbooks = Path(directory) / "playbooks"
        playbooks.mkdir()
        (playbooks / "bench.yaml").write_text(playbook(), encoding="utf-8")
        with running(Path(directory), "--playbooks", str(playbooks)) as pipeline:
            pipeline.settle()
            producer = Producer(client.producer(pipeline.bootstrap, "bench"))
            reader = watch.open_at_end(pipeline.bootstrap, "bench", ("workflow.steps",))
            load(producer, reader, "warm", "one", {}, 200)
            for name, workflow, given, number, size in LOADS:
                number = max(1, round(number * scale))
                seconds = load(producer, reader, name.replace(" ", "-"), workflow, given, number)
                rate = f"{number / seconds:8.1f} executions/s {number * size / seconds:9.0f} tasks/s"
                print(f"{name:24} {number:6} in {seconds:7.2f} s  {rate}")
            print("one task at 100/s       ", latency(producer, reader, 100, 1000))
            pipeline.settle(120)
            rows = pipeline.sql(
                "SELECT state, count() AS n FROM executions_now GROUP BY state ORDER BY state"
            )
            print("in history:", rows)


def playbook() -> str:
    """The definitions that are measured."""
    names = [f"b{number}" for number in range(10)]
    tasks = "\n".join(f"    {name}: {{action: std.noop, on-success: end}}" for name in names)
    return PLAYBOOK % {"branches": ", ".join(names), "tasks": tasks}


def load(
    producer: Producer, reader: Consumer, name: str, workflow: str, given: dict[str, Any], number: int
) -> float:
    """Seconds from the first START to the last end of ``number`` executions started at once."""
    began = time.time_ns() // 1000
    wanted = {start(producer, f"{name}-{began}-{index}", workflow, given) for index in range(number)}
    producer.flush()
    last = began
    while wanted:
        for seen in watch.read(reader, 0.2):
            step = seen.value
            if step["kind"] == "EXECUTION" and step["state"] in ENDED and step["root"] in wanted:
                assert step["state"] == "SUCCESS", step
                wanted.discard(step["root"])
                last = max(last, seen.time)
    return (last - began) / 1e6


def latency(producer: Producer, reader: Consumer, rate: int, number: int) -> str:
    """From a START to its terminal step, in milliseconds, at ``rate`` a second."""
    asked: dict[str, int] = {}
    took: list[float] = []
    began = time.monotonic()
    index = 0
    while len(took) < number:
        while index < number and time.monotonic() >= began + index / rate:
            name = f"latency-{began}-{index}"
            asked[name] = time.time_ns()
            start(producer, name, "one", {})
            producer.poll(0)
            index += 1
        for seen in watch.read(reader, 0.002):
            step = seen.value
            if step["kind"] == "EXECUTION" and step["state"] in ENDED and step["root"] in asked:
                took.append((time.time_ns() - asked.pop(step["root"])) / 1e6)
    cuts = statistics.quantiles(took, n=100)
    return f"p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f} ms"


def start(producer: Producer, root: str, workflow: str, given: dict[str, Any]) -> str:
    """Asks for one execution; returns its id."""
    record = {
        "id": root,
        "time": rfc3339(time.time_ns() // 1000),
        "command": "START",
        "root": root,
        "execution": root,
        "workflow": workflow,
        "input": given,
        "by": {"operator": "bench"},
    }
    producer.produce("workflow.commands", json.dumps(record), root)
    return root


if __name__ == "__main__":
    main()
