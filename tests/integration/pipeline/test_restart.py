"""A worker with a large graph dies: how long until it works again is told, that it does is asserted."""

from __future__ import annotations

import os
import time

from confluent_kafka import Consumer, TopicPartition
from support.pipeline_local import PARTITIONS, Pipeline, plain_producer, send, until
from support.pipeline_records import READ, alarm, contains, domains, entity

from pipeline.kafka import client

ENTITIES = int(os.environ.get("PIPELINE_ENTITIES", "100000"))


def test_a_restart_with_a_hundred_thousand_entities(pipeline: Pipeline) -> None:
    names = domains(PARTITIONS, "large")
    producer = plain_producer(pipeline.bootstrap)
    per_domain = ENTITIES // len(names)
    began = time.monotonic()
    send(
        producer,
        [
            entity(domain, "nova.instance", f"i{n}", flavor="m1.small", zone=f"z{n % 7}")
            for n in range(per_domain)
            for domain in names
        ],
    )
    for domain in names:
        send(producer, [entity(domain, "nova.host", "h0"), contains(domain, "h0", "i0")])
    pipeline.settle(300)
    print(f"{ENTITIES} entities described and readable from history after {time.monotonic() - began:.1f} s")

    reader = _at_end(pipeline.bootstrap, "alarms.deduced")
    try:
        before = pipeline.kill("correlate")
        killed = time.monotonic()
        probes = {f"probe-{domain}" for domain in names}
        send(producer, [alarm(domain, READ, "h0", f"probe-{domain}") for domain in names])
        while probes:
            assert time.monotonic() < killed + 120, f"no answer to {probes}"
            message = reader.poll(0.05)
            if message is not None and message.error() is None:
                probes -= {each for each in probes if each.encode() in (message.value() or b"")}
        print(f"worked again {time.monotonic() - killed:.1f} s after kill -9, with {ENTITIES} entities")
    finally:
        reader.close()
    until("a new process", lambda: pipeline.pid("correlate") not in (None, before), 10)
    pipeline.settle(60)
    chosen = ", ".join(f"'{domain}'" for domain in names)
    rows = pipeline.sql(
        f"SELECT count() AS n FROM entities_now WHERE domain IN ({chosen}) AND NOT placeholder"
    )
    assert rows == [{"n": per_domain * len(names) + len(names)}]
    # The worker itself counts the same; it tells its counts now and then.
    until("the counts", lambda: _counts(pipeline, names) == {(per_domain + 1, 1)}, 30)


def _counts(pipeline: Pipeline, names: list[str]) -> set[tuple[int, int]]:
    roles = [role for role in pipeline.status()["roles"] if role["role"] == "correlate" and role["alive"]]
    found = {name: counts for role in roles for name, counts in role["counters"]["domains"].items()}
    return {(found[name]["entities"], found[name]["deduced"]) for name in names if name in found}


def _at_end(bootstrap: str, topic: str) -> Consumer:
    reader = Consumer(client.reader(bootstrap, "tests"))
    places = []
    for number in range(PARTITIONS):
        _, end = client.extent(reader, topic, number)
        places.append(TopicPartition(topic, number, end))
    reader.assign(places)
    return reader
