from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError

from pipeline.errors import CheckpointFailed, InvalidRecord
from pipeline.events import Output
from pipeline.kafka.deadletter import DeadLetter
from pipeline.kafka.outbox import KafkaOutbox
from pipeline.kafka.partition import Batch

TIME = "2026-01-05T10:00:00.000000Z"


class FakeProducer:
    """Keeps what is produced; acknowledges it when polled. ``full`` times it has no room."""

    def __init__(self, full: int = 0, error: KafkaError | None = None) -> None:
        self.records: list[tuple[str, bytes | None, bytes | None, dict[str, bytes]]] = []
        self.waiting: list[Callable[[KafkaError | None, Any], None]] = []
        self.full = full
        self.error = error

    def produce(self, topic: str, value: bytes, key: bytes, *, on_delivery: Any, headers: Any) -> None:
        if self.full:
            self.full -= 1
            raise BufferError
        self.records.append((topic, value, key, dict(headers)))
        self.waiting.append(on_delivery)

    def poll(self, timeout: float) -> int:
        waiting, self.waiting = self.waiting, []
        for delivered in waiting:
            delivered(self.error, None)
        return len(waiting)


def output(value: Any = 1, topic: str = "graph.journal") -> Output:
    return Output(topic, "süd", "id-1", TIME, value)


def outbox(producer: FakeProducer, **more: Any) -> KafkaOutbox:
    return KafkaOutbox(producer, "correlate", **more)


def test_outputs_carry_their_cloudevents_attributes() -> None:
    producer, batch = FakeProducer(), Batch()
    outbox(producer).send([output({"a": 1})], batch)
    assert producer.records == [
        (
            "graph.journal",
            b'{"a":1}',
            "süd".encode(),
            {
                "ce_specversion": b"1.0",
                "ce_id": b"id-1",
                "ce_source": b"faultline/correlate",
                "ce_type": b"faultline.graph.journal",
                "ce_time": TIME.encode(),
                "content-type": b"application/json",
            },
        )
    ]
    assert batch.pending == 1


def test_avro_is_called_avro() -> None:
    producer = FakeProducer()
    outbox(producer, encode=lambda topic, value: b"\x00\x00\x00\x00\x01x").send([output()], Batch())
    assert producer.records[0][3]["content-type"] == b"application/avro"


def test_one_output_too_large_means_that_none_is_produced() -> None:
    producer, batch = FakeProducer(), Batch()
    with pytest.raises(InvalidRecord, match=r"graph\.journal is more than Kafka takes"):
        outbox(producer, limit=2_000).send([output(), output("x" * 2_000)], batch)
    assert not producer.records
    assert batch.pending == 0


def test_a_full_queue_is_waited_for() -> None:
    producer, batch = FakeProducer(full=3), Batch()
    outbox(producer).send([output()], batch)
    assert len(producer.records) == 1
    assert batch.pending == 1


def test_a_batch_is_settled_by_its_own_acknowledgements() -> None:
    producer, first, second = FakeProducer(), Batch(), Batch()
    box = outbox(producer)
    box.send([output(), output()], first)
    box.send([output()], second)
    asyncio.run(box.settled(first))
    assert (first.pending, second.pending) == (0, 0)


def test_an_output_that_is_not_delivered_ends_the_worker() -> None:
    producer, batch = FakeProducer(error=KafkaError(KafkaError._MSG_TIMED_OUT)), Batch()
    box = outbox(producer)
    box.send([output()], batch)
    with pytest.raises(CheckpointFailed, match="not delivered"):
        asyncio.run(box.settled(batch))


def test_a_dead_letter_is_the_original_with_where_it_stood() -> None:
    producer, batch = FakeProducer(), Batch()
    letter = DeadLetter(b"no", b"k", "not-json", "bad", "graph.input", 3, 41, TIME)
    outbox(producer).set_aside(letter, batch)
    topic, value, key, headers = producer.records[0]
    assert (topic, value, key, headers["offset"]) == ("dead.letters", b"no", b"k", b"41")
    assert batch.pending == 1


def test_a_heartbeat_ends_with_a_tombstone() -> None:
    producer = FakeProducer()
    box = outbox(producer)
    box.announce("roles.status", "correlate/0", {"pid": 1}, Batch())
    box.announce("roles.status", "correlate/0", None, Batch())
    assert [record[1] for record in producer.records] == [b'{"pid":1}', None]


def test_what_is_in_no_hurry_has_a_producer_of_its_own_and_is_waited_for_too() -> None:
    quick, slow, batch = FakeProducer(), FakeProducer(), Batch()
    both = outbox(quick, unhurried=slow)
    both.send([output(1, "alarms.deduced"), output(2, "graph.journal")], batch)
    assert [record[0] for record in quick.records] == ["alarms.deduced"]
    assert [record[0] for record in slow.records] == ["graph.journal"]
    quick.poll(0)
    assert batch.pending == 1
    asyncio.run(both.settled(batch))
    assert batch.pending == 0
