from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.actions.harmless import perform_harmless
from pipeline.events import Definition, Output
from pipeline.rehearsal.run import run
from pipeline.rehearsal.shelf import Shelf
from pipeline.simulate import BadLine, Simulation
from pipeline.workflow.run import Runner

PLAYBOOK = "version: '2.0'\nlook: {input: [x], tasks: {a: {action: std.noop}}}\n"
TRIGGERS = """
triggers:
  hourly: {workflow: look, cron: '0 * * * *', input: {x: <% $.scheduled %>}}
  severe:
    workflow: look
    topic: alarms.raw
    when: <% $.alarm.severity = CRITICAL %>
    input: {x: <% $.alarm.name %>}
  orders: {workflow: look, topic: shop.orders, input: {x: <% $.number %>}}
  wrong: {workflow: look, topic: shop.orders, when: <% $.number = 2 %>, input: {x: <% $.a.b.c %>}}
"""


def simulation(triggers: str = TRIGGERS, playbook: str = PLAYBOOK) -> Simulation:
    runner = Runner([Definition("WORKFLOW", "look", playbook)], None, perform_harmless, now=0)
    return Simulation([], {}, runner, [Definition("TRIGGER", "all", triggers)])


def alarm(number: int, time: str, severity: str = "CRITICAL") -> dict[str, Any]:
    resource = {"type": "nova.host", "id": "h"}
    told = {"name": f"n{number}", "severity": severity, "status": "ACTIVE", "resource": resource}
    value = {"id": f"a{number}", "time": time, "source": "zabbix", "alarm": told}
    return {"topic": "alarms.raw", "value": value}


def inputs(played: Simulation) -> list[Any]:
    return [one["input"]["x"] for one in played.state()["workflows"]]


def states(outputs: list[Output]) -> list[str]:
    return [one.value["state"] for one in outputs if one.value.get("kind") == "EXECUTION"]


def test_a_record_that_fits_starts_its_workflow() -> None:
    played = simulation()
    made = played.line(alarm(1, "2026-01-05T10:10:00Z"))
    made += played.line(alarm(2, "2026-01-05T10:11:00Z", "WARNING"))
    assert states(made) == ["RUNNING", "SUCCESS"]
    assert inputs(played) == ["n1"]


def test_the_clock_starts_at_each_hour_that_the_events_pass_and_never_before_them() -> None:
    played = simulation()
    played.line({"tick": "2026-01-05T10:10:00Z"})
    assert inputs(played) == []
    played.line({"tick": "2026-01-05T11:30:00Z"})
    played.line({"tick": "2026-01-05T12:30:00Z"})
    played.finish()
    assert inputs(played) == ["2026-01-05T11:00:00.000000Z", "2026-01-05T12:00:00.000000Z"]


def test_a_topic_of_the_users_own_is_read_too_and_a_bad_input_is_an_execution_in_error() -> None:
    played = simulation()
    made = [each for number in (1, 2) for each in played.line(order(number))]
    assert [one["input"] for one in played.started] == [{"x": 1}, {"x": 2}, {}]
    assert states(made) == ["RUNNING", "RUNNING", "ERROR"]


def order(number: int) -> dict[str, Any]:
    return {"topic": "shop.orders", "value": {"number": number}}


def test_triggers_that_feed_each_other_are_refused() -> None:
    played = simulation(
        "triggers:\n  first: {workflow: look, topic: alarms.raw, input: {x: 1}}\n"
        "  again: {workflow: look, topic: workflow.steps, input: {x: 1}}"
    )
    with pytest.raises(BadLine, match="without end"):
        played.line(alarm(1, "2026-01-05T10:10:00Z"))


def test_the_same_events_start_the_same_executions() -> None:
    def ids() -> list[str]:
        played = simulation()
        for number in range(4):
            played.line(alarm(number, f"2026-01-05T1{number}:10:00Z"))
        return [one["execution_id"] for one in played.state()["workflows"]]

    assert ids() == ids()
    assert len(set(ids())) == 7


def test_a_test_file_plays_triggers(tmp_path: Path) -> None:
    (tmp_path / "look.yaml").write_text(PLAYBOOK)
    (tmp_path / "all.yaml").write_text(TRIGGERS)
    path = tmp_path / "all.test.yaml"
    path.write_text("""
- name: severe alarms are looked at
  playbooks: [look.yaml, all.yaml]
  events:
    - {topic: alarms.raw, value: {source: z, alarm: {name: n, severity: CRITICAL, status: ACTIVE,
       resource: {type: nova.host, id: h}}}}
  expect: {workflows: [{workflow: look, input: {x: n}}]}
- name: nothing else is
  playbooks: [look.yaml, all.yaml]
  events:
    - {topic: alarms.raw, value: {source: z, alarm: {name: n, severity: WARNING, status: ACTIVE,
       resource: {type: nova.host, id: h}}}}
  expect: {workflows: [{workflow: look, input: {x: n}}]}
""")
    assert [result.passed for result in run(path, Shelf())] == [True, False]
