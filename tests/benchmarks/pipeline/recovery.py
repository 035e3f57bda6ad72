"""How long until a correlate worker that was killed is replaced, and how fast a table is restored."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass

from latency import at_end
from support.pipeline_local import PARTITIONS, Pipeline, plain_producer, send, until
from world import alarms, hosts

from pipeline.kafka import reader
from pipeline.kafka.changelog import PROGRESS_KEY
from pipeline.kafka.reader import collection_off
from pipeline.rules.shard import GraphShard

ALL = list(range(PARTITIONS))


@dataclass(frozen=True, slots=True)
class Restore:
    """A restore of all partitions, in this process."""

    keys: int
    reading: float
    loading: float

    @property
    def rate(self) -> float:
        return self.keys / (self.reading + self.loading)


def restart(pipeline: Pipeline, domains: list[str]) -> float:
    """Seconds from kill -9 of the supervised worker until each domain answers again."""
    probe = _prepare(pipeline, domains)
    pipeline.kill("correlate")
    return probe.answered()


def take_over(pipeline: Pipeline, domains: list[str]) -> float:
    """Seconds from kill -9 of one of two workers until the other has answered for each domain."""
    pipeline.start_beside("correlate", "bench-second")
    until("both workers to own some", lambda: _both(pipeline), 60)
    probe = _prepare(pipeline, domains)
    pipeline.kill_beside("bench-second")
    seconds = probe.answered()
    until("the first to own all", lambda: list(pipeline.owned("correlate").values()) == [ALL], 60)
    return seconds


def restore(pipeline: Pipeline) -> Restore:
    """Reads and loads the whole changelog of correlate, as a worker that owns all does."""
    began = time.perf_counter()
    with collection_off():
        tables = reader.table(pipeline.bootstrap, "correlate.changelog", ALL, "bench")
        read = time.perf_counter()
        keys = 0
        for number, values in tables.items():
            values.pop(PROGRESS_KEY, None)
            keys += len(values)
            shard = GraphShard(number)
            for key, value in values.items():
                shard.load(key, value)
            shard.restored()
        loaded = time.perf_counter()
    gc.collect()
    return Restore(keys, read - began, loaded - read)


class _Probe:
    """One alarm a domain, sent at once, and the wait for what is deduced from all of them."""

    def __init__(self, pipeline: Pipeline, domains: list[str], prefix: str) -> None:
        self.pipeline = pipeline
        self.records = list(alarms(domains, len(domains), "READ", len(domains), prefix))
        self.wanted = {f"READ-{prefix}-{index}".encode() for index in range(len(domains))}
        self.reader = at_end(pipeline.bootstrap, "alarms.deduced")
        self.producer = plain_producer(pipeline.bootstrap)
        self.producer.list_topics(timeout=10)

    def answered(self) -> float:
        began = time.monotonic()
        send(self.producer, self.records)
        while self.wanted:
            if time.monotonic() > began + 120:
                raise SystemExit(f"no answer to {sorted(self.wanted)} after 120 s")
            message = self.reader.poll(0.05)
            if message is not None and message.error() is None:
                value = message.value() or b""
                self.wanted -= {each for each in self.wanted if each in value}
        seconds = time.monotonic() - began
        self.reader.close()
        return seconds


def _prepare(pipeline: Pipeline, domains: list[str]) -> _Probe:
    prefix = f"p{time.time_ns()}-"
    send(plain_producer(pipeline.bootstrap), list(hosts(domains, len(domains), prefix)))
    pipeline.settle(120)
    # A blow comes at any moment, but not before there was a checkpoint.
    time.sleep(1.5)
    return _Probe(pipeline, domains, prefix)


def _both(pipeline: Pipeline) -> bool:
    shares = [share for share in pipeline.owned("correlate").values() if share]
    return len(shares) == 2 and sorted(shares[0] + shares[1]) == ALL
