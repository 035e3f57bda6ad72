# ruff: noqa: E501 - a definition stands on one line.
"""What is kept of executions that have ended, and how long."""

from __future__ import annotations

import msgspec
import pytest

from pipeline.workflow.shard import WorkflowShard
from pipeline.workflow.store import REMEMBERED, RETAINED

TEXT = "version: '2.0'\nfine: {tasks: {a: {action: some.action}}}\nbad: {tasks: {a: {action: some.action, on-success: fail}}}"
NOW = 1_700_000_000_000_000


class Engine:
    """A shard whose clock can be set."""

    def __init__(self):
        self.shard = WorkflowShard(0)
        self.position = 0
        self.now = NOW
        self.send(command="DEFINITION", definition={"kind": "WORKFLOW", "name": "d", "text": TEXT})

    def send(self, **command):
        self.position += 1
        command.setdefault("id", f"c{self.position}")
        return self.shard.step(msgspec.json.encode(command), self.position, self.now)

    def run(self, workflow, root):
        outputs = self.send(command="START", root=root, execution=root, workflow=workflow, input={})
        for output in outputs:
            if output.topic == "workflow.actions":
                place = {key: output.value[key] for key in ("root", "execution", "task")}
                self.send(command="RESULT", **place, action=output.id, state="SUCCESS", result=1)
        return outputs

    def tick(self):
        self.send(command="CANCEL", execution="nobody")


@pytest.fixture
def engine():
    return Engine()


def test_a_success_leaves_its_id_for_thirty_days(engine):
    engine.run("fine", "r")
    assert (engine.shard.store.lives, list(engine.shard.store.ended)) == ({}, ["r"])
    engine.now = NOW + REMEMBERED - 1
    assert engine.run("fine", "r") == []
    engine.now += 1
    assert engine.run("fine", "r") != []


def test_a_failure_stays_for_a_week_to_be_run_again(engine):
    engine.run("bad", "r")
    engine.now = NOW + RETAINED - 1
    engine.tick()
    assert list(engine.shard.store.lives) == ["r"]
    engine.now += 1
    engine.shard.dirty.clear()
    engine.tick()
    assert (engine.shard.store.lives, list(engine.shard.store.ended)) == ({}, ["r"])
    gone = {key for key in engine.shard.dirty if engine.shard.encode(key) is None}
    assert {key.split("/")[0] for key in gone} == {"execution", "task"}


def test_of_too_many_failures_the_oldest_go_early(engine, monkeypatch):
    monkeypatch.setattr("pipeline.workflow.forgetting.MOST_RETAINED", 3)
    for number in range(6):
        engine.now += 1
        engine.run("bad", f"r{number}")
    engine.tick()
    assert list(engine.shard.store.lives) == ["r3", "r4", "r5"]
    assert list(engine.shard.store.ended) == ["r0", "r1", "r2"]


def test_of_too_many_ids_the_oldest_go_early(engine, monkeypatch):
    monkeypatch.setattr("pipeline.workflow.forgetting.MOST_REMEMBERED", 2)
    for number in range(5):
        engine.run("fine", f"r{number}")
    engine.tick()
    assert list(engine.shard.store.ended) == ["r3", "r4"]


def test_what_never_answers_does_not_keep_an_execution_for_ever(engine):
    engine.send(command="START", root="r", execution="r", workflow="fine", input={})
    engine.send(command="CANCEL", execution="r", root="r")
    engine.now = NOW + RETAINED
    engine.tick()
    assert engine.shard.store.lives == {}
