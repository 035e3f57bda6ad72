"""The workflow engine as a host sees it: one partition, moved by the records of its log."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from pipeline.errors import InvalidRecord
from pipeline.events import Output
from pipeline.ids import revision as hash_of
from pipeline.times import rfc3339

from . import approvals, around, calls, control, executions, firing, gate, held, publishing, refusals
from .apart import BULK
from .forgetting import purge
from .records import BETWEEN, ENDED, SUCCESS, Environment, Triggers
from .step import COMMANDS, Step
from .store import TRIGGER_KEY, Store

Handler = Callable[[Step, dict[str, Any]], None]

HANDLERS: dict[str, tuple[Handler, tuple[str, ...]]] = {
    "DEFINITION": (publishing.defined, ("definition",)),
    "START": (executions.start, ("root", "workflow")),
    "RESULT": (calls.result, ("id", "execution", "task", "action", "state")),
    "TIMER": (around.fired, ("execution", "task", "timer")),
    "PAUSE": (control.pausing, ("id", "execution")),
    "RESUME": (control.resuming, ("id", "execution")),
    "CANCEL": (control.cancelling, ("id", "execution")),
    "STOP": (control.stopping, ("id", "execution")),
    "RERUN": (control.rerunning, ("id", "execution", "task")),
    "SKIP": (control.skipping, ("id", "execution", "task")),
    "ADMISSION": (gate.asked, ("id", "execution", "workflow", "ask")),
    "ADMITTED": (held.admitted, ("execution",)),
    "HELD": (held.holding, ("execution",)),
    "APPROVE": (approvals.deciding, ("id", "execution")),
    "TRIGGER": (firing.fired, ("document", "trigger", "timer")),
    "RELEASE": (held.releasing, ("id", "execution")),
    "DROP": (held.dropping, ("id", "execution")),
    "COMPLETE": (control.completing, ("id", "execution")),
}


DEEPEST = 100


class WorkflowShard:
    """A partition of ``workflow.commands`` and the executions that it moves."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.dirty: set[str] = set()
        self.store = Store()
        self.decoder = msgspec.json.Decoder()

    def step(self, value: bytes, position: int, timestamp: int) -> list[Output]:
        """Applies one command, whole or not at all; returns what follows from it.

        Raises ``InvalidRecord`` when the record is no command.
        """
        try:
            command = self.decoder.decode(value)
        except msgspec.DecodeError as error:
            raise InvalidRecord("not-json", f"a command is one JSON object: {error}") from error
        handler = self.handler(command)
        if value.count(b"{") + value.count(b"[") > DEEPEST and depth(command) > DEEPEST:
            too_deep(command)
        identity = command.get("id")
        step = Step(
            self.store,
            identity if isinstance(identity, str) else "",
            self.partition,
            position,
            timestamp,
            len(value),
        )
        try:
            purge(step)
            operated = command["command"] in refusals.OPERATED
            asked = self.store.lives.get(command["execution"]) if operated else None
            again = refusals.repeated(asked, command)
            if len(value) > BULK and (live := self.store.lives.get(command.get("execution", ""))):
                step.bulk(live)
            handler(step, command)
            step.run()
            if operated and not again and not step.outputs:
                refusals.refuse(step, command)
        except BaseException:
            step.undo()
            raise
        self.dirty |= step.changed()
        return step.outputs

    def handler(self, command: Any) -> Handler:
        """What carries a command out. Raises ``InvalidRecord`` when it cannot be."""
        if not isinstance(command, dict):
            raise InvalidRecord("bad-type", "a command is one JSON object")
        found = HANDLERS.get(str(command.get("command")))
        if found is None:
            known = ", ".join(HANDLERS)
            raise InvalidRecord(
                "unknown-command", f"{command.get('command')!r} is no command; known are {known}"
            )
        handler, required = found
        for name in required:
            if not command.get(name):
                raise InvalidRecord("missing-field", f"{command['command']} needs {name!r}")
            if name != "definition" and not isinstance(command[name], str):
                raise InvalidRecord("bad-type", f"{name!r} of {command['command']} is a text")
        for name in ("input", "params", "env"):
            # The environment may be one that is kept under its name.
            allowed = dict | str if name == "env" and command["command"] == "START" else dict
            if command.get(name) is not None and not isinstance(command[name], allowed):
                raise InvalidRecord("bad-type", f"{name!r} of {command['command']} is an object")
        states = calls.STATES.get(command["command"])
        if states is not None and (command.get("state") or SUCCESS) not in states:
            raise InvalidRecord(
                "bad-state", f"a {command['command']} is {', '.join(states)}, not {command['state']!r}"
            )
        return handler

    def encode(self, key: str) -> bytes | None:
        """The value to keep under a table key; None: delete it."""
        return self.store.encode(key)

    def load(self, key: str, value: bytes) -> None:
        """Takes one kept value back. Raises ``CheckpointFailed`` when a newer version wrote it."""
        self.store.load(key, value)

    def restored(self) -> None:
        """Called after the last ``load``."""
        self.store.restored()

    def due(self) -> int | None:
        """When the earliest timer that has not been asked for falls due."""
        store = self.store
        while store.timers and not store.pending(store.timers[0]):
            heapq.heappop(store.timers)
        return store.timers[0][0] if store.timers else None

    def timers(self, now: int) -> list[Output]:
        """TIMER commands for the timers due at ``now``, each asked for once.

        They bear the time they fall due, not the clock's: asked for again, they are the same records.
        """
        found: list[Output] = []
        store = self.store
        while store.timers and store.timers[0][0] <= now:
            entry = heapq.heappop(store.timers)
            if not store.pending(entry):
                continue
            due, timer, execution, task = entry
            if not execution:
                found.append(trigger(due, timer, task))
                continue
            time = rfc3339(due)
            root = store.lives[execution].record.root
            value = {
                "id": timer,
                "time": time,
                "command": "TIMER",
                "root": root,
                "execution": execution,
                "task": task,
                "timer": timer,
                "due": time,
            }
            found.append(Output(COMMANDS, root, timer, time, value))
        return found

    def counters(self) -> dict[str, Any]:
        """Executions by state, timers, actions that run, definitions."""
        lives = self.store.lives.values()
        return {
            "executions": dict(Counter(live.record.state for live in lives)),
            "timers": len(self.store.timers),
            "open_tasks": sum(live.open for live in lives if live.record.state not in ENDED),
            "remembered": len(self.store.ended),
            # By name, in words: each partition has the same ones.
            "workflows": {
                f"{namespace}/{name}" if namespace else name: revision
                for (namespace, name), (revision, _) in sorted(self.store.workflows.items())
            },
            "triggers": told(self.store.triggers),
            "environments": told(self.store.environments),
            "definitions": {
                name: {"revision": document.revision, "error": document.error or ""}
                for name, document in sorted(self.store.documents.items())
            },
        }


def told(documents: Mapping[str, Triggers | Environment]) -> dict[str, dict[str, str]]:
    """Which revision of each document was put live last, and what is wrong with it."""
    return {
        name: {"revision": each.refused or hash_of(each.text), "error": each.error or ""}
        for name, each in sorted(documents.items())
    }


def trigger(due: int, timer: str, which: str) -> Output:
    """The command that a scheduled time of a trigger has come; its key leads back to this partition."""
    document, _, name = which.partition(BETWEEN)
    key = f"{TRIGGER_KEY}{document}"
    time = rfc3339(due)
    value = {
        "id": timer,
        "time": time,
        "command": "TRIGGER",
        "root": key,
        "document": document,
        "trigger": name,
        "timer": timer,
        "due": time,
    }
    return Output(COMMANDS, key, timer, time, value)


def depth(value: Any) -> int:
    """How deep lists and objects are nested in ``value``."""
    deepest = 0
    left = [(value, 1)]
    while left:
        here, level = left.pop()
        deepest = max(deepest, level)
        inner = here.values() if isinstance(here, dict) else here
        left += [(each, level + 1) for each in inner if isinstance(each, dict | list)]
    return deepest


def too_deep(command: dict[str, Any]) -> None:
    """Makes a result that nothing could walk through an error. Raises ``InvalidRecord`` for others."""
    message = f"values are nested more than {DEEPEST} deep"
    if command["command"] not in ("RESULT", "COMPLETE"):
        raise InvalidRecord("too-deep", message)
    command["state"], command["result"] = "ERROR", message
