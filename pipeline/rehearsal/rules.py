"""A test of rules: events through one partition in memory, and what must have come of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec

from ..checking import value_files
from ..errors import FaultlineError, InvalidDocument
from ..events import DEFAULT_DOMAIN, Definition, Output
from ..simulate import BadLine, Simulation, in_shadow, runner
from ..times import SECOND, micros, normalize, rfc3339
from . import shadowed
from .cases import SECTIONS, Case
from .compare import Difference, Found, Wanted, against, name, shown, wanted
from .shelf import Shelf

BEGINNING = "2026-01-01T00:00:00.000000Z"
STEPS = "workflow.steps"


def play(case: Case, shelf: Shelf) -> list[Difference]:
    """The differences between what the test expects and what comes of its events."""
    try:
        simulation = _simulation(case, shelf)
    except InvalidDocument as error:
        return [Difference((), str(error))]
    except FaultlineError as error:
        return [Difference(("rules",), str(error))]
    outputs: list[Output] = []
    latest = BEGINNING
    for index, line in enumerate(case.value["events"]):
        try:
            value, latest = _completed(case, index, line, latest)
            outputs += simulation.line(value)
        except (FaultlineError, ValueError) as error:
            return [Difference(("events", index), f"events: {error}")]
    outputs += simulation.finish()
    return list(_compared(case, simulation, outputs))


def _simulation(case: Case, shelf: Shelf) -> Simulation:
    given = {str(key): str(value) for key, value in (case.value.get("parameters") or {}).items()}
    rules, shadow = case.paths("rules"), case.paths("shadow")
    playbooks = shelf.take(case.paths("playbooks"))
    triggered = any(one.kind == "TRIGGER" for one in playbooks)
    if not rules and not shadow and not triggered:
        subject = case.subject()
        rules = [subject] if subject is not None else []
    if not rules and not shadow and not triggered:
        raise BadLine(f"no `rules` are named, and none lies beside {Path(case.path).name}")
    values = case.value.get("values")
    definitions = [
        *shelf.take(value_files(case.place(values) if values else None)),
        *in_shadow(shelf.take([*rules, *shadow], given), shadow),
    ]
    definitions.sort(key=lambda definition: definition.kind != "VALUES")
    chosen = [one for one in definitions if one.kind in ("RULE", "VALUES")]
    return Simulation(chosen, given, _workflows(case, playbooks) if playbooks else None, playbooks)


def _workflows(case: Case, playbooks: list[Definition]) -> Any:
    from .playbooks import script

    answers = script(case)
    if answers.events:
        note = (
            "`events` of answers operate the execution of a test with `workflow`, not those that rules start"
        )
        raise InvalidDocument([case.document.finding("test", note, case.index, "answers", "events")])
    return runner(playbooks, answers)


def _completed(case: Case, index: int, line: Any, latest: str) -> tuple[Any, str]:
    """A line as simulate takes it: what a test need not say is filled in; and the time it brings."""
    if not isinstance(line, dict):
        raise BadLine('a line is {"topic": ..., "value": ...}, {"tick": TIME} or {"rules": {...}}')
    line = plain(line)
    if "tick" in line:
        return line, max(latest, normalize(str(line["tick"])))
    change = line.get("rules")
    if isinstance(change, dict) and "add" in change:
        return {"rules": {**change, "add": str(case.place(change["add"]))}}, latest
    record = line.get("value")
    if not isinstance(record, dict):
        return line, latest
    value = {"id": f"event-{index + 1}", "time": rfc3339(micros(latest) + SECOND), **record}
    if line.get("topic") == "topology.changes":
        value = {"source": "test", "op": "UPSERT", **value}
    return {**line, "value": value}, max(latest, normalize(str(value["time"])))


def plain(value: Any) -> Any:
    """``value`` with the times that YAML recognizes as text again."""
    if isinstance(value, dict):
        return {key: plain(child) for key, child in value.items()}
    if isinstance(value, list):
        return [plain(child) for child in value]
    if isinstance(value, datetime):
        moment = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return normalize(moment.isoformat())
    return value.isoformat() if isinstance(value, date) else value


def _compared(case: Case, simulation: Simulation, outputs: list[Output]) -> Iterator[Difference]:
    expect = case.value["expect"]
    partial = bool(case.value.get("partial") or expect.get("partial"))
    found = _found(simulation, outputs)
    raised = {one.value["alarm"]["key"] for one in outputs if one.topic == "alarms.deduced"}
    for section in SECTIONS:
        place = ("expect", section) if section in expect else ("expect",)
        try:
            entries = wanted(section, plain(expect.get(section)))
        except ValueError as error:
            yield Difference(place, str(error))
            continue
        cleared = [want for want in entries if want.fields.get("status") == "CLEARED"]
        differences, meant = against(section, [one for one in entries if one not in cleared], found[section])
        differences += _not_cleared(cleared, found[section], raised)
        yield from (Difference(("expect", *one.steps), one.message) for one in differences)
        if partial:
            continue
        for at, one in enumerate(found[section]):
            if at not in meant and one["deduced"]:
                yield Difference(place, f"{section}: not expected: {_described(section, one)}")
    if expect.get("shadow") is not None:
        yield from shadowed.compared(plain(expect["shadow"]), simulation.state().get("shadow", []), partial)


def _not_cleared(
    cleared: list[Wanted], found: list[dict[str, Any]], raised: set[str]
) -> Iterator[Difference]:
    standing = {one["key"] for one in found if "key" in one}
    for want in cleared:
        key = str(want.fields.get("key"))
        if key in standing:
            yield Difference(want.steps, f"alarms: {key} is ACTIVE, expected CLEARED")
        elif key.startswith("vitrage/") and key not in raised:
            yield Difference(want.steps, f"alarms: {key} was never raised, so it was not cleared either")


def _found(simulation: Simulation, outputs: list[Output]) -> dict[str, list[dict[str, Any]]]:
    """What is, by section; ``deduced`` says whether rules did it, so that a test must know of it."""
    state = simulation.state()
    domain = {"domain": DEFAULT_DOMAIN}
    return {
        "alarms": [{**domain, "status": "ACTIVE", **one} for one in state["alarms"]],
        "states": [
            {**domain, **one, "deduced": _is_derived(simulation, {**domain, **one})}
            for one in state["entities"]
        ],
        "causes": [{**domain, **one, "deduced": True} for one in state["causes"]],
        "workflows": [
            {**one, **_ended(one["execution_id"], outputs), "deduced": True} for one in state["workflows"]
        ],
    }


def _is_derived(simulation: Simulation, entity: Found) -> bool:
    vertex = simulation.shard.graphs[entity["domain"]].entities[entity["type"]][entity["id"]]
    return vertex.derived is not None and (vertex.derived.state is not None or vertex.derived.down)


def _ended(execution: str, outputs: list[Output]) -> Mapping[str, Any]:
    """State and output of an execution, from the steps that were put out."""
    last: dict[str, Any] = {}
    for output in outputs:
        step = output.value
        if output.topic == STEPS and step["kind"] == "EXECUTION" and step["execution"] == execution:
            told = {key: step[key] for key in ("state", "state_info", "output") if key in step}
            last |= msgspec.to_builtins(told)
    return last


def _described(section: str, found: Found) -> str:
    if section == "alarms":
        return f"{name(section, found)} {found['severity']} (by {', '.join(found['rules'])})"
    if section == "states":
        down = ", marked down" if found["marked_down"] else ""
        return f"{name(section, found)} {shown(found['aggregated_state'])}{down}"
    return name(section, found)
