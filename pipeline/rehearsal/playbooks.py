"""A test of a workflow: run on virtual time with scripted answers, and what must have come of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..actions.harmless import perform_harmless
from ..errors import FaultlineError, InvalidDocument
from ..ids import identify
from ..times import SECOND
from ..workflow import answers
from ..workflow.answers import Answers
from ..workflow.run import Runner, report
from .cases import Case
from .compare import Difference, against, shown, unlike, wanted
from .shelf import Shelf


def play(case: Case, shelf: Shelf) -> list[Difference]:
    """The differences between what the test expects and what comes of the workflow."""
    value = case.value
    try:
        found = shelf.take(_places(case))
        given = script(case)
    except InvalidDocument as error:
        return [Difference((), str(error))]
    except FaultlineError as error:
        return [Difference(("playbooks",), str(error))]
    runner = Runner([one for one in found if one.kind == "WORKFLOW"], given, perform_harmless)
    workflow = str(value["workflow"])
    params = dict(value.get("params") or {})
    if value.get("env"):
        params["env"] = value["env"]
    root = identify("test", case.path, case.name, workflow)
    target = {"root": root, "execution": root}
    start = {"workflow": workflow, "input": value.get("input") or {}, "params": params}
    begin = runner.now
    runner.start({"command": "START", **target, **start})
    for at, command, body in given.events:
        fields = {"command": command.upper(), **target, **answers.fields(command, body)}
        runner.plan(begin + round(at * SECOND), fields)
    runner.advance()
    return list(_compared(case, report(runner, root)))


def script(case: Case) -> Answers:
    """The answers of the test. Raises ``InvalidDocument`` naming the line."""
    return answers.read(case.document.below(case.index, "answers"))


def _places(case: Case) -> list[Path]:
    subject = case.subject()
    named = case.paths("playbooks")
    return ([subject] if subject is not None and subject not in named else []) + named


def _compared(case: Case, told: Mapping[str, Any]) -> Iterator[Difference]:
    expect = case.value["expect"]
    if "state" in expect and told["state"] != expect["state"]:
        why = f" ({told['state_info']})" if told.get("state_info") else ""
        yield Difference(
            ("expect", "state"), f"state is {shown(told['state'])}{why}, expected {shown(expect['state'])}"
        )
    if "state_info" in expect and str(expect["state_info"]) not in str(told["state_info"]):
        message = f"state_info is {shown(told['state_info'])}, expected {shown(expect['state_info'])} in it"
        yield Difference(("expect", "state_info"), message)
    if "output" in expect:
        for place, wants, has in unlike(expect["output"], told["output"]):
            where = ".".join(map(str, ("output", *place)))
            yield Difference(
                ("expect", "output", *place), f"{where} is {shown(has)}, expected {shown(wants)}"
            )
    try:
        entries = wanted("tasks", expect.get("tasks"))
    except ValueError as error:
        yield Difference(("expect", "tasks"), str(error))
        return
    differences, _ = against("tasks", entries, told["tasks"])
    yield from (Difference(("expect", *one.steps), one.message) for one in differences)
