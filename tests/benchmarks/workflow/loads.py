"""Executions asked for through Kafka, and what comes of them: how many a second, and how soon."""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, Producer
from support.pipeline_local import Pipeline

from pipeline.console.client import Client
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
many:
  input: [count]
  tasks:
    each: {action: std.noop, with-items: "i in <% range($.count) %>"}
slow:
  input: [count, seconds]
  tasks:
    each: {action: std.sleep seconds=<% $.seconds %>, with-items: "i in <% range($.count) %>"}
later:
  input: [seconds]
  tasks:
    only: {action: std.noop, wait-before: <% $.seconds %>}
"""
ENDED = ("SUCCESS", "ERROR", "CANCELLED")
LOOK_EVERY = 0.1


def playbook() -> str:
    """The definitions that are measured."""
    return PLAYBOOK + "".join(
        [
            join("fork", 10),
            join("join_100", 100),
            join("join_500", 500),
            levels("levels_1", 1),
            levels("levels_10", 10),
        ]
    )


def join(name: str, count: int) -> str:
    """A workflow of a beginning, ``count`` branches, and a task where they meet."""
    names = [f"b{number}" for number in range(count)]
    branches = "".join(f"    {each}: {{action: std.noop, on-success: end}}\n" for each in names)
    begin = f"    begin: {{action: std.noop, on-success: [{', '.join(names)}]}}\n"
    return f"{name}:\n  tasks:\n{begin}{branches}    end: {{action: std.noop, join: all}}\n"


def levels(name: str, count: int) -> str:
    """``count`` joins one after another, each of two branches."""
    lines = [f"{name}:", "  tasks:", "    j0: {action: std.noop, on-success: [l0, r0]}"]
    for number in range(count):
        after = f", on-success: [l{number + 1}, r{number + 1}]" if number + 1 < count else ""
        lines += [f"    {side}{number}: {{action: std.noop, on-success: j{number + 1}}}" for side in "lr"]
        lines.append(f"    j{number + 1}: {{join: all, action: std.noop{after}}}")
    return "\n".join(lines) + "\n"


@dataclass(slots=True)
class Bench:
    """A running pipeline, and both ends of its workflows."""

    pipeline: Pipeline
    producer: Producer
    reader: Consumer
    asked: int = 0

    def start(self, workflow: str, given: dict[str, Any]) -> str:
        """Asks for one execution; returns its id."""
        self.asked += 1
        root = f"{workflow}-{self.asked}-{time.time_ns()}"
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
        self.producer.produce("workflow.commands", json.dumps(record), root)
        self.producer.poll(0)
        return root

    def steps(self, timeout: float) -> list[watch.Seen]:
        """What has come of ``workflow.steps``."""
        return watch.read(self.reader, timeout)

    def executions(self, timeout: float) -> Iterable[watch.Seen]:
        """Those of them that say that an execution has ended; each must have ended well."""
        for seen in self.steps(timeout):
            step = seen.value
            if step["kind"] == "EXECUTION" and step["state"] in ENDED and step["execution"] == step["root"]:
                assert step["state"] == "SUCCESS", step
                yield seen

    def load(self, workflow: str, given: dict[str, Any], number: int) -> float:
        """Seconds from the first START to the last end of ``number`` executions asked for at once."""
        began = last = time.time_ns() // 1000
        wanted = {self.start(workflow, given) for _ in range(number)}
        self.producer.flush()
        while wanted:
            for seen in self.executions(0.2):
                if seen.value["root"] in wanted:
                    wanted.discard(seen.value["root"])
                    last = max(last, seen.time)
        return (last - began) / 1e6

    def rounds(self, workflow: str, given: dict[str, Any], number: int, rounds: int) -> float:
        """The median of that over several rounds."""
        return statistics.median(self.load(workflow, given, number) for _ in range(rounds))

    def latency(self, rate: float, number: int) -> Soon:
        """How soon one-task executions end that are asked for at ``rate`` a second.

        A request counts from when it was due, so that a sender that is held up hides nothing.
        """
        soon, unread = Soon(), dict[str, float]()
        done = threading.Event()
        looking = threading.Thread(target=look, args=(self.pipeline, unread, soon, done))
        looking.start()
        asked: dict[str, float] = {}
        began = time.monotonic()
        index = 0
        while index < number or asked:
            while index < number and time.monotonic() >= began + index / rate:
                asked[self.start("one", {})] = began + index / rate
                index += 1
            for seen in self.executions(0.002):
                due = asked.pop(seen.value["root"], None)
                if due is not None:
                    soon.ended.append(time.monotonic() - due)
                    unread[seen.value["root"]] = due
        done.set()
        looking.join()
        return soon


@dataclass(slots=True)
class Soon:
    """Seconds from the request until the end stood in ``workflow.steps``, and in history."""

    ended: list[float] = field(default_factory=list)
    readable: list[float] = field(default_factory=list)


def look(pipeline: Pipeline, unread: dict[str, float], soon: Soon, done: threading.Event) -> None:
    """Looks for the ends of ``unread`` in history until ``done``, and all were found."""
    api = Client(pipeline.instance.api, pipeline.instance.token)
    while unread or not done.is_set():
        time.sleep(LOOK_EVERY)
        names = ", ".join(f"'{root}'" for root in list(unread)[:500])
        if not names:
            continue
        query = f"SELECT DISTINCT id FROM executions WHERE id IN ({names}) AND state = 'SUCCESS'"
        for row in api.post("/api/sql", {"query": query})["rows"]:
            soon.readable.append(time.monotonic() - unread.pop(row["id"]))


def percentile(values: list[float], share: int) -> float:
    """The value that ``share`` percent of ``values`` do not exceed."""
    return sorted(values)[max(0, -(-len(values) * share // 100) - 1)]


@contextmanager
def bench(pipeline: Pipeline) -> Iterator[Bench]:
    """A bench on ``pipeline``, warm."""
    producer = Producer(client.producer(pipeline.bootstrap, "bench"))
    reader = watch.open_at_end(pipeline.bootstrap, "bench", ("workflow.steps",))
    pipeline.settle()
    found = Bench(pipeline, producer, reader)
    found.load("one", {}, 400)
    yield found
    reader.close()
