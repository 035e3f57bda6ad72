"""Every small workflow, with every outcome of its actions: none gets stuck, each ends exactly once.

Shapes are enumerated: up to three tasks beside a first one, each pair linked or not by each kind of
transition, joins or not, commands or not. Each is run with every combination of outcomes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from pipeline.workflow.shard import WorkflowShard

CLAUSES = ("on-success", "on-error", "on-complete")
OUTCOMES = ("SUCCESS", "ERROR", "CANCELLED")
ENDED = {"SUCCESS", "ERROR", "CANCELLED"}


def shapes() -> Iterator[dict[str, Any]]:
    """Workflows of two starts and a third task, linked in every way, with every join."""
    targets: tuple[str | None, ...] = (None, "c", "d", "fail", "succeed")
    for a, b, joined in itertools.product(
        itertools.product(targets, targets[:3]),
        itertools.product(targets[:3], targets[:3]),
        (None, "all", "one"),
    ):
        tasks: dict[str, Any] = {}
        for name, (good, bad) in (("a", a), ("b", b)):
            task: dict[str, Any] = {"action": "some.action"}
            if good:
                task["on-success"] = [good]
            if bad:
                task["on-error"] = [bad]
            tasks[name] = task
        reached = {target for links in (a, b) for target in links}
        tasks["c"] = {"action": "some.action", "on-complete": ["d"]}
        tasks["d"] = {"action": "some.action"}
        if joined and "c" in reached:
            tasks["c"]["join"] = joined
        if joined:
            tasks["d"]["join"] = joined
        yield tasks


def deeper() -> Iterator[dict[str, Any]]:
    """Two branches of two tasks each that meet, dying at every place over every clause."""
    for one, two, three, four in itertools.product(CLAUSES, repeat=4):
        for joined in ("all", "one", 2):
            yield {
                "a": {"action": "some.action", one: ["c"]},
                "b": {"action": "some.action", two: ["d"]},
                "c": {"action": "some.action", three: ["j"]},
                "d": {"action": "some.action", four: ["j"]},
                "j": {"action": "some.action", "join": joined},
            }


def loops() -> Iterator[dict[str, Any]]:
    """Two tasks that lead to each other until one fails, beside another, all meeting in a join."""
    ways = (["b"], ["j"], ["b", "j"], [])
    back = (["a"], ["j"], ["a", "j"], ["c"], [])
    ends = (["j"], ["c"], [])
    for good, bad, again, out in itertools.product(ways, ends, back, ends):
        for joined in ("all", "one", 2):
            yield {
                "start": {"action": "some.action", "on-complete": ["a", "other"]},
                "a": linked(good, bad),
                "b": linked(again, out),
                "c": linked(["j"], ["j"]),
                "other": linked(["j"], []),
                "j": {"action": "some.action", "join": joined},
            }


def linked(good: list[str], bad: list[str]) -> dict[str, Any]:
    """A task with its ways on success and on error."""
    task: dict[str, Any] = {"action": "some.action"}
    if good:
        task["on-success"] = good
    if bad:
        task["on-error"] = bad
    return task


def play(
    tasks: dict[str, Any], outcomes: tuple[str, ...], backwards: bool, then: str = "SUCCESS"
) -> WorkflowShard | None:
    """Runs a shape; actions come to ``outcomes`` in the order in which they are asked for."""
    shard = WorkflowShard(0)
    text = msgspec.json.encode({"version": "2.0", "wf": {"tasks": tasks}}).decode()
    definition = {"kind": "WORKFLOW", "name": "wf", "text": text}
    shard.step(msgspec.json.encode({"id": "d", "command": "DEFINITION", "definition": definition}), 0, 1)
    if shard.counters()["definitions"]["wf"]["error"]:
        return None
    start = {"id": "s", "command": "START", "root": "r", "execution": "r", "workflow": "wf", "input": {}}
    outputs = shard.step(msgspec.json.encode(start), 1, 1)
    told = list(outputs)
    asked = [output.value for output in outputs if output.topic == "workflow.actions"]
    given = itertools.chain(outcomes, itertools.repeat(then))
    position = 1
    while asked:
        action = asked.pop(-1 if backwards else 0)
        position += 1
        result = {key: action[key] for key in ("root", "execution", "task")}
        result |= {
            "id": f"x{position}",
            "command": "RESULT",
            "action": action["id"],
            "state": next(given),
            "result": "v",
        }
        outputs = shard.step(msgspec.json.encode(result), position, position)
        told += outputs
        asked += [output.value for output in outputs if output.topic == "workflow.actions"]
        assert position < 100, "it does not end"
    ends = [
        output.value["state"]
        for output in told
        if output.topic == "workflow.steps"
        and output.value["kind"] == "EXECUTION"
        and output.value["state"] in ENDED
    ]
    assert len(ends) == 1, (tasks, outcomes, ends)
    open_tasks = [
        task.name for live in shard.store.lives.values() for task in live.tasks.values() if task.open
    ]
    assert open_tasks == [], (tasks, outcomes)
    seen: dict[str, str] = {}
    for output in told:
        value = output.value
        if output.topic != "workflow.steps" or value["kind"] == "ACTION":
            continue
        key = value.get("task") or value["execution"]
        assert value["from"] == seen.get(key, "IDLE"), (tasks, outcomes, value)
        seen[key] = value["state"]
    return shard


@pytest.mark.parametrize("make", [shapes, deeper])
def test_no_shape_gets_stuck_and_each_ends_once(make):
    played = 0
    for tasks in make():
        for outcomes in itertools.product(OUTCOMES[:2], repeat=3 if make is shapes else 4):
            for backwards in (False, True):
                played += play(tasks, outcomes, backwards) is not None
        play(tasks, ("CANCELLED",), False)
    assert played > 1_000


def test_no_loop_gets_stuck_and_each_ends_once():
    played = 0
    for tasks in loops():
        for outcomes in itertools.product(OUTCOMES[:2], repeat=4):
            played += play(tasks, ("SUCCESS", *outcomes), outcomes[0] == "ERROR", "ERROR") is not None
    assert played > 1_000
