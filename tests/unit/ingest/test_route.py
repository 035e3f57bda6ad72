from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pipeline.codec import Codec
from pipeline.errors import InvalidRecord
from pipeline.events import Input, Origin
from pipeline.ingest.route import TOLERANCE, Routed, Router
from pipeline.times import rfc3339

NOW = 1_767_607_200_000
ALARM: dict[str, Any] = {
    "id": "a-1",
    "time": "2026-01-05T09:00:00.000000Z",
    "source": "nagios",
    "domain": "north",
    "alarm": {"name": "CPU", "status": "ACTIVE", "resource": {"type": "nova.host", "id": "h"}},
}


def route(router: Router, topic: str, value: Any, key: bytes | None = None) -> Routed:
    data = value if value is None or isinstance(value, bytes) else msgspec.json.encode(value)
    return router.route(topic, 3, 42, NOW, "topic-id", key, data)


def read(routed: Routed) -> Input:
    return msgspec.json.decode(routed.value, type=Input)


def test_a_record_goes_to_its_domain_with_where_it_came_from_and_when() -> None:
    routed = route(Router(Codec()), "alarms.raw", ALARM)
    assert (routed.topic, routed.key) == ("graph.input", "north")
    record = read(routed)
    assert record.origin == Origin("alarms.raw", "topic-id", 3, 42)
    assert (record.at, record.time) == ("2026-01-05T10:00:00.000000Z", ALARM["time"])


@pytest.mark.parametrize(("ahead", "clamped"), [(0, 0), (TOLERANCE, 0), (TOLERANCE + 1, 1), (10**9, 1)])
def test_a_time_too_far_ahead_of_the_broker_is_taken_as_the_brokers(ahead: int, clamped: int) -> None:
    router = Router(Codec())
    time = rfc3339((NOW + ahead) * 1000)
    record = read(route(router, "alarms.raw", {**ALARM, "time": time}))
    assert record.time == (record.at if clamped else time)
    assert router.counts["clamped"] == clamped


def definition(kind: str, op: str = "UPSERT") -> dict[str, Any]:
    body = {"kind": kind, "name": "n", "text": "x: 1"}
    return {"id": "d-1", "time": ALARM["time"], "source": "cli", "op": op, "definition": body}


@pytest.mark.parametrize("kind", ["RULE", "VALUES"])
def test_rules_and_values_go_into_every_partition_of_the_graphs_log(kind: str) -> None:
    routed = route(Router(Codec()), "definitions.changes", definition(kind))
    assert (routed.topic, routed.key) == ("graph.input", None)
    assert read(routed).definition is not None


def test_a_workflow_goes_into_every_partition_of_the_commands() -> None:
    routed = route(Router(Codec()), "definitions.changes", definition("WORKFLOW"))
    assert (routed.topic, routed.key) == ("workflow.commands", None)
    assert msgspec.json.decode(routed.value) == {
        "id": "d-1",
        "time": ALARM["time"],
        "at": "2026-01-05T10:00:00.000000Z",
        "command": "DEFINITION",
        "op": "UPSERT",
        "definition": {"kind": "WORKFLOW", "name": "n", "text": "x: 1"},
        "origin": ["definitions.changes", "topic-id", 3, 42],
    }


def test_a_null_value_removes_a_definition_and_is_malformed_elsewhere() -> None:
    router = Router(Codec())
    removal = read(route(router, "definitions.changes", None, b"RULE/n"))
    assert (removal.op, removal.definition and removal.definition.name) == ("DELETE", "n")
    again = read(route(router, "definitions.changes", None, b"RULE/n"))
    assert again.id == removal.id, "the id follows from the position"
    with pytest.raises(InvalidRecord) as error:
        route(router, "alarms.raw", None, b"north")
    assert error.value.reason == "null"


def test_a_mistake_of_ours_stops_no_partition() -> None:
    class Broken(Codec):
        def read(self, *_: Any) -> Input:
            raise ZeroDivisionError("oops")

    with pytest.raises(InvalidRecord) as error:
        route(Router(Broken()), "alarms.raw", ALARM)
    assert error.value.reason == "unreadable"
