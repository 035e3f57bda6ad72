"""Large values: kept apart, once, and never more in one record than Kafka takes."""

from __future__ import annotations

import msgspec

from pipeline.workflow import apart
from pipeline.workflow.records import Task
from pipeline.workflow.shard import WorkflowShard

KAFKA = 1_000_000
CHAIN = """
version: '2.0'
wf:
  input: [given]
  tasks:
    a: {action: some.action x=<% $.given %>, publish: {a: <% task().result %>}, on-success: b}
    b: {action: some.action, publish: {b: <% task().result %>}, on-success: c}
    c: {action: some.action, publish: {c: <% task().result %>}, on-success: many}
    many: {with-items: 'i in [1, 2, 3]', action: some.action x=<% $.a %>, on-complete: sub}
    sub: {workflow: inner x=<% $.b %>, on-success: fail(msg='done')}
inner: {input: [x], output: {y: <% $.x %>}, tasks: {t: {action: some.action}}}
"""


def task(**fields):
    return Task(id="t", execution="e", name="n", number=1, state="RUNNING", created=1, **fields)


def test_what_is_large_is_marked_and_put_back():
    record = task(
        context={"small": 1, "large": "x" * 5_000}, result=["y" * 3_000], published={"large": "x" * 5_000}
    )
    changed, values = apart.split(record)
    assert len(values) == 2
    assert changed["context"]["small"] == 1
    assert changed["context"]["large"] == changed["published"]["large"]
    back = msgspec.json.decode(apart.encode(record), type=Task)
    assert apart.join(back, {digest: msgspec.json.decode(value) for digest, value in values.items()}) == set(
        values
    )
    assert back == record


def test_what_looks_like_a_mark_is_no_mark():
    record = task(context={"v": {apart.MARK: "mine"}}, result={apart.MARK: 1, "other": 2})
    _, values = apart.split(record)
    back = msgspec.json.decode(apart.encode(record), type=Task)
    apart.join(back, {digest: msgspec.json.decode(value) for digest, value in values.items()})
    assert back == record


def test_a_shelf_counts_who_needs_a_value():
    shelf = apart.Shelf()
    assert shelf.update("a", {"h": b"1"}) == {"h"}
    assert shelf.update("b", {"h": b"1", "i": b"2"}) == {"i"}
    assert shelf.update("a", {}) == set()
    assert shelf.update("b", {"i": b"2"}) == {"h"}
    assert shelf.values == {"i": b"2"}


def test_no_record_nears_what_kafka_takes_and_all_is_gone_at_the_end():
    shard = WorkflowShard(0)
    table: dict[str, bytes] = {}
    position = 0
    todo = [
        {"command": "DEFINITION", "definition": {"kind": "WORKFLOW", "name": "wf", "text": CHAIN}},
        {
            "command": "START",
            "root": "r",
            "execution": "r",
            "workflow": "wf",
            "input": {"given": "g" * 800_000},
        },
    ]
    written = 0
    while todo:
        position += 1
        command = {"id": f"c{position}", **todo.pop(0)}
        for output in shard.step(msgspec.json.encode(command), position, position):
            assert len(msgspec.json.encode(output.value)) < KAFKA, output
            if output.topic == "workflow.actions":
                place = {key: output.value[key] for key in ("root", "execution", "task")}
                value = {"value": f"{position}" * 400_000}
                todo.append(
                    {"command": "RESULT", **place, "action": output.id, "state": "SUCCESS", "result": value}
                )
        for key in shard.dirty:
            value = shard.encode(key)
            if value is None:
                table.pop(key, None)
            else:
                assert len(value) < KAFKA, key
                written += len(value)
                table[key] = value
        shard.dirty.clear()
        # Every step could be the last before a restart.
        other = WorkflowShard(0)
        for key, kept in table.items():
            other.load(key, kept)
        other.restored()
        assert {key: other.encode(key) for key in table} == table
    assert shard.store.lives["r"].record.state == "ERROR"
    # Each large value was written once, whoever holds it: about ten of up to 0.8 MB.
    assert written < 12_000_000
    purge = {"id": "x", "command": "CANCEL", "execution": "nobody"}
    shard.step(msgspec.json.encode(purge), position + 1, 10**15)
    for key in shard.dirty:
        assert shard.encode(key) is None or key.startswith("ended/")
        table.pop(key, None)
    assert {key.split("/")[0] for key in table} == {"document", "revision"}


def test_no_step_is_larger_than_kafka_takes_when_a_task_ends_after_a_wait():
    shard = WorkflowShard(0)
    text = """
version: '2.0'
wf:
  tasks:
    a: {action: some.action, wait-after: 5, publish: {x: <% task().result %>}, on-success: b}
    b: {workflow: sub x=<% $.x %>, publish: {y: <% task().result.y %>}}
sub: {input: [x], output: {y: <% $.x %>}, tasks: {t: {action: some.action}}}
"""
    outputs = []

    def send(**command):
        position = len(outputs) + 1
        found = shard.step(
            msgspec.json.encode({"id": f"c{position}", **command}), position, position * 10_000_000
        )
        outputs.extend(found)
        for output in found:
            if output.topic == "workflow.actions":
                place = {key: output.value[key] for key in ("root", "execution", "task")}
                send(command="RESULT", **place, action=output.id, state="SUCCESS", result="v" * 700_000)

    send(command="DEFINITION", definition={"kind": "WORKFLOW", "name": "wf", "text": text})
    send(command="START", root="r", execution="r", workflow="wf", input={})
    (timer,) = shard.timers(10**15)
    send(**timer.value)
    assert max(len(msgspec.json.encode(output.value)) for output in outputs) < KAFKA
    ends = {
        output.value["name"]: output.value
        for output in outputs
        if output.value.get("kind") == "TASK" and output.value["state"] == "SUCCESS"
    }
    assert ends["a"]["result"]["field"] == "result"
    assert set(ends["b"]["result"]) == {"execution"}
