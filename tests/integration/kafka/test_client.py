"""What a callback of a rebalance raises reaches who polls, as something that can be caught."""

from __future__ import annotations

import time

import pytest
from confluent_kafka import Consumer, TopicPartition

from pipeline.errors import BrokerUnavailable
from pipeline.kafka import client, topics


def test_a_refusal_while_partitions_change_hands_can_be_caught(broker) -> None:
    topics.ensure(broker.bootstrap, partitions=1)

    def assigned(consumer: Consumer, _: list[TopicPartition]) -> None:
        # One that the client itself raises: those are the ones that it hands on as no exception.
        consumer.get_watermark_offsets(TopicPartition("workflow.actions", 77), timeout=5)

    consumer = Consumer(client.reader(broker.bootstrap, "catching", "catching"))
    try:
        consumer.subscribe(["workflow.actions"], on_assign=client.catchable(assigned))
        with pytest.raises(BrokerUnavailable, match="Unknown partition"):
            poll(consumer)
    finally:
        consumer.close()


def poll(consumer: Consumer) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        consumer.poll(0.2)
