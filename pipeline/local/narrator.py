"""Turns the records of a running pipeline into lines that a person can follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

TOPICS = (
    "topology.changes",
    "alarms.raw",
    "alarms.deduced",
    "graph.journal",
    "workflow.commands",
    "workflow.actions",
    "workflow.steps",
)
STYLES = {
    "monitoring": "bold red",
    "deduced": "yellow",
    "cleared": "green",
    "state": "magenta",
    "cause": "cyan",
    "playbook": "bold blue",
    "task": "blue",
    "action": "blue",
    "cloud": "dim",
}
QUIET_TASKS = frozenset({"IDLE", "WAITING"})


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened: who speaks, and what it says."""

    voice: str
    text: str


def narrate(topic: str, value: dict[str, Any]) -> Iterator[Line]:
    """The lines that one record is worth; often none."""
    teller = TELLERS.get(topic)
    if teller is not None:
        yield from teller(value)


def _topology(value: dict[str, Any]) -> Iterator[Line]:
    if not str(value.get("id", "")).startswith("nova-"):
        return
    entity, relationship = value.get("entity"), value.get("relationship")
    if entity:
        yield Line("cloud", f"{entity['id']} is {entity.get('state')}")
    elif relationship:
        verb = "no longer runs on" if value["op"] == "DELETE" else "runs on"
        yield Line("cloud", f"{relationship['target']['id']} {verb} {relationship['source']['id']}")


def _raw(value: dict[str, Any]) -> Iterator[Line]:
    alarm = value["alarm"]
    told = "is over" if alarm["status"] == "CLEARED" else alarm["severity"]
    yield Line(
        "monitoring", f"{value['source']} reports “{alarm['name']}” on {alarm['resource']['id']}: {told}"
    )


def _deduced(value: dict[str, Any]) -> Iterator[Line]:
    alarm = value["alarm"]
    where = f"“{alarm['name']}” on {alarm['resource']['id']}"
    if alarm["status"] == "CLEARED":
        yield Line("cleared", where)
    else:
        yield Line("deduced", f"{where}: {alarm['severity']} (rule {value['rule']['name']})")


def _journal(value: dict[str, Any]) -> Iterator[Line]:
    for change in value["changes"]:
        if change["kind"] == "STATE" and change.get("rule"):
            key = change["key"].partition("/")[2]
            yield Line("state", f"{key} is {change['aggregated_state']} (rule {change['rule']['name']})")
        elif change["kind"] == "CAUSE" and change["op"] == "ADDED":
            yield Line("cause", f"{short(change['source'])} caused {short(change['target'])}")


def _steps(value: dict[str, Any]) -> Iterator[Line]:
    name, state, info = value["name"], value["state"], value.get("state_info")
    because = f": {info}" if info and state in ("ERROR", "CANCELLED") else ""
    if value["kind"] == "EXECUTION":
        yield Line("playbook", f"{name} {value['execution'][:8]} is {state}{because}")
    elif value["kind"] == "TASK" and state not in QUIET_TASKS:
        yield Line("task", f"{name} is {state}{because}")


def _commands(value: dict[str, Any]) -> Iterator[Line]:
    if value["command"] == "START":
        rule = (value.get("by") or {}).get("rule")
        yield Line("playbook", f"{value['workflow']}({_given(value)}) is asked for by rule {rule}")


def _actions(value: dict[str, Any]) -> Iterator[Line]:
    yield Line("action", f"{value['action']}({_given(value)}), attempt {value.get('attempt') or 1}")


def _given(value: dict[str, Any]) -> str:
    return ", ".join(f"{key}={content}" for key, content in (value.get("input") or {}).items())


TELLERS: dict[str, Callable[[dict[str, Any]], Iterator[Line]]] = {
    "topology.changes": _topology,
    "alarms.raw": _raw,
    "alarms.deduced": _deduced,
    "graph.journal": _journal,
    "workflow.commands": _commands,
    "workflow.steps": _steps,
    "workflow.actions": _actions,
}


def short(key: str) -> str:
    """An alarm's key as people say it: its name and where it is."""
    name, _, resource = key.partition("/")[2].partition("@")
    return f"“{name}” on {resource.partition('/')[2]}"
