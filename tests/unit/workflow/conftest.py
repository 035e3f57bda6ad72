"""Workflows as tables: a definition, what its actions come to, and what must be seen in the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from textwrap import dedent
from typing import Any

import pytest
import yaml

from pipeline.actions.harmless import perform_harmless
from pipeline.document import read
from pipeline.events import Definition
from pipeline.times import SECOND
from pipeline.workflow import answers
from pipeline.workflow.run import Runner, report

ROOT = "root-1"


@dataclass
class Ran:
    """What became of an execution."""

    runner: Runner
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> str:
        return str(self.document["state"])

    @property
    def info(self) -> Any:
        return self.document["state_info"]

    @property
    def output(self) -> Any:
        return self.document["output"]

    @property
    def tasks(self) -> dict[str, str]:
        """The state of each task; of several of one name, the last's."""
        return {task["name"]: task["state"] for task in self.document["tasks"]}

    def task(self, name: str) -> dict[str, Any]:
        return next(task for task in reversed(self.document["tasks"]) if task["name"] == name)

    def count(self, name: str) -> int:
        """How many tasks of that name there were."""
        return sum(task["name"] == name for task in self.document["tasks"])

    def runs(self, name: str) -> int:
        return len(self.task(name)["runs"])

    def actions(self) -> list[tuple[str, Any]]:
        """What executors were asked to do."""
        return [
            (output.value["action"], output.value["input"])
            for output in self.runner.outputs
            if output.topic == "workflow.actions"
        ]

    def told(self, kind: str, name: str) -> list[str]:
        """The states that were put out, in order."""
        return [
            output.value["state"]
            for output in self.runner.outputs
            if output.topic == "workflow.steps"
            and output.value["kind"] == kind
            and output.value["name"] == name
        ]


def run(
    text: str,
    given: Mapping[str, Any] | None = None,
    *,
    script: str = "",
    workflow: str = "wf",
    more: Mapping[str, str] | None = None,
    until: float | None = None,
    **params: Any,
) -> Ran:
    """Runs ``workflow`` of the definition ``text`` (without its version line)."""
    texts = {"main": text, **(more or {})}
    definitions = [
        Definition("WORKFLOW", name, "version: '2.0'\n" + dedent(body)) for name, body in texts.items()
    ]
    written = dedent(script)
    actions = answers.read(read(written)) if yaml.safe_load(written) else answers.Answers()
    runner = Runner(definitions, actions, perform_harmless)
    errors = [each["error"] for each in runner.shard.counters()["definitions"].values() if each["error"]]
    assert not errors, errors
    begin = runner.now
    target = {"root": ROOT, "execution": ROOT}
    runner.start(
        {"command": "START", **target, "workflow": workflow, "input": dict(given or {}), "params": params}
    )
    for at, command, value in actions.events:
        fields = answers.fields(command, value)
        runner.plan(begin + round(at * SECOND), {"command": command.upper(), **target, **fields})
    runner.advance(None if until is None else begin + round(until * SECOND))
    return Ran(runner, report(runner, ROOT))


@pytest.fixture
def play() -> Callable[..., Ran]:
    """The function that runs a table's row."""
    return run
