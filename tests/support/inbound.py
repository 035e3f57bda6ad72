"""What tests of ingest share: its process, plain producers, and reading what it made."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, Producer, TopicPartition

from pipeline.events import Input
from pipeline.kafka import client
from pipeline.local import processes
from pipeline.times import micros

PARTITIONS = 4


def alarm(number: int, **fields: Any) -> dict[str, Any]:
    """A good record of ``alarms.raw``; its domain is one of eight."""
    return {
        "id": f"a-{number}",
        "time": "2026-01-05T10:00:00.000000Z",
        "source": "nagios",
        "domain": f"domain-{number % 8}",
        "alarm": {
            "name": "CPU",
            "severity": "WARNING",
            "status": "ACTIVE",
            "resource": {"type": "nova.host", "id": f"host-{number}"},
        },
        **fields,
    }


def start(
    kafka: str, directory: Path, instance: str = "ingest-0", **settings: str
) -> subprocess.Popen[bytes]:
    """An ingest worker as its own process; it writes to ``DIRECTORY/INSTANCE.log``."""
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith("FAULTLINE_")},
        "FAULTLINE_CONFIG": "",
        "FAULTLINE_KAFKA": kafka,
        "FAULTLINE_DATA": str(directory),
        "FAULTLINE_INSTANCE": instance,
        "FAULTLINE_PARTITIONS": str(PARTITIONS),
        **settings,
    }
    command = [sys.executable, "-m", "pipeline", "worker", "--role", "ingest"]
    return processes.spawn(command, output=directory / f"{instance}.log", environment=environment)


def produce(kafka: str, records: Iterable[tuple[str, bytes | None]], **settings: Any) -> None:
    """Sends (topic, value) pairs as any producer would, with the client's own defaults."""
    problems: list[str] = []
    keys = itertools.count()

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            problems.append(str(error))

    producer = Producer({"bootstrap.servers": kafka, "message.max.bytes": 1_048_588, **settings})
    for topic, value in records:
        while True:
            try:
                # A compacted topic takes no record without a key.
                key = f"key-{next(keys)}" if topic == "definitions.changes" else None
                producer.produce(topic, value, key, on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(60) == 0
    assert problems == []


def read(kafka: str, topic: str, partitions: int = PARTITIONS) -> list[Message]:
    """Every record that ``topic`` holds now, partition by partition."""
    consumer = Consumer({**client.reader(kafka, "test"), "enable.partition.eof": True})
    try:
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(partitions)])
        found: list[Message] = []
        left = set(range(partitions))
        while left:
            for message in consumer.consume(10_000, 0.2):
                error = message.error()
                if error is None:
                    found.append(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    left.discard(message.partition())
        return sorted(found, key=lambda message: (message.partition(), message.offset()))
    finally:
        consumer.close()


def log_records(kafka: str) -> list[tuple[int, Input]]:
    """The records of ``graph.input`` with their partitions, without clock marks."""
    every = [(message.partition(), decode(message)) for message in read(kafka, "graph.input")]
    return [(partition, record) for partition, record in every if record.mark is None]


def decode(message: Message) -> Input:
    value = message.value()
    assert value is not None
    return msgspec.json.decode(value, type=Input)


def ids(kafka: str) -> set[str]:
    """The ids in ``graph.input``."""
    return {record.id for _, record in log_records(kafka)}


def claims(kafka: str) -> dict[int, dict[str, int]]:
    """By partition of the log: up to when each inbound partition was last said to have been read.

    Fails when a mark claims more than it may: it never goes back, is never ahead of its own
    append, and no record comes behind a mark that says that record had been read.
    """
    found: dict[int, dict[str, int]] = {}
    for message in read(kafka, "graph.input"):
        claimed = found.setdefault(message.partition(), {})
        record = decode(message)
        if record.mark is not None:
            for name, text in record.mark.read.items():
                assert micros(text) >= claimed.get(name, 0), "a claim went back"
                assert micros(text) <= message.timestamp()[1] * 1000, "a claim was ahead of the broker"
                claimed[name] = micros(text)
        elif record.origin is not None:
            name = f"{record.origin.topic}:{record.origin.topic_id}:{record.origin.partition}"
            assert micros(record.at) >= claimed.get(name, 0), f"{record.id} came behind its mark"
    return found


def eventually(check: Callable[[], bool], what: str, timeout: float = 60.0) -> None:
    """Waits until ``check`` holds."""
    deadline = time.monotonic() + timeout
    while not check():
        assert time.monotonic() < deadline, f"not within {timeout:.0f} s: {what}"
        time.sleep(0.1)
