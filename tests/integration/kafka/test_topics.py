from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from confluent_kafka.admin import AdminClient

from pipeline.errors import BrokerUnavailable, TopicMismatch
from pipeline.kafka.declarations import Topic, load
from pipeline.kafka.topics import ensure, topic_ids
from pipeline.local.broker import Broker


def declared(name: str, as_: str) -> dict[str, Topic]:
    return {name: replace(load()[as_], name=name)}


def test_makes_what_is_missing_and_leaves_what_is_there(broker: Broker, unique: Callable[[str], str]) -> None:
    name = unique("input")
    topics = declared(name, "graph.input")
    ids = ensure(broker.bootstrap, topics, partitions=3)
    assert ensure(broker.bootstrap, topics, partitions=3) == ids
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    assert len(admin.list_topics(timeout=20).topics[name].partitions) == 3


def test_every_shipped_declaration_is_taken_by_kafka(broker: Broker, unique: Callable[[str], str]) -> None:
    topics = {unique(name): topic for name, topic in load().items()}
    topics = {name: replace(topic, name=name) for name, topic in topics.items()}
    assert set(ensure(broker.bootstrap, topics, partitions=1)) == set(topics)


def test_a_topic_that_was_made_again_has_another_id(broker: Broker, unique: Callable[[str], str]) -> None:
    name = unique("again")
    topics = declared(name, "alarms.raw")
    first = ensure(broker.bootstrap, topics, partitions=1)
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.delete_topics([name])[name].result(20)
    while name in admin.list_topics(timeout=20).topics:
        pass
    assert ensure(broker.bootstrap, topics, partitions=1)[name] != first[name]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"partitions": 5}, ["has 2 partitions", "expected 5"]),
        ({"time": "create"}, ["message.timestamp.type=LogAppendTime", "expected CreateTime"]),
        ({"cleanup": "compact"}, ["cleanup.policy=delete", "expected compact"]),
    ],
)
def test_a_topic_that_differs_is_named(
    broker: Broker, unique: Callable[[str], str], change: dict[str, object], words: list[str]
) -> None:
    name = unique("other")
    topics = declared(name, "alarms.raw")
    ensure(broker.bootstrap, topics, partitions=2)
    with pytest.raises(TopicMismatch) as mismatch:
        ensure(broker.bootstrap, {name: replace(topics[name], **change)}, partitions=2)  # type: ignore[arg-type]
    assert name in str(mismatch.value)
    for word in words:
        assert word in str(mismatch.value)


def test_an_unknown_topic_has_no_id(
    broker: Broker, unique: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.kafka.topics.SETTLE", 0.1)
    with pytest.raises(BrokerUnavailable, match="cannot be looked up"):
        topic_ids(AdminClient({"bootstrap.servers": broker.bootstrap}), [unique("none")])


def test_a_setting_that_kafka_does_not_know_is_told(broker: Broker, unique: Callable[[str], str]) -> None:
    name = unique("odd")
    topics = {name: replace(declared(name, "alarms.raw")[name], settings={"segmant.bytes": "1"})}
    with pytest.raises(BrokerUnavailable, match=r"segmant\.bytes"):
        ensure(broker.bootstrap, topics, partitions=1)
