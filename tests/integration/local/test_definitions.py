from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from confluent_kafka import Producer

from pipeline.checks import DEFINITIONS
from pipeline.document import Finding
from pipeline.events import Definition
from pipeline.local import definitions
from pipeline.local.broker import Broker
from pipeline.local.definitions import Found, held, publish


@pytest.fixture(autouse=True)
def _own_topic(topic: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert definitions.TOPIC == DEFINITIONS
    monkeypatch.setattr(definitions, "TOPIC", topic("definitions", **{"cleanup.policy": "compact"}))


def workflow(name: str, text: str, path: str = "w.yaml") -> Definition:
    return Definition("WORKFLOW", name, text, path)


def test_only_what_differs_is_sent(broker: Broker) -> None:
    assert publish(broker.bootstrap, Found([workflow("a", "1"), workflow("b", "1")])) == 2
    assert publish(broker.bootstrap, Found([workflow("a", "1"), workflow("b", "1")])) == 0
    assert publish(broker.bootstrap, Found([workflow("a", "2"), workflow("b", "1")])) == 1
    live = held(broker.bootstrap)
    assert live["WORKFLOW/a"]["definition"] == {
        "kind": "WORKFLOW",
        "name": "a",
        "text": "2",
        "path": "w.yaml",
    }
    assert live["WORKFLOW/a"]["op"] == "UPSERT"


def test_what_files_no_longer_hold_is_taken_away_but_not_what_an_operator_put_live(broker: Broker) -> None:
    publish(broker.bootstrap, Found([workflow("mine", "1")]))
    theirs = {
        "id": "x",
        "op": "UPSERT",
        "source": "operator",
        "definition": {"kind": "RULE", "name": "theirs"},
    }
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    producer.produce(definitions.TOPIC, json.dumps(theirs), "RULE/theirs")
    producer.produce(definitions.TOPIC, b"\0\0\0\0\1other form", "RULE/avro")
    assert producer.flush(20) == 0
    assert publish(broker.bootstrap, Found()) == 1
    assert set(held(broker.bootstrap)) == {"RULE/theirs", "RULE/avro"}


def test_a_file_that_is_refused_now_leaves_its_earlier_version_in_force(broker: Broker) -> None:
    publish(broker.bootstrap, Found([workflow("w", "1", "w.yaml")]))
    assert publish(broker.bootstrap, Found([], [Finding("w.yaml", 1, 1, "yaml", "broken")])) == 0
    assert set(held(broker.bootstrap)) == {"WORKFLOW/w"}
