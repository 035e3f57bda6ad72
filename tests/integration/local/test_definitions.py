from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka import Producer

from pipeline.checks import DEFINITIONS
from pipeline.document import Finding
from pipeline.events import Definition
from pipeline.kafka import definitions
from pipeline.kafka.definitions import OPERATOR, held, record, send
from pipeline.local.broker import Broker
from pipeline.local.definitions import Differences, Found, publish


@pytest.fixture(autouse=True)
def _own_topic(topic: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert definitions.TOPIC == DEFINITIONS
    monkeypatch.setattr(definitions, "TOPIC", topic("definitions", **{"cleanup.policy": "compact"}))


def workflow(name: str, text: str, path: str = "w.yaml") -> Definition:
    return Definition("WORKFLOW", name, text, path)


def test_only_what_differs_is_sent(broker: Broker) -> None:
    first = publish(broker.bootstrap, Found([workflow("a", "1"), workflow("b", "1")]))
    assert first == Differences(added=["WORKFLOW/a", "WORKFLOW/b"])
    assert publish(broker.bootstrap, Found([workflow("a", "1"), workflow("b", "1")])).sent == 0
    changed = publish(broker.bootstrap, Found([workflow("a", "2"), workflow("b", "1")]))
    assert changed == Differences(changed=["WORKFLOW/a"])
    assert str(changed) == "changed WORKFLOW/a"
    live = held(broker.bootstrap)
    assert live["WORKFLOW/a"]["definition"] == {
        "kind": "WORKFLOW",
        "name": "a",
        "text": "2",
        "path": "w.yaml",
    }
    assert live["WORKFLOW/a"]["op"] == "UPSERT"


def test_what_files_no_longer_hold_is_named_and_taken_away_only_when_asked(broker: Broker) -> None:
    publish(broker.bootstrap, Found([workflow("mine", "1")]))
    theirs = record("UPSERT", Definition("RULE", "theirs", "text"), OPERATOR, {"operator": "ada"})
    send(broker.bootstrap, [theirs])
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    producer.produce(definitions.TOPIC, b"\0\0\0\0\1other form", "RULE/avro")
    assert producer.flush(20) == 0
    assert publish(broker.bootstrap, Found()) == Differences(left=["WORKFLOW/mine"])
    assert set(held(broker.bootstrap)) == {"WORKFLOW/mine", "RULE/theirs", "RULE/avro"}
    assert publish(broker.bootstrap, Found(), prune=True) == Differences(removed=["WORKFLOW/mine"])
    assert set(held(broker.bootstrap)) == {"RULE/theirs", "RULE/avro"}


def test_a_removal_stays_as_a_record_for_those_who_were_away(broker: Broker) -> None:
    gone = record("DELETE", Definition("RULE", "r", "text", "r.yaml"), OPERATOR)
    assert gone["definition"] == {"kind": "RULE", "name": "r"}
    send(broker.bootstrap, [record("UPSERT", Definition("RULE", "r", "text"), OPERATOR), gone])
    assert held(broker.bootstrap) == {}


def test_parameters_that_an_operator_gave_stay_with_the_same_text(broker: Broker) -> None:
    own = Definition("RULE", "r", "text", "/elsewhere/r.yaml", {"level": "WARNING"})
    send(broker.bootstrap, [record("UPSERT", own, OPERATOR)])
    assert publish(broker.bootstrap, Found([Definition("RULE", "r", "text", "r.yaml")])).sent == 0
    other = publish(broker.bootstrap, Found([Definition("RULE", "r", "other", "r.yaml")]))
    assert other == Differences(changed=["RULE/r"])


def test_a_file_that_is_refused_now_leaves_its_earlier_version_in_force(broker: Broker) -> None:
    publish(broker.bootstrap, Found([workflow("w", "1", "w.yaml")]))
    broken = Found([], [Finding("w.yaml", 1, 1, "yaml", "broken")])
    assert publish(broker.bootstrap, broken, prune=True) == Differences()
    assert held(broker.bootstrap)["WORKFLOW/w"]["definition"]["text"] == "1"
