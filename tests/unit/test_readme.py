"""What the README shows is accepted by the program it describes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest


def blocks(checkout: Path, language: str) -> list[str]:
    text = (checkout / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def faultline(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def shown(checkout: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The README's rule and workflow as files."""
    rule, workflow = blocks(checkout, "yaml")[:2]
    paths = tmp_path / "rule.yaml", tmp_path / "move.yaml"
    for path, text in zip(paths, (rule, workflow), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


def test_the_rule_and_the_workflow_are_accepted(shown: tuple[Path, Path]) -> None:
    answer = faultline("validate", *map(str, shown))
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_every_file_shown_is_accepted(checkout: Path, tmp_path: Path) -> None:
    for number, text in enumerate(blocks(checkout, "yaml")):
        (tmp_path / f"{number}.yaml").write_text(text, encoding="utf-8")
    answer = faultline("validate", str(tmp_path))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert f"{number + 1} checked, 0 refused" in answer.stdout + answer.stderr


def test_the_rule_does_what_is_said_of_it(shown: tuple[Path, Path], checkout: Path, tmp_path: Path) -> None:
    (echoed,) = re.findall(r"echo '(\{.*?\})' \|", blocks(checkout, "sh")[0], re.DOTALL)
    alarm = json.loads(echoed.replace("\n", ""))
    host = {"type": "nova.host", "id": "host-1"}
    instance = {"type": "nova.instance", "id": "vm-1"}
    described = {"id": "t", "time": alarm["time"], "source": "nova", "op": "UPSERT"}
    lines = [
        {"topic": "topology.changes", "value": {**described, "id": "t-1", "entity": host}},
        {
            "topic": "topology.changes",
            "value": {**described, "id": "t-2", "entity": {**instance, "attributes": {"migrate": "auto"}}},
        },
        {
            "topic": "topology.changes",
            "value": {
                **described,
                "id": "t-3",
                "relationship": {"source": host, "type": "contains", "target": instance},
            },
        },
        {"topic": "alarms.raw", "value": alarm},
    ]
    events = tmp_path / "events.jsonl"
    events.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    answer = faultline("simulate", "--rules", str(shown[0]), str(events))
    outputs = [json.loads(line) for line in answer.stdout.splitlines()]
    deduced = [one["value"]["alarm"]["key"] for one in outputs if one["topic"] == "alarms.deduced"]
    started = [one["value"]["input"] for one in outputs if one["topic"] == "workflow.commands"]
    assert deduced == ["vitrage/Instance cut off@nova.instance/vm-1"]
    assert started == [{"vm_id": "vm-1"}]
