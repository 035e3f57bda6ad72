"""What the cores put out fits the schemas that it is written with where there is a registry."""

from __future__ import annotations

from typing import Any

import msgspec
from support.lab import Lab

from pipeline.codec import WRITTEN_AS_AVRO, Codec
from pipeline.events import Output
from pipeline.workflow.shard import WorkflowShard

RULE = """
metadata: {name: slow, version: 3}
entities:
  alarm: {type: nagios, name: CPU}
  host: {type: nova.host}
  instance: {type: nova.instance}
scenarios:
  - condition: alarm [on] host AND host [contains] instance
    actions:
      - raise_alarm: {target: instance, alarm_name: slow, severity: WARNING}
"""
FLOW = """
version: '2.0'
flow:
  input: [who]
  tasks:
    ask:
      action: std.echo output=<% $.who %>
      publish: {said: <% task().result %>}
"""


class Shelf:
    """A registry in memory."""

    def __init__(self) -> None:
        self.schemas: list[str] = []

    def schema(self, identity: int) -> str:
        return self.schemas[identity]

    def register(self, subject: str, schema: str) -> int:
        self.schemas.append(schema)
        return len(self.schemas) - 1


def same_through_avro(outputs: list[Output]) -> set[str]:
    """Fails when a record comes back as another; returns the topics met."""
    codec = Codec(Shelf())
    for output in outputs:
        value = codec.encode(output.topic, output.value)
        assert codec.decode(value) == msgspec.to_builtins(output.value)
        assert (value[:1] == b"\x00") is (output.topic in WRITTEN_AS_AVRO)
    return {output.topic for output in outputs}


def test_deduced_alarms_raised_and_cleared() -> None:
    lab = Lab()
    lab.rule(RULE)
    lab.entity("nova.host/h")
    lab.entity("nova.instance/v")
    lab.relate("nova.host/h", "contains", "nova.instance/v")
    body = {"name": "CPU", "severity": "WARNING", "resource": {"type": "nova.host", "id": "h"}}
    raised = lab.send(alarm={**body, "status": "ACTIVE"}, source="nagios")
    cleared = lab.send(alarm={**body, "status": "CLEARED"}, source="nagios")
    assert "alarms.deduced" in same_through_avro(raised)
    assert "alarms.deduced" in same_through_avro(cleared)


def test_steps_of_an_execution() -> None:
    shard = WorkflowShard(0)
    outputs: list[Output] = []

    def step(**command: Any) -> None:
        position = len(outputs)
        record = {"id": f"c-{position}", "time": "2026-01-05T10:00:00.000000Z", **command}
        outputs.extend(shard.step(msgspec.json.encode(record), position, 1_767_607_200_000_000))

    definition = {"kind": "WORKFLOW", "name": "flow", "text": FLOW}
    step(command="DEFINITION", op="UPSERT", definition=definition, origin=["definitions.changes", "i", 0, 0])
    step(command="START", root="r", execution="r", workflow="flow", input={"who": "me"}, by={"rule": "x"})
    (action,) = [output for output in outputs if output.topic == "workflow.actions"]
    result = {"root": "r", "execution": "r", "task": action.value["task"], "action": action.value["id"]}
    step(command="RESULT", **result, state="SUCCESS", result={"deep": [1, {"er": None}]})
    assert "workflow.steps" in same_through_avro(outputs)
    states = [output.value["state"] for output in outputs if output.topic == "workflow.steps"]
    assert "SUCCESS" in states
