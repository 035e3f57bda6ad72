"""Whatever happens to an engine, its state is a function of its log.

One shard lives; others are restored from its table at random points, are given records twice, or
break in the middle of a step. All must go on as if nothing had been.
"""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from pipeline.ids import identify
from pipeline.workflow.shard import WorkflowShard
from pipeline.workflow.step import Step

DEFINITIONS = """
version: '2.0'
line:
  input: [x, {n: 2}]
  output: {got: <% $.got %>}
  tasks:
    a:
      action: some.action x=<% $.x %>
      retry: {count: 2, delay: 3}
      publish: {got: <% task().result %>}
      publish-on-error: {got: bad}
      on-success: b
      on-error: mend
    b:
      action: some.action
      wait-before: 1
      wait-after: 2
      timeout: 20
      on-complete: [{c: <% $.got != bad %>}]
    c: {action: some.action id=<% uuid() %>}
    mend: {action: some.action, on-complete: fail(msg="mended")}
fork:
  input: [x]
  tasks:
    one: {action: some.action, publish: {one: <% task().result %>}, on-success: both, on-error: other}
    two: {action: some.action, publish: {two: <% task().result %>}, on-complete: both, on-success: some}
    three: {action: some.action, publish: {d: {x: 1}}, on-success: some}
    other: {action: some.action, on-success: both}
    both: {join: all, action: some.action, retry: {count: 1, delay: 1}}
    some:
      join: one
      with-items: 'i in <% list($.x, 2, 3) %>'
      action: some.action i=<% $.i %>
      concurrency: 2
parent:
  input: [x]
  tasks:
    call: {workflow: line x=<% $.x %>, on-error: [noop], on-success: many}
    many: {with-items: 'i in [1, 2]', workflow: fork x=<% $.i %>, on-complete: last}
    last: {action: some.action, pause-before: <% $.x = 1 %>}
braked:
  input: [x]
  limits: {concurrent: 2, per-hour: 6, cool-down: 5, key: <% $.x %>}
  tasks:
    ask:
      action: approval
      input: {roles: [a, b], needed: 1, timeout: 9, otherwise: escalate, escalate_to: a}
careful:
  input: [x]
  tasks:
    a: {action: some.action, compensate: some.action u=1, on-success: [b, call]}
    b: {action: some.action, compensate: {action: some.action, retry: {count: 1, delay: 2}}, wait-after: 2}
    call: {workflow: braked x=<% $.x %>, compensate: {workflow: line x=1}, on-success: c}
    c: {with-items: 'i in [1, 2]', action: some.action, on-success: fail}
back:
  type: reverse
  input: [x]
  tasks:
    base: {action: some.action, publish: {b: <% task().result %>}}
    side: {action: some.action}
    top: {action: some.action, requires: [base, side]}
"""

START = 1_000_000_000_000_000


class World:
    """Drives shards through one random history and compares them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.live = WorkflowShard(3)
        self.table: dict[str, bytes] = {}
        self.log: list[tuple[bytes, int]] = []
        self.now = START
        self.open: dict[str, dict[str, Any]] = {}
        self.roots: list[str] = []
        self.coming: list[dict[str, Any]] = []

    def feed(self, command: dict[str, Any]) -> list[Any]:
        command.setdefault("id", identify("c", len(self.log)))
        value = msgspec.json.encode(command)
        before = dict(self.table)
        position, at = len(self.log), self.now
        self.break_one(value, position, before)
        outputs = self.live.step(value, position, at)
        self.log.append((value, at))
        self.checkpoint()
        if self.random.random() < 0.25:
            other = restored(before)
            assert other.step(value, position, at) == outputs
            assert written(other, before) == self.table
        for output in outputs:
            if output.topic == "workflow.actions":
                self.open[output.id] = output.value
            elif output.topic == "workflow.commands":
                self.coming.append(output.value)
        return outputs

    def checkpoint(self) -> None:
        for key in sorted(self.live.dirty):
            value = self.live.encode(key)
            if value is None:
                self.table.pop(key, None)
            else:
                self.table[key] = value
        self.live.dirty.clear()

    def break_one(self, value: bytes, position: int, table: dict[str, bytes]) -> None:
        """A step that fails at a random place leaves no trace."""
        if self.random.random() > 0.3:
            return
        left = self.random.randrange(1, 8)
        whole, put = Step.tell, Step.put

        def count() -> None:
            nonlocal left
            left -= 1
            if not left:
                raise ZeroDivisionError("broken on purpose")

        def breaking(*args: Any, **kwargs: Any) -> None:
            count()
            whole(*args, **kwargs)

        def breaking_put(*args: Any, **kwargs: Any) -> None:
            count()
            put(*args, **kwargs)

        Step.tell, Step.put = breaking, breaking_put  # type: ignore[method-assign]
        try:
            self.live.step(value, position, self.now)
        except ZeroDivisionError:
            pass
        else:
            # It was too short to break: it has been applied, and the live one must not be.
            self.live = restored(table)
        finally:
            Step.tell, Step.put = whole, put  # type: ignore[method-assign]
        assert not self.live.dirty
        assert everything(self.live) == table

    def move(self) -> None:
        pick = self.random.random()
        self.now += self.random.randrange(0, 4_000_000)
        if self.coming and self.random.random() < 0.5:
            self.feed(self.coming.pop(0))
        elif pick < 0.25 or not self.roots:
            names = ["line", "fork", "parent", "back", "missing", "braked", "careful"]
            name = self.random.choice(names)
            root = f"r{len(self.roots)}"
            self.roots.append(root)
            given = (
                {} if self.random.random() < 0.1 else {"x": self.random.choice([0, 1, 2, "large" * 4_000])}
            )
            command = {"command": "START", "root": root, "execution": root, "workflow": name, "input": given}
            if name == "back":
                command["params"] = {"task_name": "top"}
            self.feed(command)
        elif pick < 0.75 and self.open:
            action = self.open.pop(self.random.choice(sorted(self.open)))
            state = self.random.choice(["SUCCESS"] * 6 + ["ERROR"] * 3 + ["CANCELLED"])
            self.feed(self.result(action, state))
        elif pick < 0.9:
            for output in self.live.timers(self.now):
                self.feed(output.value)
        else:
            self.operate()

    def result(self, action: dict[str, Any], state: str) -> dict[str, Any]:
        command = {"command": "RESULT", "id": identify("res", action["id"]), "state": state, "result": "v"}
        if self.random.random() < 0.1:
            command["result"] = {"big": "v" * 20_000, "bigger": ["w" * 3_000] * 3, "$apart": 1}
        return {
            **command,
            **{key: action[key] for key in ("root", "execution", "task")},
            "action": action["id"],
        }

    def operate(self) -> None:
        execution = self.random.choice(sorted(self.live.store.lives) or ["nobody"])
        live = self.live.store.lives.get(execution)
        root = live.record.root if live else execution
        command: dict[str, Any] = {"root": root, "execution": execution}
        command["command"] = self.random.choice(
            ["PAUSE", "RESUME", "RESUME", "CANCEL", "STOP", "RERUN", "SKIP", "RELEASE", "DROP", "APPROVE"]
        )
        if command["command"] in ("CANCEL", "STOP"):
            command["undo"] = self.random.random() < 0.5
        asking = [each for each, live in self.live.store.lives.items() if asks(live)]
        if asking and command["command"] in ("APPROVE", "PAUSE"):
            command["execution"] = self.random.choice(sorted(asking))
            command["root"] = self.live.store.lives[command["execution"]].record.root
        if command["command"] == "APPROVE":
            command |= {"role": self.random.choice("ab"), "approve": self.random.random() < 0.7}
        if command["command"] == "STOP":
            command["state"] = self.random.choice(["SUCCESS", "ERROR"])
        if command["command"] in ("RERUN", "SKIP"):
            command["task"] = self.random.choice(["a", "b", "both", "some", "call", "many", "top"])
            command["reset"] = self.random.random() < 0.5
        self.feed(command)

    def again(self) -> None:
        """An earlier record that comes once more changes nothing; at most it is refused."""
        value, _ = self.random.choice(self.log)
        if msgspec.json.decode(value)["command"] in ("ADMISSION", "HELD"):
            # The same question has the same answer, and what is held may be held by another limit now.
            return
        before = dict(self.table)
        outputs = self.live.step(value, len(self.log), self.now)
        self.log.append((value, self.now))
        self.checkpoint()
        assert all(output.value.get("state") == "REFUSED" for output in outputs)
        assert self.table == before

    def settle(self) -> None:
        """Everything is answered and every timer fires: nothing may be left that moves."""
        for _ in range(2_000):
            if self.coming:
                self.feed(self.coming.pop(0))
                continue
            if self.open:
                self.feed(self.result(self.open.pop(next(iter(self.open))), "SUCCESS"))
                continue
            due = self.live.due()
            if due is None:
                return
            self.now = max(self.now, due)
            for output in self.live.timers(self.now):
                self.feed(output.value)
        raise AssertionError("the history does not come to rest")


def restored(table: dict[str, bytes]) -> WorkflowShard:
    shard = WorkflowShard(3)
    for key, value in reversed(table.items()):
        shard.load(key, value)
    shard.restored()
    return shard


def written(shard: WorkflowShard, before: dict[str, bytes]) -> dict[str, bytes]:
    table = dict(before)
    for key in shard.dirty:
        value = shard.encode(key)
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value
    return table


def everything(shard: WorkflowShard) -> dict[str, bytes]:
    store = shard.store
    keys = [f"ended/{each}" for each in store.ended]
    keys += [record.key for record in (*store.documents.values(), *store.revisions.values())]
    keys += [entry.key for entries in store.entries.values() for entry in entries.kept.values()]
    for live in store.lives.values():
        keys += [f"value/{live.record.id}/{digest}" for digest in live.shelf.values]
        keys.append(live.record.key)
        keys += [task.key for task in live.tasks.values()]
        keys += [chunk.key for chunks in live.chunks.values() for chunk in chunks]
    return {key: shard.encode(key) or b"" for key in keys}


def asks(live: Any) -> bool:
    """Whether people are asked for something."""
    return any(task.approvals for task in live.tasks.values())


def above_held(store: Any, live: Any) -> bool:
    """Whether it waits for people: something under it is held."""
    return any(each.record.state == "HELD" for each in store.tree(live))


@pytest.mark.parametrize("seed", range(24))
def test_state_is_a_function_of_the_log(seed):
    world = World(seed)
    definition = {"kind": "WORKFLOW", "name": "all", "text": DEFINITIONS}
    world.feed({"command": "DEFINITION", "op": "UPSERT", "definition": definition})
    assert world.live.counters()["definitions"]["all"]["error"] == ""
    for _ in range(120):
        world.move()
        if world.random.random() < 0.2:
            world.again()
        assert everything(world.live) == world.table
    for execution in sorted(world.live.store.lives):
        live = world.live.store.lives.get(execution)
        if live and live.record.state == "PAUSED":
            world.feed({"command": "RESUME", "root": live.record.root, "execution": execution})
    world.settle()
    stuck = {
        key: [(task.name, task.state) for task in live.tasks.values() if task.open]
        for key, live in world.live.store.lives.items()
        if live.record.state in ("RUNNING", "UNDOING", "IDLE") and not above_held(world.live.store, live)
    }
    assert stuck == {}
    # The log played anew into a fresh shard comes to the same table.
    fresh = WorkflowShard(3)
    for position, (value, at) in enumerate(world.log):
        fresh.step(value, position, at)
    assert everything(fresh) == world.table
