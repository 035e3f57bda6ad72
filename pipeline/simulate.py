"""Rules and playbooks over a list of events, without a broker: the same core, another host."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from .checking import Checked, check_files
from .checks import check
from .errors import FaultlineError, InvalidRecord
from .events import Definition, Input, Mark, Output
from .rules.shard import GraphShard
from .rules.state import document
from .times import micros, normalize, rfc3339

_encode = msgspec.json.encode


class Workflows(Protocol):
    """What runs the workflows that rules start (``pipeline.workflow.run.Runner``)."""

    outputs: list[Output]

    def start(self, command: dict[str, Any]) -> None: ...

    def advance(self, to: int | None = None) -> None: ...


class BadLine(FaultlineError):
    """Raised when a line of the events is none; the message says what is wrong with it."""


#: What is defined before the first line has a time, too.
BEGINNING = rfc3339(0)


class Simulation:
    """One partition in memory. ``now`` is the greatest time seen; records carry their own."""

    def __init__(
        self,
        definitions: Iterable[Definition],
        parameters: dict[str, str],
        workflows: Workflows | None = None,
    ) -> None:
        self.shard = GraphShard(0)
        self.parameters = parameters
        self.workflows = workflows
        self.now = ""
        self.started: list[dict[str, Any]] = []
        self._position = 0
        for definition in definitions:
            self._define(definition, "UPSERT")

    def line(self, value: Any) -> list[Output]:
        """Applies one line of the events; what follows from it. Raises ``BadLine``."""
        if not isinstance(value, dict):
            raise BadLine('a line is {"topic": ..., "value": ...}, {"tick": TIME} or {"rules": {...}}')
        if "tick" in value:
            return self._tick(value["tick"])
        if "rules" in value:
            return self._rules(value["rules"])
        topic, record = value.get("topic"), value.get("value")
        if not isinstance(topic, str):
            raise BadLine('a line is {"topic": ..., "value": ...}, {"tick": TIME} or {"rules": {...}}')
        try:
            found = check(topic, record, "")
        except InvalidRecord as error:
            raise BadLine(f"{error.reason}: {error}") from error
        made = self._advance(found.time)
        return made + self._step(msgspec.structs.replace(found, at=self.now))

    def _tick(self, time: Any) -> list[Output]:
        try:
            return self._advance(normalize(str(time)))
        except ValueError as error:
            raise BadLine(f"tick: {error}") from error

    def _rules(self, change: Any) -> list[Output]:
        if not isinstance(change, dict) or change.keys() - {"add", "remove"} or not change:
            raise BadLine('`rules` is {"add": PATH} or {"remove": NAME}')
        made: list[Output] = []
        kinds = self.shard.rules
        if "remove" in change:
            name = str(change["remove"])
            if name not in kinds.rules:
                raise BadLine(f"rules: no rule {name!r} is there to be removed")
            made += self._define(Definition("RULE", name), "DELETE")
        if "add" in change:
            live = [rule.definition for rule in kinds.rules.values()]
            for checked in accepted([Path(str(change["add"]))], self.parameters, live):
                if checked.definition is not None and checked.definition.kind in ("RULE", "VALUES"):
                    made += self._define(checked.definition, "UPSERT")
        return made

    def _define(self, definition: Definition, op: Any) -> list[Output]:
        identity = f"{definition.kind}/{definition.name}/{self._position}"
        moment = self.now or BEGINNING
        return self._step(Input(identity, moment, moment, "simulate", op=op, definition=definition))

    def _advance(self, time: str) -> list[Output]:
        """Moves the clock; what falls due by then."""
        if time <= self.now:
            return []
        self.now = time
        made = self._step(Input(f"mark-{time}", time, time, mark=Mark({"events:0:0": time})))
        if self.workflows is not None:
            self.workflows.advance(micros(time))
            made += self._drained()
        return made

    def _step(self, record: Input) -> list[Output]:
        made = self.shard.step(_encode(record), self._position, micros(self.now) if self.now else 0)
        self._position += 1
        self.shard.dirty.clear()
        result: list[Output] = []
        for output in made:
            result.append(output)
            if output.topic == "workflow.commands":
                self.started.append(output.value)
                if self.workflows is not None:
                    self.workflows.start(output.value)
                    result += self._drained()
        return result

    def _drained(self) -> list[Output]:
        assert self.workflows is not None
        outputs = list(self.workflows.outputs)
        self.workflows.outputs.clear()
        return outputs

    def finish(self) -> list[Output]:
        """Lets the workflows run on until nothing moves them any more."""
        if self.workflows is None:
            return []
        self.workflows.advance()
        return self._drained()

    def state(self) -> dict[str, Any]:
        """The end state as one document."""
        return document(self.shard, self.started)


def accepted(
    paths: Iterable[Path], parameters: dict[str, str], live: Iterable[Definition] = ()
) -> list[Checked]:
    """The checked files at ``paths``, which come to stand among ``live``.

    Raises ``BadLine`` naming what is wrong with those refused.
    """
    files = check_files(paths, parameters, live)
    refused = [str(finding) for checked in files if not checked.accepted for finding in checked.findings]
    if refused:
        raise BadLine("\n".join(refused))
    return files
