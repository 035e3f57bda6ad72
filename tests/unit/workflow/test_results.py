# ruff: noqa: E501 - a definition stands on one line.
"""Results that come late, twice, or for nobody."""

from __future__ import annotations

import msgspec
import pytest

from pipeline.errors import InvalidRecord
from pipeline.workflow.shard import WorkflowShard

TWO = "version: '2.0'\nwf: {tasks: {a: {action: some.action, on-complete: b}, b: {action: some.action}}}"


@pytest.fixture
def shard():
    found = WorkflowShard(0)
    send(found, command="DEFINITION", definition={"kind": "WORKFLOW", "name": "wf", "text": TWO})
    return found


def send(shard, **command):
    command.setdefault("id", str(command))
    send.position = getattr(send, "position", 0) + 1
    return shard.step(msgspec.json.encode(command), send.position, send.position)


def start(shard):
    outputs = send(shard, command="START", root="r", execution="r", workflow="wf", input={})
    return next(output.value for output in outputs if output.topic == "workflow.actions")


def result(action, state, value, **more):
    place = {key: action[key] for key in ("root", "execution", "task")}
    return {"command": "RESULT", **place, "action": action["id"], "state": state, "result": value, **more}


def test_the_same_result_again_is_nothing(shard):
    action = start(shard)
    assert send(shard, **result(action, "SUCCESS", 1))
    shard.dirty.clear()
    assert send(shard, **result(action, "SUCCESS", 1)) == []
    assert send(shard, **result(action, "SUCCESS", 1, id="sent again")) == []
    assert shard.dirty == set()


def test_a_result_that_says_otherwise_is_told_once_and_changes_nothing(shard):
    action = start(shard)
    send(shard, **result(action, "ERROR", "outcome unknown"))
    (told,) = send(shard, **result(action, "SUCCESS", 1, id="its own word"))
    assert (told.value["kind"], told.value["late"], told.value["state"]) == ("LATE", True, "SUCCESS")
    assert send(shard, **result(action, "SUCCESS", 1, id="its own word")) == []
    (task,) = (task for task in shard.store.lives["r"].tasks.values() if task.name == "a")
    assert (task.state, task.result) == ("ERROR", "outcome unknown")


def test_a_result_for_nobody_is_nothing(shard):
    action = start(shard)
    for changed in ({"execution": "other"}, {"task": "other"}, {"id": "other"}):
        assert send(shard, **result({**action, **changed}, "SUCCESS", 1)) == []


def test_a_start_of_what_was_is_nothing(shard):
    action = start(shard)
    outputs = send(shard, **result(action, "SUCCESS", 1))
    last = next(output.value for output in outputs if output.topic == "workflow.actions")
    send(shard, **result(last, "SUCCESS", 1))
    assert shard.store.lives == {}
    assert send(shard, command="START", root="r", execution="r", workflow="wf", input={}, id="again") == []


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{", "not-json"),
        (b"[]", "bad-type"),
        (b'{"command": "JUMP"}', "unknown-command"),
        (b'{"command": "START", "root": "r"}', "missing-field"),
        (b'{"command": "START", "root": 5, "workflow": "wf"}', "bad-type"),
        (b'{"command": "START", "root": "r", "workflow": "wf", "input": []}', "bad-type"),
        (
            b'{"id": "x", "command": "RESULT", "execution": "r", "task": "t", "action": "a", "state": "MAYBE"}',
            "bad-state",
        ),
        (b'{"command": "DEFINITION", "definition": {"kind": "WORKFLOW"}}', "bad-definition"),
    ],
)
def test_what_is_no_command_is_refused(shard, value, reason):
    with pytest.raises(InvalidRecord) as caught:
        shard.step(value, 9, 9)
    assert caught.value.reason == reason


def test_a_result_that_is_nested_too_deep_is_the_actions_error(shard):
    action = start(shard)
    value = "x"
    for _ in range(300):
        value = [value]
    (told, *_) = send(shard, **result(action, "SUCCESS", value))
    assert (told.value["kind"], told.value["state"]) == ("ACTION", "ERROR")
    assert "nested" in told.value["result"]


def test_a_start_that_is_nested_too_deep_is_refused(shard):
    value: dict = {}
    for _ in range(300):
        value = {"x": value}
    with pytest.raises(InvalidRecord) as caught:
        send(shard, command="START", root="deep", execution="deep", workflow="wf", input=value)
    assert caught.value.reason == "too-deep"


def test_a_reshaped_result_sent_again_is_nothing():
    found = WorkflowShard(0)
    text = "version: '2.0'\nact: {base: some.action, output: {whole: <% $ %>}}\nwf: {tasks: {a: {action: act, keep-result: false, on-complete: b}, b: {action: act}}}"
    send(found, command="DEFINITION", definition={"kind": "WORKFLOW", "name": "wf", "text": text})
    action = start(found)
    assert send(found, **result(action, "SUCCESS", 1))
    assert send(found, **result(action, "SUCCESS", 1)) == []


def test_an_items_result_sent_again_is_nothing_and_another_is_late():
    found = WorkflowShard(0)
    text = "version: '2.0'\nwf: {tasks: {a: {with-items: 'i in [1, 2]', action: some.action, keep-result: false}}}"
    send(found, command="DEFINITION", definition={"kind": "WORKFLOW", "name": "wf", "text": text})
    action = start(found)
    assert send(found, **result(action, "SUCCESS", 1))
    assert send(found, **result(action, "SUCCESS", 1)) == []
    (told,) = send(found, **result(action, "ERROR", "no", id="another"))
    assert told.value["kind"] == "LATE"
