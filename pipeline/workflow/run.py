"""Runs workflows without a broker, on virtual time, with scripted answers.

The engine is the one that runs behind Kafka; this host keeps its log in memory and moves the
clock from one thing that falls due to the next.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import msgspec

from pipeline.events import Definition, Output
from pipeline.ids import identify
from pipeline.times import SECOND, rfc3339

from .answers import Answer, Answers
from .approvals import NAMES
from .records import ENDED, ERROR, RUNNING
from .shard import WorkflowShard
from .step import ACTIONS, COMMANDS, STEPS

EPOCH = 946_684_800 * SECOND
"""Where virtual time begins when nobody says otherwise: the year 2000."""

NO_ANSWER = "no answer scripted"


class Performer(Protocol):
    """Runs an action that has no effect outside."""

    def __call__(self, action: str, given: Mapping[str, Any]) -> Answer | None:
        """What it came to; None when it may not be run here."""


class Runner:
    """One engine in memory. ``outputs`` collects all that it put out, until somebody takes it."""

    def __init__(
        self,
        definitions: Iterable[Definition],
        answers: Answers | None = None,
        perform: Performer | None = None,
        now: int = EPOCH,
    ) -> None:
        self.shard = WorkflowShard(0)
        self.answers = answers or Answers()
        self.perform = perform
        self.now = now
        self.outputs: list[Output] = []
        self.log: list[bytes] = []
        self.agenda: list[tuple[int, int, dict[str, Any]]] = []
        self.planned = 0
        for definition in definitions:
            self.apply(
                {"command": "DEFINITION", "op": "UPSERT", "definition": msgspec.to_builtins(definition)}
            )

    def start(self, command: Mapping[str, Any]) -> None:
        """Applies a START, or any other command, now."""
        self.apply(dict(command))

    def plan(self, at: int, command: dict[str, Any]) -> None:
        """Has a command applied at a time to come."""
        self.planned += 1
        heapq.heappush(self.agenda, (at, self.planned, command))

    def due(self) -> int | None:
        """When the next thing happens; None when nothing will by itself."""
        times = [
            time
            for time in (self.shard.due(), self.agenda[0][0] if self.agenda else None)
            if time is not None
        ]
        return min(times) if times else None

    def advance(self, to: int | None = None) -> None:
        """Lets happen what falls due until ``to``; without it, all there is."""
        while (due := self.due()) is not None and (to is None or due <= to):
            self.now = max(self.now, due)
            if self.agenda and self.agenda[0][0] <= due:
                self.apply(heapq.heappop(self.agenda)[2])
                continue
            for timer in self.shard.timers(self.now):
                self.apply(timer.value)
        if to is not None:
            self.now = max(self.now, to)

    def apply(self, command: dict[str, Any]) -> None:
        """One record of the log, and what executors would make of what follows."""
        position = len(self.log)
        command.setdefault("id", identify("command", position, command.get("command")))
        command.setdefault("time", rfc3339(self.now))
        value = msgspec.json.encode(command)
        self.log.append(value)
        made = self.shard.step(value, position, self.now)
        self.shard.dirty.clear()
        for output in made:
            self.outputs.append(output)
            if output.topic == ACTIONS:
                self.answer(output.value)
            elif output.topic == STEPS and output.value["kind"] == "ACTION":
                self.decide(output.value)
        for output in made:
            # What executions ask and answer each other goes through the log, too.
            if output.topic == COMMANDS:
                self.apply(dict(output.value))

    def answer(self, action: dict[str, Any]) -> None:
        """Plans the result of an action."""
        answer = self.answers.find(action["action"], action["task_name"])
        if answer is None and self.perform is not None:
            answer = self.perform(action["action"], action["input"])
        if answer is None:
            answer = Answer(ERROR, f"{NO_ANSWER} for {action['action']} of task {action['task_name']!r}")
        self.come_to(action, answer)

    def come_to(self, action: dict[str, Any], answer: Answer) -> None:
        """Plans that an action has that outcome."""
        if answer.never:
            return
        self.plan(
            self.now + round(answer.delay * SECOND),
            {
                "command": "RESULT",
                "id": identify("result", action["id"]),
                "root": action["root"],
                "execution": action["execution"],
                "task": action["task"],
                "action": action["id"],
                "state": answer.state,
                "result": answer.result,
                **({"refused": True} if answer.refused else {}),
            },
        )

    def decide(self, told: dict[str, Any]) -> None:
        """Plans what people say to an approval, where the script has an answer for it."""
        if told["name"] in NAMES and told["state"] == RUNNING:
            answer = self.answers.find(told["name"], told["task_name"])
            if answer is not None:
                self.come_to({**told, "id": told["action"]}, answer)

    def value(self, told: Any) -> Any:
        """A value of ``workflow.steps``, fetched from the log where it stands by reference."""
        if isinstance(told, dict) and told.keys() == {"reference", "field"}:
            return msgspec.json.decode(self.log[told["reference"][2]]).get(told["field"])
        if isinstance(told, dict) and told.keys() == {"execution"}:
            return report(self, told["execution"])["output"]
        return told


def report(runner: Runner, execution: str) -> dict[str, Any]:
    """What became of an execution, as one document, read from what the engine put out."""
    steps = [output.value for output in runner.outputs if output.topic == STEPS]
    return _report(runner, steps, execution)


def _report(runner: Runner, steps: list[dict[str, Any]], execution: str) -> dict[str, Any]:
    mine = [step for step in steps if step["execution"] == execution]
    whole: dict[str, Any] = {"workflow": None, "execution_id": execution, "state": None, "state_info": None}
    whole |= {"input": None, "output": None}
    tasks: dict[str, dict[str, Any]] = {}
    runs: dict[str, dict[str, Any]] = {}
    for step in mine:
        if step["kind"] == "EXECUTION":
            whole |= {"workflow": step["workflow"], "state": step["state"], "state_info": step["state_info"]}
            for field in ("input", "output"):
                if field in step:
                    whole[field] = runner.value(step[field])
        elif step["kind"] == "TASK":
            task = tasks.setdefault(step["task"], {"name": step["name"]})
            task |= {"state": step["state"], "state_info": step["state_info"]}
            task["published"] = runner.value(step.get("published", {}))
            task["result"] = runner.value(step.get("result"))
            task.setdefault("runs", [])
        elif step["kind"] == "ACTION" and not step.get("late"):
            run = runs.get(step["action"])
            if run is None:
                run = {"index": step.get("index"), "attempt": step["attempt"]}
                runs[step["action"]] = run
                tasks.setdefault(step["task"], {"name": step["task_name"]}).setdefault("runs", []).append(run)
            run |= {"state": step["state"], "result": runner.value(step.get("result"))}
    children = [
        step for step in steps
        if step["kind"] == "EXECUTION" and step.get("parent", {}).get("execution") == execution
    ]  # fmt: skip
    for child in dict.fromkeys(step["execution"] for step in children):
        parent = next(step["parent"] for step in children if step["execution"] == child)
        below = _report(runner, steps, child)
        task = tasks[parent["task"]]
        task.setdefault("execution", below)
        if below["execution_id"] != task["execution"]["execution_id"]:
            task["execution"] = below
        run = {"index": parent["index"], "attempt": parent["attempt"], "state": below["state"]}
        task["runs"].append({**run, "result": below["output"]})
    whole["tasks"] = [_ordered(task) for task in tasks.values()]
    return whole


def _ordered(task: dict[str, Any]) -> dict[str, Any]:
    names = ("name", "state", "state_info", "published", "result", "runs", "execution")
    return {name: task[name] for name in names if name in task}


def ended(document: Mapping[str, Any]) -> bool:
    """Whether the execution of a report has ended."""
    return document["state"] in ENDED
