"""A command that cannot be obeyed is answered, with the reason."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.events import Output
from pipeline.workflow.refusals import answer_id
from pipeline.workflow.shard import WorkflowShard

BOOK = """
version: '2.0'
w:
  tasks:
    one: {action: std.async_noop, on-success: two}
    two: {action: std.noop}
"""


class Plant:
    """A shard with one execution, ``x``."""

    def __init__(self) -> None:
        self.shard = WorkflowShard(0)
        self.position = 0
        definition = {"kind": "WORKFLOW", "name": "w", "text": BOOK}
        self.send("DEFINITION", op="UPSERT", definition=definition)
        self.send("START", root="x", workflow="w", input={})

    def send(self, command: str, **more: Any) -> list[Output]:
        self.position += 1
        head = {"id": f"c{self.position}", "time": "2026-01-05T10:00:00.000000Z", "execution": "x"}
        value = json.dumps({**head, "command": command, **more}).encode()
        return self.shard.step(value, self.position, 1_767_607_200_000_000 + self.position)

    def refused(self, command: str, **more: Any) -> str:
        """The reason; it is the only thing that comes of the command."""
        [output] = self.send(command, root="x", **more)
        assert (output.topic, output.id) == ("workflow.steps", answer_id(f"c{self.position}"))
        told = output.value
        assert (told["kind"], told["name"], told["state"]) == ("COMMAND", command, "REFUSED")
        return str(told["state_info"])


@pytest.fixture
def plant() -> Plant:
    return Plant()


@pytest.mark.parametrize(
    ("command", "more", "words"),
    [
        ("RESUME", {}, "it is RUNNING, not PAUSED"),
        ("RELEASE", {}, "it is RUNNING, not HELD"),
        ("DROP", {}, "it is RUNNING, not HELD"),
        ("RERUN", {"task": "one"}, "task one is RUNNING, not ERROR or CANCELLED"),
        ("RERUN", {"task": "two"}, "task two has not been reached"),
        ("SKIP", {"task": "three"}, "it has no task 'three'; it has one, two"),
        ("COMPLETE", {"task": "two"}, "completed as 'two' says; of its tasks these run: one"),
        ("PAUSE", {"execution": "y"}, "no such execution is kept here"),
    ],
)  # fmt: skip
def test_the_reason_says_what_is_so_instead(plant: Plant, command: str, more: Any, words: str) -> None:
    assert words in plant.refused(command, **more)


def test_what_has_ended_stays_ended(plant: Plant) -> None:
    assert plant.send("STOP", state="SUCCESS")
    for command in ("PAUSE", "RESUME", "CANCEL", "STOP", "COMPLETE"):
        assert plant.refused(command) == "it has ended, as SUCCESS"


def test_what_is_obeyed_is_not_refused_nor_when_it_comes_twice(plant: Plant) -> None:
    assert plant.send("PAUSE")
    assert plant.refused("PAUSE") == "it is PAUSED, not RUNNING"
    assert plant.send("RESUME", id="again")
    assert plant.send("RESUME", id="again") == []


def test_an_approval_that_nobody_asked_for(plant: Plant) -> None:
    [output] = plant.send("APPROVE", root="x", by={"operator": "ann"})
    assert output.id == answer_id(f"c{plant.position}")
    assert (output.value["kind"], output.value["state"]) == ("APPROVAL", "REFUSED")
    assert output.value["state_info"] == "nothing here waits for an approval"
    assert output.value["by"] == {"operator": "ann"}
