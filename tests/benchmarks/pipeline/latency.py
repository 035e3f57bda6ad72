"""From an alarm's produce to its deduced alarm, at a steady rate."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from confluent_kafka import Consumer, TopicPartition
from support.pipeline_local import PARTITIONS, Pipeline, plain_producer, send
from world import alarms, hosts

from pipeline.kafka import client


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds at a rate; ``behind`` is how late the sender itself was at the worst."""

    rate: int
    number: int
    p50: float
    p90: float
    p99: float
    worst: float
    behind: float


def measure(pipeline: Pipeline, domains: list[str], rate: int, seconds: float) -> Latency:
    """Sends ``rate`` alarms a second, each of which raises one, and times each."""
    number = int(rate * seconds)
    of = -(-number // 20)
    prefix = f"l{time.time_ns()}-"
    send(plain_producer(pipeline.bootstrap), list(hosts(domains, of, prefix)))
    pipeline.settle(120)
    records = list(alarms(domains, number, "READ", of, prefix))
    identities = [f"READ-{prefix}-{index}".encode() for index in range(number)]
    sent: list[float] = []
    reader = at_end(pipeline.bootstrap, "alarms.deduced")
    came: list[tuple[float, bytes]] = []
    producer = plain_producer(pipeline.bootstrap, **{"linger.ms": 1})
    behind = 0.0

    def watch() -> None:
        until_ = time.monotonic() + seconds + 60
        while len(came) < number and time.monotonic() < until_:
            messages = [reader.poll(0.1), *reader.consume(200, 0)]
            now = time.perf_counter()
            came.extend((now, each.value()) for each in messages if each is not None and not each.error())

    watcher = threading.Thread(target=watch)
    watcher.start()
    producer.list_topics(timeout=10)
    start = time.perf_counter()
    for index, (topic, key, value) in enumerate(records):
        due = start + index / rate
        while (now := time.perf_counter()) < due:
            producer.poll(min(0.001, due - now))
        behind = max(behind, now - due)
        producer.produce(topic, value, key)
        sent.append(now)
    producer.flush(30)
    watcher.join()
    reader.close()
    when = dict(zip(identities, sent, strict=True))
    waits = sorted((moment - when[_cause(value)]) * 1000 for moment, value in came)
    if len(waits) != number:
        raise SystemExit(f"{len(waits)} of {number} deduced alarms came")

    def at(share: float) -> float:
        return waits[min(len(waits) - 1, int(share * len(waits)))]

    return Latency(rate, number, at(0.5), at(0.9), at(0.99), waits[-1], behind * 1000)


def at_end(bootstrap: str, topic: str) -> Consumer:
    """A reader of what comes to ``topic`` from now on."""
    reader = Consumer(client.reader(bootstrap, "bench"))
    ends = [client.extent(reader, topic, number)[1] for number in range(PARTITIONS)]
    reader.assign([TopicPartition(topic, number, end) for number, end in enumerate(ends)])
    return reader


def _cause(value: bytes) -> bytes:
    _, _, rest = value.partition(b'"cause":{"record":"')
    return rest.partition(b'"')[0]
