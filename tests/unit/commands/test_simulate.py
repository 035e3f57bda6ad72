"""``faultline simulate``: the incident of the shipped rules, time, rules that come and go, bad lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import main
from pipeline.resources import shipped

Play = Callable[..., tuple[int, list[dict[str, Any]], str]]
HOST, VM = "nova.host", "nova.instance"


def entity(number: int, type_: str, name: str, **fields: Any) -> dict[str, Any]:
    body = {"type": type_, "id": name, "name": name, **fields}
    return topology(number, entity=body)


def topology(number: int, op: str = "UPSERT", **body: Any) -> dict[str, Any]:
    head = {"id": f"t-{number}", "time": f"2026-01-05T10:00:{number:02d}Z", "source": "nova", "op": op}
    return {"topic": "topology.changes", "value": {**head, **body}}


def contains(number: int, host: str, vm: str, op: str = "UPSERT") -> dict[str, Any]:
    ends = {"source": {"type": HOST, "id": host}, "type": "contains", "target": {"type": VM, "id": vm}}
    return topology(number, op, relationship=ends)


def alarm(number: int, status: str = "ACTIVE", name: str = "Public network port down") -> dict[str, Any]:
    body = {"name": name, "severity": "HIGH", "status": status, "resource": {"type": HOST, "id": "host-1"}}
    head = {"id": f"a-{number}", "time": f"2026-01-05T10:01:{number:02d}Z", "source": "zabbix"}
    return {"topic": "alarms.raw", "value": {**head, "alarm": body}}


INCIDENT = [
    entity(1, "nova.zone", "zone-1"),
    entity(2, HOST, "host-1", state="available"),
    entity(3, HOST, "host-2", state="available"),
    entity(4, VM, "vm-1", state="ACTIVE", attributes={"migrate": "auto"}),
    entity(5, VM, "vm-2", state="ACTIVE"),
    contains(6, "host-1", "vm-1"),
    contains(7, "host-1", "vm-2"),
    alarm(8),
]


@pytest.fixture
def play(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Play:
    def run(lines: list[Any], *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
        events = tmp_path / "events.jsonl"
        events.write_text("\n".join(json.dumps(line) for line in lines) + "\n")
        status = main(["simulate", *arguments, str(events)])
        printed = capsys.readouterr()
        return status, [json.loads(line) for line in printed.out.splitlines()], printed.err

    return run


def shipped_rule() -> list[str]:
    return ["--rules", str(shipped("rules") / "host_network.yaml")]


def test_the_incident_of_the_shipped_rules(play: Play, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    status, lines, _ = play(INCIDENT, *shipped_rule(), "--state", str(state))
    assert status == 0
    deduced = [line["value"]["alarm"] for line in lines if line["topic"] == "alarms.deduced"]
    assert [(each["resource"]["id"], each["severity"], each["status"]) for each in deduced] == [
        ("vm-1", "CRITICAL", "ACTIVE"),
        ("vm-2", "CRITICAL", "ACTIVE"),
    ]
    (start,) = [line["value"] for line in lines if line["topic"] == "workflow.commands"]
    assert (start["command"], start["workflow"], start["input"]) == (
        "START",
        "migrate_server",
        {"vm_id": "vm-1"},
    )
    end = json.loads(state.read_text())
    states = {each["id"]: each["aggregated_state"] for each in end["entities"]}
    assert states == {
        "zone-1": None,
        "host-1": "ERROR",
        "host-2": "AVAILABLE",
        "vm-1": "SUBOPTIMAL",
        "vm-2": "SUBOPTIMAL",
    }
    assert {cause["source"] for cause in end["causes"]} == {
        "zabbix/Public network port down@nova.host/host-1"
    }
    assert [each["execution_id"] for each in end["workflows"]] == [start["root"]]
    assert all(line["key"] for line in lines)


def test_an_instance_that_has_moved_is_well_and_the_others_are_not(play: Play, tmp_path: Path) -> None:
    moved = [contains(20, "host-1", "vm-1", "DELETE"), contains(21, "host-2", "vm-1")]
    state = tmp_path / "state.json"
    play([*INCIDENT, *moved], *shipped_rule(), "--state", str(state))
    end = json.loads(state.read_text())
    assert sorted(each["resource"]["id"] for each in end["alarms"]) == ["host-1", "vm-2"]


def test_two_runs_print_the_same_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = tmp_path / "events.jsonl"
    events.write_text("\n".join(json.dumps(line) for line in INCIDENT))
    printed = []
    for _ in range(2):
        assert main(["simulate", *shipped_rule(), "--state", "-", str(events)]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]


def test_another_order_of_different_things_ends_in_the_same_bytes(play: Play, tmp_path: Path) -> None:
    ends = []
    for lines in (INCIDENT, INCIDENT[::-1], [*INCIDENT[5:], *INCIDENT[:5]]):
        play(lines, *shipped_rule(), "--state", str(tmp_path / "state.json"))
        state = json.loads((tmp_path / "state.json").read_text())
        assert len(state.pop("workflows")) == 1, "its id is that of the place at which it was wanted"
        ends.append(json.dumps(state))
    assert len(set(ends)) == 1


def test_rules_come_and_go(play: Play, tmp_path: Path) -> None:
    add = {"rules": {"add": shipped_rule()[1]}}
    state = tmp_path / "state.json"
    status, lines, _ = play([*INCIDENT, add], "--state", str(state))
    assert status == 0
    assert len([line for line in lines if line["topic"] == "alarms.deduced"]) == 2
    assert [line for line in lines if line["topic"] == "workflow.commands"] == []
    status, lines, _ = play([*INCIDENT, add, {"rules": {"remove": "host_network"}}], "--state", str(state))
    assert status == 0
    assert [line["value"]["alarm"]["status"] for line in lines if line["topic"] == "alarms.deduced"][-2:] == [
        "CLEARED",
        "CLEARED",
    ]
    assert json.loads(state.read_text())["causes"] == []


def test_workflows_run_with_scripted_answers(play: Play, tmp_path: Path) -> None:
    answers = tmp_path / "answers.yaml"
    answers.write_text("- {action: nova.servers_migrate, answers: [{error: no host has room}]}\n")
    playbook = str(shipped("playbooks") / "migrate_server.yaml")
    status, lines, _ = play(INCIDENT, *shipped_rule(), "--playbooks", playbook, "--answers", str(answers))
    assert status == 0
    steps = [line["value"] for line in lines if line["topic"] == "workflow.steps"]
    ended = [step for step in steps if step["kind"] == "EXECUTION" and step["state"] == "ERROR"]
    assert len(ended) == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"topic": "alarms.raw", "value": {"id": "x"}}, "missing-field"),
        ({"topic": "nowhere", "value": {}}, "bad-topic"),
        ({"tick": "yesterday"}, "tick"),
        ({"rules": {"remove": "nobody"}}, "nobody"),
        ({"rules": {"add": "/no/such/file"}}, "not there"),
        ([1], "topic"),
    ],
)
def test_a_bad_line_is_named_and_the_rest_goes_on(play: Play, line: Any, reason: str) -> None:
    status, lines, error = play([line, entity(1, HOST, "host-1")])
    assert status == 1
    assert ":1: " in error
    assert reason in error
    assert len(lines) == 1


def test_a_bad_rule_or_call_is_refused(play: Play, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(
        "metadata: {version: 3, name: x}\nentities: {a: {type: b}}\nscenarios:\n- {condition: c}\n"
    )
    status, _, error = play([], "--rules", str(bad))
    assert status == 1
    assert f"{bad}:4:" in error
    assert play([], "--rules", str(tmp_path / "none.yaml"))[0] == 2
    assert main(["simulate", str(tmp_path / "none.jsonl")]) == 2


def test_an_alarm_that_waits_for_its_resource_is_shown_beside_it(play: Play, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    play([alarm(1)], *shipped_rule(), "--state", str(state))
    (placeholder,) = json.loads(state.read_text())["entities"]
    assert placeholder["placeholder"] is True
    assert placeholder["waiting"] == ["zabbix/Public network port down@nova.host/host-1"]
    play([alarm(1), entity(2, HOST, "host-1")], *shipped_rule(), "--state", str(state))
    (described,) = json.loads(state.read_text())["entities"]
    assert "waiting" not in described


def test_value_files_of_ones_own_take_the_place_of_those_shipped(play: Play, tmp_path: Path) -> None:
    values = tmp_path / "values"
    values.mkdir()
    (values / "nova.host.yaml").write_text(
        """\
category: RESOURCE
values:
  - aggregated values:
      priority: 40
      original values:
        - name: ERROR
          operational_value: ERROR
  - aggregated values:
      priority: 5
      original values:
        - name: weird
          operational_value: OK
"""
    )
    (values / "zabbix.yaml").write_text(
        """\
category: ALARM
values:
  - aggregated values:
      priority: 40
      original values:
        - name: HIGH
          operational_value: SEVERE
"""
    )
    state = tmp_path / "state.json"
    lines = [entity(1, HOST, "host-0", state="Weird"), alarm(2)]
    play(lines, *shipped_rule(), "--values", str(values), "--state", str(state))
    found = json.loads(state.read_text())
    assert found["entities"][0]["operational_state"] == "OK"
    assert found["alarms"][0]["operational_severity"] == "SEVERE"
    play(lines, *shipped_rule(), "--state", str(state))
    assert json.loads(state.read_text())["entities"][0]["operational_state"] == "N/A"
