"""What the commands that start and operate executions say to the pipeline."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import cli
from pipeline.commands import _sending

Sent = list[tuple[str, str, dict[str, Any]]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Sent:
    """Topic, key and value of what was sent."""
    found: Sent = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAULTLINE_KAFKA", "127.0.0.1:1")
    monkeypatch.setattr(_sending, "_produce", lambda _, topic, key, value: found.append((topic, key, value)))
    return found


def test_a_start_names_its_execution_and_is_the_same_record_again(
    sent: Sent, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert cli.main(["start", "migrate_server", "--id", "run-1", "--input", '{"vm_id": "vm-1"}']) == 0
    assert capsys.readouterr().out == "run-1\nrun-1\n"
    (topic, key, first), (_, _, second) = sent
    assert (topic, key) == ("workflow.commands", "run-1")
    assert (first["command"], first["root"], first["execution"]) == ("START", "run-1", "run-1")
    assert (first["workflow"], first["input"]) == ("migrate_server", {"vm_id": "vm-1"})
    assert "operator" in first["by"]
    assert first["id"] == second["id"]


def test_a_start_without_an_id_makes_one(sent: Sent, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert cli.main(["start", "w"]) == 0
    ids = capsys.readouterr().out.split()
    assert len(set(ids)) == 2
    assert [key for _, key, _ in sent] == ids


@pytest.mark.parametrize("text", ["{", "[1]", "@missing.json"])
def test_input_that_is_no_object_is_a_wrong_call(
    sent: Sent, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    assert cli.main(["start", "w", "--input", text]) == 2
    assert "--input" in capsys.readouterr().err
    assert sent == []


def test_input_may_come_from_a_file(sent: Sent, tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text('{"a": 1}', encoding="utf-8")
    assert cli.main(["start", "w", "--input", "@input.json"]) == 0
    assert sent[0][2]["input"] == {"a": 1}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["cancel", "e", "--message", "why"], {"command": "CANCEL", "message": "why"}),
        (["cancel", "e", "--undo"], {"command": "CANCEL", "undo": True}),
        (["release", "e"], {"command": "RELEASE"}),
        (["drop", "e", "--message", "why"], {"command": "DROP", "message": "why"}),
        (["approve", "e"], {"command": "APPROVE", "approve": True, "role": "", "comment": ""}),
        (
            ["approve", "e", "--as", "boss", "--reject", "--comment", "no", "--task", "t"],
            {"command": "APPROVE", "approve": False, "role": "boss", "comment": "no", "task": "t"},
        ),
        (["pause", "e"], {"command": "PAUSE", "message": ""}),
        (["resume", "e", "--env", '{"k": 1}'], {"command": "RESUME", "env": {"k": 1}}),
        (["stop", "e"], {"command": "STOP", "state": "ERROR"}),
        (["stop", "e", "--state", "SUCCESS"], {"command": "STOP", "state": "SUCCESS"}),
        (["rerun", "e", "--task", "t"], {"command": "RERUN", "task": "t", "reset": True}),
        (["rerun", "e", "--task", "t", "--failed"], {"command": "RERUN", "task": "t", "reset": False}),
        (["skip", "e", "--task", "t"], {"command": "SKIP", "task": "t"}),
        (
            ["complete", "e", "--task", "t", "--result", "[1]", "--state", "ERROR"],
            {"command": "COMPLETE", "task": "t", "result": [1], "state": "ERROR"},
        ),
    ],
)
def test_what_is_sent_to_an_execution(sent: Sent, arguments: list[str], expected: dict[str, Any]) -> None:
    assert cli.main(arguments) == 0
    ((topic, key, value),) = sent
    assert (topic, key) == ("workflow.commands", "e")
    assert (value["root"], value["execution"]) == ("e", "e")
    assert {name: value[name] for name in expected} == expected
    assert value["id"]
    assert value["time"].endswith("Z")


def test_a_part_of_an_execution_is_reached_by_its_root(sent: Sent) -> None:
    assert cli.main(["pause", "below", "--root", "top"]) == 0
    assert sent[0][1] == "top"
    assert (sent[0][2]["root"], sent[0][2]["execution"]) == ("top", "below")


def test_the_same_command_twice_is_two_records(sent: Sent) -> None:
    for _ in range(2):
        cli.main(["pause", "e"])
    assert sent[0][2]["id"] != sent[1][2]["id"]


@pytest.mark.parametrize("word", ["on", "off"])
def test_effects_are_a_switch(sent: Sent, word: str) -> None:
    assert cli.main(["effects", word]) == 0
    ((topic, key, value),) = sent
    assert (topic, key, value["effects"]) == ("controls", "effects", word)


def test_with_nothing_running_the_command_says_how_to_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FAULTLINE_KAFKA", raising=False)
    assert cli.main(["cancel", "e"]) == 1
    assert "faultline up" in capsys.readouterr().err


def test_with_only_an_api_the_command_goes_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, api: Callable[..., Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    with api(202) as (url, asked):
        assert cli.main(["effects", "off", "--api", url, "--token", "t-1"]) == 0
        assert cli.main(["cancel", "e", "--api", url, "--token", "t-1"]) == 0
    assert [(path, token) for path, token, _ in asked] == [
        ("/api/effects", "Bearer t-1"),
        ("/api/commands", "Bearer t-1"),
    ]
    assert json.loads(asked[0][2])["effects"] == "off"


def test_a_refusal_of_the_api_is_told(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    api: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with api(401) as (url, _):
        assert cli.main(["cancel", "e", "--api", url, "--token", "t-1"]) == 1
    assert "401" in capsys.readouterr().err
