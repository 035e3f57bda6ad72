from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.checking import check_files
from pipeline.workflow.shard import WorkflowShard

PROD = "name: prod\nvariables: {window: <% 1 + 1 %>, cloud: prod}\n"
SHOW = """
version: '2.0'
show:
  output: {window: <% env().window %>}
  tasks:
    only: {action: std.noop}
"""


def send(shard: WorkflowShard, position: int, **command: Any) -> list[dict[str, Any]]:
    value = msgspec.json.encode({"id": f"c{position}", "time": "2026-01-05T10:00:00.000000Z", **command})
    return [output.value for output in shard.step(value, position, 1_000_000 + position)]


def define(shard: WorkflowShard, position: int, kind: str, name: str, text: str, op: str = "UPSERT") -> None:
    definition = {"kind": kind, "name": name, "text": text}
    send(shard, position, command="DEFINITION", op=op, definition=definition)


@pytest.fixture
def shard() -> WorkflowShard:
    made = WorkflowShard(0)
    define(made, 0, "WORKFLOW", "show", SHOW)
    define(made, 1, "ENVIRONMENT", "prod", PROD)
    return made


def start(shard: WorkflowShard, position: int, **more: Any) -> list[dict[str, Any]]:
    root = f"root-{position}"
    return send(shard, position, command="START", root=root, execution=root, workflow="show", **more)


@pytest.mark.parametrize("given", [{"env": "prod"}, {"params": {"env": "prod"}}])
def test_a_start_names_the_environment(shard: WorkflowShard, given: dict[str, Any]) -> None:
    start(shard, 2, **given)
    assert shard.store.lives["root-2"].record.params["env"] == {"window": 2, "cloud": "prod"}


def test_an_environment_that_is_not_there_ends_the_execution_and_says_so(shard: WorkflowShard) -> None:
    (step,) = (value for value in start(shard, 2, env="porduction") if value.get("kind") == "EXECUTION")
    assert (step["state"], step["state_info"]) == (
        "ERROR",
        "Environment not found [name=porduction]; known are: prod",
    )


def test_an_execution_keeps_the_values_with_which_it_began(shard: WorkflowShard) -> None:
    start(shard, 2, env="prod")
    define(shard, 3, "ENVIRONMENT", "prod", "name: prod\nvariables: {window: 9}\n")
    start(shard, 4, env="prod")
    windows = [shard.store.lives[root].record.params["env"]["window"] for root in ("root-2", "root-4")]
    assert windows == [2, 9]


def test_one_that_is_refused_leaves_the_earlier_one_and_is_told(shard: WorkflowShard) -> None:
    define(shard, 2, "ENVIRONMENT", "prod", "name: prod\nvariables: [1]\n")
    start(shard, 3, env="prod")
    assert shard.store.lives["root-3"].record.params["env"]["cloud"] == "prod"
    assert "variables" in shard.counters()["environments"]["prod"]["error"]


def test_removed_and_restored(shard: WorkflowShard) -> None:
    other = WorkflowShard(0)
    for key in sorted(shard.dirty):
        kept = shard.encode(key)
        assert kept is not None
        other.load(key, kept)
    other.restored()
    assert other.store.environments == shard.store.environments
    define(other, 2, "ENVIRONMENT", "prod", "", op="DELETE")
    assert other.encode("environment/prod") is None
    assert "Environment not found" in str(start(other, 3, env="prod"))


def test_a_file_of_one_is_known_by_its_variables(tmp_path: Path) -> None:
    path = tmp_path / "prod.yaml"
    path.write_text(PROD)
    (checked,) = check_files([path])
    assert (checked.kind, checked.name, checked.findings) == ("environment", "prod", [])
    assert checked.definition is not None
    assert checked.definition.kind == "ENVIRONMENT"
    path.write_text("name: prod\nvariables: {window: <% 1 + %>}\nmode: x\n")
    (checked,) = check_files([path])
    assert [finding.line for finding in checked.findings] == [2, 3]
