"""A shard to play with: records by short calls, what holds and what was told by short questions."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.events import Output
from pipeline.rules.shard import GraphShard
from pipeline.rules.state import document


def moment(number: float) -> str:
    """``number`` seconds after ten o'clock of the day that all tests play on."""
    whole = int(number)
    return f"2026-01-05T{10 + whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.000000Z"


def ref(key: str) -> dict[str, str]:
    type_, _, id_ = key.partition("/")
    return {"type": type_, "id": id_}


class Lab:
    """One partition. Entities are named ``TYPE/ID``; each record is a second after the one before."""

    def __init__(self) -> None:
        self.shard = GraphShard(0)
        self.position = 0
        self.keys: set[str] = set()
        self.told: list[Output] = []

    def send(self, at: float | None = None, **record: Any) -> list[Output]:
        self.position += 1
        time = moment(self.position if at is None else at)
        whole = {"id": f"r{self.position}", "time": time, "at": time, "source": "test", **record}
        self.told = self.shard.step(msgspec.json.encode(whole), self.position, 0)
        self.keys |= self.shard.dirty
        self.shard.dirty.clear()
        return self.told

    def rule(self, text: str, name: str = "rule", **definition: Any) -> list[Output]:
        return self.send(definition={"kind": "RULE", "name": name, "text": text, **definition})

    def drop_rule(self, name: str = "rule") -> list[Output]:
        return self.send(op="DELETE", definition={"kind": "RULE", "name": name})

    def entity(self, key: str, at: float | None = None, **fields: Any) -> list[Output]:
        head = {name: fields.pop(name) for name in ("source", "id", "domain") if name in fields}
        return self.send(at, entity={**ref(key), **fields}, **head)

    def delete(self, key: str, at: float | None = None, **head: Any) -> list[Output]:
        return self.send(at, op="DELETE", entity=ref(key), **head)

    def relate(
        self, source: str, label: str, target: str, at: float | None = None, **head: Any
    ) -> list[Output]:
        return self.send(
            at, relationship={"source": ref(source), "type": label, "target": ref(target)}, **head
        )

    def part(
        self, source: str, label: str, target: str, at: float | None = None, **head: Any
    ) -> list[Output]:
        return self.relate(source, label, target, at, op="DELETE", **head)

    def alarm(
        self, name: str, on: str, severity: str = "WARNING", at: float | None = None, **more: Any
    ) -> list[Output]:
        head = {key: more.pop(key) for key in ("source", "id", "domain") if key in more}
        body = {"name": name, "severity": severity, "status": "ACTIVE", "resource": ref(on), **more}
        return self.send(at, alarm=body, **{"source": "nagios", **head})

    def clear(self, name: str, on: str, at: float | None = None, **more: Any) -> list[Output]:
        return self.alarm(name, on, "OK", at, **{"status": "CLEARED", **more})

    def state(self) -> dict[str, list[dict[str, Any]]]:
        return document(self.shard)

    def deduced(self) -> dict[str, str]:
        """The deduced alarms: ``NAME@TYPE/ID`` to severity."""
        return {
            alarm["key"].removeprefix("vitrage/"): alarm["severity"]
            for alarm in self.state()["alarms"]
            if alarm["deduced"]
        }

    def causes(self) -> set[tuple[str, str]]:
        return {(cause["source"], cause["target"]) for cause in self.state()["causes"]}

    def aggregated(self, key: str) -> str | None:
        return self.of(key)["aggregated_state"]

    def of(self, key: str) -> dict[str, Any]:
        """An entity of the end state. Raises ``KeyError``."""
        for entity in self.state()["entities"]:
            if f"{entity['type']}/{entity['id']}" == key:
                return entity
        raise KeyError(key)

    def announced(self) -> list[tuple[str, str, str]]:
        """What the last record told of deduced alarms: key, status, severity."""
        found = [output.value["alarm"] for output in self.told if output.topic == "alarms.deduced"]
        return [
            (alarm["key"].removeprefix("vitrage/"), alarm["status"], alarm["severity"]) for alarm in found
        ]

    def starts(self) -> list[dict[str, Any]]:
        return [output.value for output in self.told if output.topic == "workflow.commands"]

    def changes(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The changes in the journal of the last record."""
        found = [change for o in self.told if o.topic == "graph.journal" for change in o.value["changes"]]
        return [change for change in found if kind in (None, change["kind"])]

    def restored(self) -> GraphShard:
        """Another shard, restored from the table of this one."""
        other = GraphShard(0)
        for key in sorted(self.keys, reverse=True):
            value = self.shard.encode(key)
            if value is not None:
                other.load(key, value)
        other.restored()
        return other
