"""How long a worker needs to have its table again: RESTORE_KEYS keys of 300 bytes in eight partitions."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import pytest
from confluent_kafka import Producer
from support.counter import CounterShard

from pipeline.kafka import reader
from pipeline.kafka.checkpoint import load
from pipeline.kafka.partition import Partition

if TYPE_CHECKING:
    from pipeline.local.broker import Broker

KEYS = int(os.environ.get("RESTORE_KEYS", "200000"))
PARTITIONS = 8


@pytest.mark.slow
def test_restore(broker: Broker, topic: Callable[..., str]) -> None:
    kept = topic("kept", partitions=PARTITIONS, **{"cleanup.policy": "compact"})
    settings = {"linger.ms": 20, "compression.type": "lz4", "queue.buffering.max.messages": KEYS + 1}
    producer = Producer({"bootstrap.servers": broker.bootstrap, **settings})
    value = msgspec.json.encode({"v": 1, "count": 7, "checksum": "0123456789abcdef", "pad": "x" * 250})
    for n in range(KEYS):
        producer.produce(kept, value, f"nova.instance/{n}", n % PARTITIONS)
        if n % 1000 == 0:
            producer.poll(0)
    assert producer.flush(60) == 0
    started = time.perf_counter()
    tables = reader.table(broker.bootstrap, kept, range(PARTITIONS), "bench")
    read = time.perf_counter() - started
    with reader.collection_off():
        for number, values in tables.items():
            load(Partition(number, "log", CounterShard(number), -1, -1), values)
    whole = time.perf_counter() - started
    assert sum(map(len, tables.values())) == KEYS
    print(f"\nrestore of {KEYS:,} keys: read {KEYS / read:,.0f}/s, read and decoded {KEYS / whole:,.0f}/s")
