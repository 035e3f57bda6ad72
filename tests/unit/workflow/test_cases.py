"""Workflows as tables: what is run, what its actions answer, what operators do, and what comes of it.

``cases/GROUP.yaml`` holds one case in each YAML document:

    name: what must happen, in words            # once in a file
    workflow: |                                 # the text; `version:` may be left out
      wf: {tasks: {a: {action: some.action}}}
    start: wf                # which workflow (`book.name`); without it wf, or else the first
    input: {}                # as in `faultline run`
    env: {}
    params: {}
    answers:                 # as in `faultline run --answers`: a list of {action|task, answers, repeat_last}
      - {task: a, answers: [{error: no, delay: 2}, {result: 1}]}
    events:                  # what operators do, at seconds from the start
      - {at: 3, pause: true}
      - {at: 4, complete: {of: call, task: inner, result: 1}}   # in the sub-workflow that task `call` began;
                                                                # deeper: `of: call/further`; of an
                                                                # item's: `of: call[0]`
    expect:                  # what must be seen in the end, when nothing moves by itself any more;
      ...                    # or a list of such, each but the last with `at: SECONDS`, to look in between

``expect`` may hold these, and what it does not name may be anything:

    error: text              # the definition is refused, with this in the message; nothing is run then
    state, state_info, input, output
    ended: 5                 # seconds from the start to the end
    told: [RUNNING, SUCCESS] # the states that the execution went through
    count: 4                 # how many tasks there were
    tasks: {a: SUCCESS, b: {...}}               # all tasks, each by its state or by fields:
        state, state_info, published, result
        runs: 2              # how many actions or sub-workflows it ran; or a list: what is known of each
        started, ended: 2.5  # seconds from the start of the execution
        told: [RUNNING, DELAYED, SUCCESS]       # the states that it went through
        execution: {...}     # what came of its sub-workflow, again as `expect`
      several tasks of one name are a list, in the order in which they came to be: {a: [SUCCESS, ERROR]}
    actions: [{std.echo: {output: 1}}]          # all that executors were asked to do, in order

Values are compared whole: of a mapping, every key. In an expected text ``…`` stands for any text,
so that ids need not be written; an expected ``…`` alone is anything at all, and in a mapping the
key ``…`` lets there be more keys than are named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.actions.harmless import perform_harmless
from pipeline.document import read
from pipeline.errors import InvalidDocument
from pipeline.events import Definition
from pipeline.rehearsal.compare import ABSENT, shown
from pipeline.times import SECOND, micros
from pipeline.workflow import answers
from pipeline.workflow.definition import load
from pipeline.workflow.run import Runner, report

ANY = "…"
ROOT = "root-1"
KEYS = {"name", "workflow", "start", "input", "env", "params", "answers", "events", "expect"}
TASK = {"name", "state", "state_info", "published", "result", "runs", "started", "ended", "told", "execution"}
WHOLE = {"error", "state", "state_info", "input", "output", "ended", "told", "count", "tasks", "actions"}
STEPS, ACTIONS = "workflow.steps", "workflow.actions"

Case = dict[str, Any]


def cases() -> list[Any]:
    """Every case of every file, named by its file and its name."""
    return [
        pytest.param(case, id=f"{path.stem}: {case['name']}")
        for path in sorted((Path(__file__).parent / "cases").glob("*.yaml"))
        for case in yaml.load_all(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
    ]


@pytest.mark.parametrize("case", cases())
def test_case(case: Case) -> None:
    assert case.keys() <= KEYS, f"a case has no {sorted(case.keys() - KEYS)}"
    text = case["workflow"]
    text = text if "version:" in text else f"version: '2.0'\n{text}"
    expect = case["expect"] if isinstance(case["expect"], list) else [case["expect"]]
    if "error" in expect[0]:
        with pytest.raises(InvalidDocument) as refused:
            load(read(text, aliases=False))
        assert fits(f"{ANY}{expect[0]['error']}{ANY}", str(refused.value)), str(refused.value)
        return
    played = play(case, text, [each.get("at") for each in expect])
    differences = [
        f"at {want.get('at', 'the end')}: {difference}"
        for want, told in zip(expect, played, strict=True)
        for difference in execution(want, told)
    ]
    assert not differences, "\n".join(["", *differences])


def play(case: Case, text: str, moments: list[float | None]) -> list[dict[str, Any]]:
    """What is seen of the execution at each of the moments; None: in the end."""
    names = [workflow.name for workflow in load(read(text, aliases=False))]
    workflow = case.get("start") or ("wf" if "wf" in names else names[0])
    source = {"actions": case.get("answers") or [], "events": []}
    runner = Runner(
        [Definition("WORKFLOW", "main", text)], answers.read(read("{}"), source), perform_harmless
    )
    begin = runner.now
    params = {**(case.get("params") or {}), **({"env": case["env"]} if "env" in case else {})}
    start = {"workflow": workflow, "input": case.get("input") or {}, "params": params}
    runner.start({"command": "START", "root": ROOT, "execution": ROOT, **start})
    events = list(case.get("events") or [])
    seen = []
    for moment in moments:
        while events and (moment is None or events[0]["at"] <= moment):
            event = events.pop(0)
            at = begin + round(event["at"] * SECOND)
            # Up to the event, not into what happens at its very moment: operators come first.
            runner.advance(at - 1)
            runner.plan(at, command(runner, event))
        runner.advance(None if moment is None else begin + round(moment * SECOND))
        seen.append(seen_of(runner, ROOT, begin))
    return seen


def command(runner: Runner, event: Mapping[str, Any]) -> dict[str, Any]:
    """The record that an event stands for."""
    [(name, value)] = ((name, value) for name, value in event.items() if name != "at")
    value = dict(value) if isinstance(value, dict) else value
    execution = ROOT
    for task in value.pop("of", "").split("/") if isinstance(value, dict) else ():
        if task:
            execution = below(runner, execution, task)
    fields = answers.fields(name, value)
    return {"command": name.upper(), "root": ROOT, "execution": execution, **fields}


def below(runner: Runner, execution: str, task: str) -> str:
    """The id of the newest sub-workflow that a task (``name``, or of an item ``name[index]``) began."""
    name, _, index = task.rstrip("]").partition("[")
    steps = [output.value for output in runner.outputs if output.topic == STEPS]
    mine = {step["task"] for step in steps if step["execution"] == execution and step["name"] == name}
    return next(
        str(step["execution"])
        for step in reversed(steps)
        if (above := step.get("parent", {})).get("task") in mine and index in ("", str(above["index"]))
    )


def seen_of(runner: Runner, root: str, begin: int) -> dict[str, Any]:
    """The report of an execution with what only the steps tell: times, and states gone through."""
    steps = [output.value for output in runner.outputs if output.topic == STEPS]
    actions = [output.value for output in runner.outputs if output.topic == ACTIONS]

    def add(document: dict[str, Any], mine: list[dict[str, Any]]) -> None:
        document["told"] = [step["state"] for step in mine]
        for field in ("started", "ended"):
            document[field] = None
            if mine and mine[-1].get(f"{field}_at"):
                document[field] = (micros(mine[-1][f"{field}_at"]) - begin) / SECOND

    def fill(document: dict[str, Any]) -> dict[str, Any]:
        mine = [step for step in steps if step["execution"] == document["execution_id"]]
        add(document, [step for step in mine if step["kind"] == "EXECUTION"])
        order = list(dict.fromkeys(step["task"] for step in mine if step["kind"] in ("TASK", "ACTION")))
        for identity, task in zip(order, document["tasks"], strict=True):
            add(task, [step for step in mine if step["kind"] == "TASK" and step["task"] == identity])
            if "execution" in task:
                fill(task["execution"])
        asked = [each for each in actions if each["execution"] == document["execution_id"]]
        document["actions"] = [{each["action"]: each["input"]} for each in asked]
        document["count"] = len(document["tasks"])
        return document

    return fill(report(runner, root))


def execution(want: Mapping[str, Any], told: Mapping[str, Any], where: str = "") -> Iterator[str]:
    """The differences between what is expected of an execution and what was seen."""
    assert want.keys() <= WHOLE | {"at"}, f"`expect` has no {sorted(want.keys() - WHOLE)}"
    for key, value in want.items():
        if key == "tasks":
            yield from tasks(value, told["tasks"], where)
        elif key != "at":
            info = told["state_info"] if key == "state" else None
            yield from unlike(value, told[key], f"{where}{key}", info)


def tasks(wanted: Mapping[str, Any], told: list[Mapping[str, Any]], where: str) -> Iterator[str]:
    """The same of its tasks, all of which must be named."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for task in told:
        found.setdefault(task["name"], []).append(task)
    for name in sorted((found.keys() | wanted.keys()) - {ANY}):
        here = f"{where}{name}"
        if name not in wanted:
            if ANY not in wanted:
                yield f"{here}: was not expected, and is {found[name][-1]['state']}"
            continue
        entries = wanted[name] if isinstance(wanted[name], list) else [wanted[name]]
        runs = found.get(name, [])
        if len(entries) != len(runs):
            yield f"{here}: there are {len(runs)} of it, expected {len(entries)}"
        for entry, task in zip(entries, runs, strict=False):
            fields = entry if isinstance(entry, dict) else {"state": entry}
            assert fields.keys() <= TASK, f"a task has no {sorted(fields.keys() - TASK)}"
            for key, value in fields.items():
                if key == "execution":
                    yield from execution(value, task.get(key, {}), f"{here}/")
                elif key == "runs" and isinstance(value, int):
                    yield from unlike(value, len(task["runs"]), f"{here}.runs")
                elif key == "runs":
                    known = [{**one, ANY: ANY} for one in value]
                    yield from unlike(known, task["runs"], f"{here}.runs")
                else:
                    info = task["state_info"] if key == "state" else None
                    yield from unlike(value, task.get(key), f"{here}.{key}", info)


def unlike(want: Any, has: Any, where: str, why: object = None) -> Iterator[str]:
    """Where ``has`` is not what is wanted; ``why`` is said with it."""
    if want == ANY:
        return
    if isinstance(want, dict) and isinstance(has, dict):
        for key in (want.keys() | has.keys()) - {ANY}:
            if key in want:
                yield from unlike(want[key], has.get(key, ABSENT), f"{where}.{key}")
            elif ANY not in want:
                yield f"{where}.{key} was not expected, and is {shown(has[key])}"
    elif isinstance(want, list) and isinstance(has, list) and len(want) == len(has):
        for index, (one, other) in enumerate(zip(want, has, strict=True)):
            yield from unlike(one, other, f"{where}[{index}]")
    elif not fits(want, has):
        reason = f" ({why})" if why else ""
        yield f"{where} is {shown(has)}{reason}, expected {shown(want)}"


def fits(want: Any, has: Any) -> bool:
    """Whether a value is the wanted one; in a wanted text ``…`` stands for anything."""
    if not isinstance(want, str) or not isinstance(has, str):
        return bool(want == has) and isinstance(want, bool) is isinstance(has, bool)
    pattern = ".*".join(re.escape(part) for part in want.split(ANY))
    return re.fullmatch(pattern, has, re.DOTALL) is not None
