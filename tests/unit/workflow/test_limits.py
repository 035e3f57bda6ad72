# ruff: noqa: E501 - a row of a table stands on one line.
"""Brakes: what a workflow's limits hold back, and what becomes of that."""

from __future__ import annotations

import pytest

from pipeline.actions.harmless import perform_harmless
from pipeline.document import read
from pipeline.events import Definition
from pipeline.times import SECOND
from pipeline.workflow.answers import Answers
from pipeline.workflow.definition import check
from pipeline.workflow.run import Runner

TEXT = """
version: '2.0'
wf:
  input: [vm, {{secs: 10}}]
  limits: {limits}
  tasks:
    a: {{action: std.echo output=1, input: {{delay: <% $.secs %>}}}}
above:
  tasks:
    call: {{workflow: wf vm='x'}}
"""


class Stage:
    """A runner in which executions are started at times."""

    def __init__(self, limits: str) -> None:
        text = TEXT.format(limits=limits)
        self.runner = Runner([Definition("WORKFLOW", "main", text)], Answers(), perform_harmless)
        assert not self.runner.shard.counters()["definitions"]["main"]["error"]
        self.begin = self.runner.now

    def at(self, seconds: float, **command: object) -> None:
        self.runner.plan(self.begin + round(seconds * SECOND), dict(command))

    def start(self, name: str, seconds: float = 0, vm: str = "v", workflow: str = "wf") -> None:
        given = {"vm": vm} if workflow == "wf" else {}
        self.at(seconds, command="START", root=name, execution=name, workflow=workflow, input=given)

    def order(self, word: str, name: str, seconds: float) -> None:
        self.at(seconds, command=word, root=name, execution=name)

    def run(self, until: float | None = None) -> None:
        self.runner.advance(None if until is None else self.begin + round(until * SECOND))

    def states(self, name: str) -> list[str]:
        return [step["state"] for step in self.steps(name)]

    def steps(self, name: str) -> list[dict[str, object]]:
        found = [output.value for output in self.runner.outputs if output.topic == "workflow.steps"]
        return [step for step in found if step["kind"] == "EXECUTION" and step["execution"] == name]


def test_what_is_over_the_number_at_a_time_is_held_and_goes_on_when_a_place_is_free():
    stage = Stage("{concurrent: 2}")
    for number in range(4):
        stage.start(f"e{number}", number)
    stage.run()
    assert [stage.states(f"e{number}") for number in range(4)] == [
        ["RUNNING", "SUCCESS"],
        ["RUNNING", "SUCCESS"],
        ["HELD", "RUNNING", "SUCCESS"],
        ["HELD", "RUNNING", "SUCCESS"],
    ]
    held, running, _ = stage.steps("e2")
    assert (held["limit"], held["state_info"]) == (
        "concurrent",
        "Held by the limit 'concurrent': 2 of at most 2 run",
    )
    # The first ends ten seconds after its start, and the first that waits takes its place.
    assert running["time"] == "2000-01-01T00:00:10.000000Z"
    assert stage.steps("e3")[1]["time"] == "2000-01-01T00:00:11.000000Z"


@pytest.mark.parametrize(
    ("limits", "starts", "held", "limit"),
    [
        ("{per-hour: 2}", [("a", 0, "v"), ("b", 60, "v"), ("c", 120, "v")], {"c"}, "per-hour"),
        ("{per-hour: 2}", [("a", 0, "v"), ("b", 60, "v"), ("c", 3601, "v")], set(), ""),
        ("{cool-down: 60}", [("a", 0, "v"), ("b", 59, "v"), ("c", 59, "w")], {"b"}, "cool-down"),
        ("{cool-down: 60}", [("a", 0, "v"), ("b", 60, "v")], set(), ""),
        ("{cool-down: 60, key: '<% $.vm.substring(0, 1) %>'}", [("a", 0, "v1"), ("b", 30, "v2"), ("c", 30, "w")], {"b"}, "cool-down"),
        ("{concurrent: 1, cool-down: 60}", [("a", 0, "v"), ("b", 30, "v")], {"b"}, "cool-down"),
        # What is held has not started, and so holds back nothing itself.
        ("{cool-down: 60}", [("a", 0, "v"), ("b", 59, "v"), ("c", 61, "v")], {"b"}, "cool-down"),
    ],
)  # fmt: skip
def test_limits(limits, starts, held, limit):
    stage = Stage(limits)
    for name, seconds, vm in starts:
        stage.start(name, seconds, vm)
    stage.run()
    for name, _, _ in starts:
        assert stage.states(name) == (["HELD"] if name in held else ["RUNNING", "SUCCESS"])
        if name in held:
            assert stage.steps(name)[0]["limit"] == limit


def test_what_is_held_can_be_released_and_counts_then():
    stage = Stage("{cool-down: 60}")
    stage.start("a")
    stage.start("b", 10)
    who = {"by": {"operator": "ann"}, "message": "seen to"}
    stage.at(50, command="RELEASE", root="b", execution="b", **who)
    stage.start("c", 70)
    stage.run()
    assert stage.states("b") == ["HELD", "RUNNING", "SUCCESS"]
    assert stage.steps("b")[1]["state_info"] == "Released by ann: seen to"
    assert stage.states("c") == ["HELD"]


@pytest.mark.parametrize(
    ("word", "state"), [("DROP", "CANCELLED"), ("CANCEL", "CANCELLED"), ("STOP", "ERROR")]
)
def test_what_is_held_can_be_dropped(word, state):
    stage = Stage("{concurrent: 1}")
    stage.start("a")
    stage.start("b", 1)
    stage.start("c", 2)
    stage.order(word, "b", 3)
    stage.run()
    assert stage.states("b") == ["HELD", state]
    # It does not stand in the way of who waited behind it.
    assert stage.states("c") == ["HELD", "RUNNING", "SUCCESS"]


@pytest.mark.parametrize("word", ["RELEASE", "DROP"])
def test_what_runs_is_neither_released_nor_dropped(word):
    stage = Stage("{concurrent: 1}")
    stage.start("a")
    stage.order(word, "a", 1)
    stage.run()
    assert stage.states("a") == ["RUNNING", "SUCCESS"]


def test_a_workflow_called_by_another_is_under_its_limits_too():
    stage = Stage("{concurrent: 1}")
    stage.start("a")
    stage.start("b", 1, workflow="above")
    stage.run(5)
    assert stage.states("b") == ["RUNNING"]
    found = [output.value for output in stage.runner.outputs if output.topic == "workflow.steps"]
    held = [step["state"] for step in found if step.get("parent")]
    assert held == ["HELD"]
    stage.order("PAUSE", "b", 6)
    stage.run(12)
    assert stage.states("b") == ["RUNNING", "PAUSED"]
    stage.order("RESUME", "b", 13)
    stage.run()
    assert stage.states("b") == ["RUNNING", "PAUSED", "RUNNING", "SUCCESS"]


def test_the_same_question_again_counts_once():
    stage = Stage("{concurrent: 1}")
    stage.start("a")
    stage.run(1)
    question = next(out.value for out in stage.runner.outputs if out.value.get("command") == "ADMISSION")
    stage.runner.apply(dict(question))
    stage.run()
    stage.runner.apply(dict(question))
    stage.start("b", 100)
    stage.run()
    assert stage.states("a") == ["RUNNING", "SUCCESS"]
    assert stage.states("b") == ["RUNNING", "SUCCESS"]


def test_an_execution_that_is_run_again_counts_again():
    stage = Stage("{concurrent: 1}")
    stage.start("a")
    stage.order("STOP", "a", 1)
    stage.start("b", 20)
    stage.run()
    assert stage.states("b") == ["RUNNING", "SUCCESS"]
    assert not stage.runner.shard.store.entries["wf"].running


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ("{concurrent: 0}", "concurrent must be a whole number, 1 or more"),
        ("{per-hour: x}", "per-hour must be a whole number, 1 or more"),
        ("{cool-down: -1}", "cool-down must be a number of seconds"),
        ("{cool-down: 1, key: <% $. %>}", "YAQL"),
        ("{most: 1}", "limits has no key 'most'"),
        ("{key: <% $.vm %>}", "limits has concurrent, per-hour or cool-down"),
        ("[]", "limits must be a mapping"),
    ],
)
def test_limits_that_are_none_are_refused(limits, message):
    found = check(read(TEXT.format(limits=limits), aliases=False))
    assert any(message in each.message for each in found if each.level == "error"), found
