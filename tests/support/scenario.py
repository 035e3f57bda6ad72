"""Scenarios played through the core that ``faultline simulate`` has: short lines in, what then holds out.

A line is one of::

    entity TYPE/ID [KEY=VALUE ...]             link TYPE/ID LABEL TYPE/ID    delete TYPE/ID
    alarm SOURCE/NAME@TYPE/ID [SEVERITY] [...] unlink TYPE/ID LABEL TYPE/ID  clear SOURCE/NAME@TYPE/ID
    add RULE, remove RULE, tick SECONDS

``at=SECONDS``, ``by=SOURCE``, ``id=ID``, ``domain=DOMAIN`` and, of an alarm, ``ext=EXTERNAL_ID`` may stand
behind any record; without ``at`` each happens a second after the one before. Other ``KEY=VALUE`` are an
entity's ``state``, ``name`` and ``category``, else attributes; ``KEY=`` is null.
"""

from __future__ import annotations

import random
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from pipeline.checking import value_files
from pipeline.events import Definition, Output
from pipeline.rules.shard import GraphShard
from pipeline.simulate import Simulation, accepted
from pipeline.times import micros, rfc3339

BEGIN = micros("2026-01-05T10:00:00.000000Z")
HEAD = ("at", "by", "id", "domain", "ext")
FIELDS = ("state", "name", "category")
Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a scenario is played: the files of its rules by name, and what is mapped or steadied."""

    rules: Mapping[str, Path]
    definitions: tuple[Definition, ...] = ()


def shipped_values() -> tuple[Definition, ...]:
    """The value mappings that come with the program."""
    found = (checked.definition for checked in accepted(value_files(None), {}))
    return tuple(definition for definition in found if definition is not None)


def lines_of(texts: Iterable[str], stage: Stage) -> list[Line]:
    """The lines as ``simulate`` reads them."""
    made: list[Line] = []
    second = 0.0
    for number, text in enumerate(texts):
        line, second = _line(text, number, second, stage)
        made.append(line)
    return made


def _line(text: str, number: int, second: float, stage: Stage) -> tuple[Line, float]:
    kind, *words = shlex.split(text)
    if kind == "tick":
        return {"tick": _time(float(words[0]))}, float(words[0])
    if kind == "add":
        return {"rules": {"add": str(stage.rules[words[0]])}}, second
    if kind == "remove":
        return {"rules": {"remove": words[0]}}, second
    plain = [word for word in words if "=" not in word]
    given = dict(word.split("=", 1) for word in words if "=" in word)
    head = {key: given.pop(key) for key in HEAD if key in given}
    second = float(head.get("at", second + 1))
    record: Line = {
        "id": head.get("id", f"r{number}"),
        "time": _time(second),
        "source": head.get("by", "test"),
    }
    if "domain" in head:
        record["domain"] = head["domain"]
    topic = "topology.changes"
    if kind in ("alarm", "clear"):
        topic = "alarms.raw"
        source, _, rest = plain[0].partition("/")
        name, _, resource = rest.rpartition("@")
        status = "ACTIVE" if kind == "alarm" else "CLEARED"
        severity = plain[1] if len(plain) > 1 else "WARNING" if kind == "alarm" else "OK"
        body = {"name": name, "severity": severity, "status": status, "resource": _ref(resource)}
        body |= {"external_id": head["ext"]} if "ext" in head else {}
        record |= {"source": source, "alarm": {**body, "attributes": _nulls(given)}}
    elif kind in ("link", "unlink"):
        record["op"] = "UPSERT" if kind == "link" else "DELETE"
        record["relationship"] = {"source": _ref(plain[0]), "type": plain[1], "target": _ref(plain[2])}
    else:
        record["op"] = "DELETE" if kind == "delete" else "UPSERT"
        fields = {key: value or None for key, value in given.items() if key in FIELDS}
        rest_ = _nulls({key: value for key, value in given.items() if key not in FIELDS})
        record["entity"] = {**_ref(plain[0]), **fields, **({"attributes": rest_} if rest_ else {})}
    return {"topic": topic, "value": record}, second


def _nulls(given: Mapping[str, str]) -> dict[str, str | None]:
    return {key: value or None for key, value in given.items()}


def _ref(key: str) -> dict[str, str]:
    type_, _, id_ = key.partition("/")
    return {"type": type_, "id": id_}


def _time(second: float) -> str:
    return rfc3339(BEGIN + int(second * 1_000_000))


class Play:
    """One performance. ``outputs`` is what each line came to; ``restoring`` puts a shard that was restored
    from its table in the place of the one that played, after each line."""

    def __init__(self, stage: Stage, restoring: bool = False) -> None:
        self.simulation = Simulation(stage.definitions, {})
        self.restoring = restoring
        self.outputs: list[list[Output]] = []
        self._keys: set[str] = set(_all_keys(self.simulation.shard)) if restoring else set()

    def line(self, line: Line) -> list[Output]:
        made = self.simulation.line(line)
        self.outputs.append(made)
        if self.restoring:
            self._restore()
        return made

    def _restore(self) -> None:
        shard, other = self.simulation.shard, GraphShard(0)
        self._keys |= set(_all_keys(shard))
        for key in sorted(self._keys, reverse=True):
            value = shard.encode(key)
            if value is not None:
                other.load(key, value)
        other.restored()
        self.simulation.shard = other

    def bytes(self) -> bytes:
        """Everything that was told."""
        return msgspec.json.encode(self.outputs)

    def holds(self) -> dict[str, Any]:
        """What holds now, in the words of the scenarios."""
        return told(self.simulation.state(), self.simulation.shard)


def _all_keys(shard: GraphShard) -> Iterable[str]:
    """The table keys of everything that a shard keeps; of tombs and removed alarms, too."""
    yield "c"
    yield "n"
    yield from (f"f\x1fRULE\x1f{name}" for name in shard.rules.rules)
    yield from (f"f\x1fVALUES\x1f{name}" for name in shard.rules.values)
    yield from shard.engine.waiting.holds
    yield from shard.engine.waiting.windows
    for graph in shard.graphs.values():
        yield from graph.tombs
        yield from graph.watches
        for entity in (each for ids in graph.entities.values() for each in ids.values()):
            yield graph.entity_key(entity.type, entity.id)
            for label, ends in (entity.out or {}).items():
                yield from (graph.relationship_key(entity, label, end) for end in ends)
        for source, keys in graph.alarms.items():
            yield from (graph.alarm_key(source, key) for key in keys if source != "vitrage")
        yield from (f"d\x1f{graph.domain}\x1f{key}" for key in shard.engine.of(graph).alarms)


def told(state: dict[str, Any], shard: GraphShard) -> dict[str, Any]:
    """A state document in the words of the scenarios."""
    alarms = state["alarms"]
    entities = {f"{each['type']}/{each['id']}": each for each in state["entities"]}
    return {
        "alarms": {
            each["key"].removeprefix("vitrage/"): each["severity"] for each in alarms if each["deduced"]
        },
        "active": {each["key"]: each["severity"] for each in alarms if not each["deduced"]},
        "states": {
            key: each["aggregated_state"] for key, each in entities.items() if not each["placeholder"]
        },
        "operational": {key: each["operational_state"] for key, each in entities.items()},
        "severities": {each["key"]: each["operational_severity"] for each in alarms},
        "episodes": {
            each["key"].removeprefix("vitrage/"): each["episode"] for each in alarms if each["deduced"]
        },
        "attributes": {key: each["attributes"] for key, each in entities.items()},
        "names": {key: each["name"] for key, each in entities.items()},
        "down": sorted(key for key, each in entities.items() if each["marked_down"]),
        "placeholders": sorted(key for key, each in entities.items() if each["placeholder"]),
        "links": sorted(
            f"{each['source']['type']}/{each['source']['id']} {each['type']} "
            f"{each['target']['type']}/{each['target']['id']}"
            for each in state["relationships"]
        ),
        "causes": sorted(f"{each['source']} -> {each['target']}" for each in state["causes"]),
        "rules": {each["key"].removeprefix("vitrage/"): each["rules"] for each in alarms if each["deduced"]},
        "waiting": {
            each["key"]: each["alarms"] for each in shard.counters()["placeholder_list"] if each["alarms"]
        },
        "unknown": shard.counters()["unknown_values"],
    }


#: What follows from the graph and the rules alone, however they came to be.
DERIVED = ("alarms", "active", "states", "operational", "down", "placeholders", "links", "causes", "rules")


def announced(outputs: list[Output]) -> list[str]:
    """What was told of deduced alarms."""
    values = [output.value["alarm"] for output in outputs if output.topic == "alarms.deduced"]
    return [f"{v['key'].removeprefix('vitrage/')} {v['status']} {v['severity']}" for v in values]


def starts(outputs: list[Output]) -> list[str]:
    """The workflows that were started, each with its input's values."""
    values = [output.value for output in outputs if output.topic == "workflow.commands"]
    return [" ".join((v["workflow"], *(str(v["input"][key]) for key in sorted(v["input"])))) for v in values]


def changes(outputs: list[Output]) -> list[str]:
    """The changes that the journal tells."""
    found = [change for o in outputs if o.topic == "graph.journal" for change in o.value["changes"]]
    return [" ".join(filter(None, (each["kind"], each.get("op") or each.get("reason")))) for each in found]


def subject(line: Line) -> str:
    """What a record is about: its records keep their order."""
    value = line["value"]
    if "alarm" in value:
        alarm = value["alarm"]
        return repr(
            (
                value.get("domain"),
                value["source"],
                alarm.get("external_id") or (alarm["name"], alarm["resource"]),
            )
        )
    if "relationship" in value:
        return repr((value.get("domain"), value["relationship"]))
    return repr((value.get("domain"), value["entity"]["type"], value["entity"]["id"]))


def shuffled(lines: list[Line], seed: int) -> list[Line]:
    """Another order, in which what is about one thing keeps its own, and so do changes of rules."""
    draw = random.Random(seed)
    queues: dict[str, list[Line]] = {}
    for line in lines:
        queues.setdefault("rules" if "rules" in line else subject(line), []).append(line)
    made: list[Line] = []
    while queues:
        name = draw.choice(sorted(queues))
        made.append(queues[name].pop(0))
        if not queues[name]:
            del queues[name]
    return made
