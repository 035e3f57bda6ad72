"""Rules in shadow mode in test files and in simulate: what they would do can be expected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline import cli

RULE = """
metadata: {version: 3, name: hot}
entities:
  a: {category: ALARM, type: nagios, name: CPU}
  h: {type: host}
scenarios:
- condition: a [on] h
  actions:
  - raise_alarm: {target: h, alarm_name: slow, severity: WARNING, causing_alarm: a}
  - set_state: {target: h, state: SUBOPTIMAL}
  - mark_down: {target: h}
  - execute_workflow: {workflow: fix, input: {host: 'get_attr(h, id)'}}
"""
TEST = """
- name: seen
  shadow: [hot.yaml]
  events:
  - {topic: topology.changes, value: {entity: {type: host, id: h1}}}
  - topic: alarms.raw
    value:
      source: nagios
      alarm: {name: CPU, severity: WARNING, status: ACTIVE, resource: {type: host, id: h1}}
  expect:
    alarms: []
    shadow:
      alarms: [vitrage/slow@host/h1: WARNING]
      states: [{entity: host/h1, state: SUBOPTIMAL, marked_down: true}]
      causes: [[nagios/CPU@host/h1, vitrage/slow@host/h1]]
      workflows: [fix: {host: h1}]
"""
EVENTS: list[dict[str, Any]] = [
    {
        "topic": "topology.changes",
        "value": {
            "id": "t", "time": "2026-01-05T10:00:00Z", "source": "s", "op": "UPSERT",
            "entity": {"type": "host", "id": "h1"},
        },
    },
    {
        "topic": "alarms.raw",
        "value": {
            "id": "a", "time": "2026-01-05T10:00:01Z", "source": "nagios",
            "alarm": {
                "name": "CPU", "severity": "WARNING", "status": "ACTIVE",
                "resource": {"type": "host", "id": "h1"},
            },
        },
    },
]  # fmt: skip


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("hot.yaml").write_text(RULE)
    return tmp_path


def test_what_it_would_do_can_be_expected(capsys: Any) -> None:
    Path("one.test.yaml").write_text(TEST)
    assert cli.main(["test", "one.test.yaml"]) == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("slow@host/h1: WARNING", "slow@host/h1: CRITICAL", "severity is WARNING, expected CRITICAL"),
        ("      workflows: [fix: {host: h1}]\n", "", "shadow workflows: not expected: fix"),
        ("marked_down: true", "marked_down: false", "marked_down"),
        ("shadow:\n      alarms", "shadow:\n      things: []\n      alarms", "`shadow` is a mapping of"),
        ("  shadow: [hot.yaml]\n", "  rules: [hot.yaml]\n", "shadow alarms: missing"),
    ],
)
def test_what_differs_is_told(old: str, new: str, words: str, capsys: Any) -> None:
    assert old in TEST
    Path("one.test.yaml").write_text(TEST.replace(old, new))
    assert cli.main(["test", "one.test.yaml"]) == 1
    told = capsys.readouterr()
    assert words in told.out + told.err


def played(*arguments: str, capsys: Any, events: list[Any] = EVENTS) -> list[dict[str, Any]]:
    Path("events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    assert cli.main(["simulate", *arguments, "events.jsonl"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def told_of(lines: list[dict[str, Any]]) -> list[str]:
    changes = [each for one in lines if one["topic"] == "graph.journal" for each in one["value"]["changes"]]
    return [change["deduces"] for change in changes if change["kind"] == "SHADOW"]


def test_simulate_tells_it_in_the_journal_alone(capsys: Any) -> None:
    lines = played("--shadow", "hot.yaml", capsys=capsys)
    assert {one["topic"] for one in lines} == {"graph.journal"}
    assert sorted(told_of(lines)) == ["ALARM", "CAUSE", "DOWN", "STATE", "WORKFLOW"]


def test_a_line_puts_a_rule_in_shadow_and_another_promotes_it(capsys: Any) -> None:
    events = [*EVENTS, {"rules": {"shadow": "hot.yaml"}}, {"rules": {"add": "hot.yaml"}}]
    lines = played(capsys=capsys, events=events)
    assert [one["value"]["alarm"]["status"] for one in lines if one["topic"] == "alarms.deduced"] == [
        "ACTIVE"
    ]
    # Nothing is told of a workflow: the match stood when the rule came.
    assert sorted(told_of(lines)) == ["ALARM", "ALARM", "CAUSE", "CAUSE", "DOWN", "DOWN", "STATE", "STATE"]
