"""Rules and playbooks over a list of events, without a broker: the same core, another host."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from .checking import Checked, check_files, find
from .checks import INBOUND, check
from .errors import FaultlineError, InvalidRecord
from .events import Definition, Input, Mark, Output
from .reactions import Reactions
from .rules.shard import GraphShard
from .rules.state import document
from .times import micros, normalize, rfc3339
from .workflow.triggers import TRIGGER

COMMANDS = "workflow.commands"
MOST_STARTS = 1_000
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
        triggers: Iterable[Definition] = (),
    ) -> None:
        self.shard = GraphShard(0)
        self.parameters = parameters
        self.workflows = workflows
        self.reactions = Reactions(triggers)
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
        if topic not in INBOUND and self.reactions.watches(topic):
            return self._react([], topic, record)
        try:
            found = check(topic, record, "")
        except InvalidRecord as error:
            raise BadLine(f"{error.reason}: {error}") from error
        made = self._advance(found.time)
        made += self._step(msgspec.structs.replace(found, at=self.now))
        return self._react(made, topic, record)

    def _tick(self, time: Any) -> list[Output]:
        try:
            return self._react(self._advance(normalize(str(time))))
        except ValueError as error:
            raise BadLine(f"tick: {error}") from error

    def _rules(self, change: Any) -> list[Output]:
        if not isinstance(change, dict) or change.keys() - {"add", "remove", "shadow"} or not change:
            raise BadLine('`rules` is {"add": PATH}, {"shadow": PATH} or {"remove": NAME}')
        made: list[Output] = []
        kinds = self.shard.rules
        if "remove" in change:
            name = str(change["remove"])
            if name not in kinds.rules:
                raise BadLine(f"rules: no rule {name!r} is there to be removed")
            made += self._define(Definition("RULE", name), "DELETE")
        for verb in ("add", "shadow"):
            if verb in change:
                live = [rule.definition for rule in kinds.rules.values()]
                path = Path(str(change[verb]))
                files = accepted([path], self.parameters, live)
                found = [checked.definition for checked in files if checked.definition is not None]
                for definition in in_shadow(found, [path] if verb == "shadow" else []):
                    if definition.kind in ("RULE", "VALUES"):
                        made += self._define(definition, "UPSERT")
        return made

    def _define(self, definition: Definition, op: Any) -> list[Output]:
        identity = f"{definition.kind}/{definition.name}/{self._position}"
        moment = self.now or BEGINNING
        return self._step(Input(identity, moment, moment, "simulate", op=op, definition=definition))

    def _advance(self, time: str) -> list[Output]:
        """Moves the clock; what falls due by then."""
        if time <= self.now:
            return []
        began, self.now = bool(self.now), time
        made = self._step(Input(f"mark-{time}", time, time, mark=Mark({"events:0:0": time})))
        if self.workflows is not None:
            self.workflows.advance(micros(time))
            if not began:
                # Their clock begins with the events; before that there is no time that could have passed.
                self._triggers("UPSERT")
            made += self._drained()
        return made

    def _triggers(self, op: str) -> None:
        """Brings the triggers into force, or takes them out."""
        assert self.workflows is not None
        for trigger in self.reactions.documents:
            definition = msgspec.to_builtins(trigger)
            self.workflows.start({"command": "DEFINITION", "op": op, "definition": definition})

    def _react(self, made: list[Output], topic: str = "", record: Any = None) -> list[Output]:
        """``made`` with what triggers start for it, and for the record of a topic. Raises ``BadLine``."""
        result: list[Output] = []
        left = deque(made)
        started = 0
        wanted = self.reactions.to(topic, record, self._micros()) if topic else []
        while wanted or left:
            for value in wanted:
                started += 1
                if started > MOST_STARTS:
                    raise BadLine("what triggers start makes them start more, without end")
                self.started.append(value)
                left.append(Output(COMMANDS, value["root"], value["id"], value["time"], value))
                if self.workflows is not None:
                    self.workflows.start(value)
                    left += self._drained()
            wanted = []
            if left:
                output = left.popleft()
                result.append(output)
                wanted = self.reactions.to(output.topic, output.value, self._micros())
        return result

    def _micros(self) -> int:
        return micros(self.now) if self.now else 0

    def _step(self, record: Input) -> list[Output]:
        made = self.shard.step(_encode(record), self._position, self._micros())
        self._position += 1
        self.shard.dirty.clear()
        result: list[Output] = []
        for output in made:
            result.append(output)
            if output.topic == COMMANDS:
                self.started.append(output.value)
                if self.workflows is not None:
                    self.workflows.start(output.value)
                    result += self._drained()
        return result

    def _drained(self) -> list[Output]:
        assert self.workflows is not None
        outputs = list(self.workflows.outputs)
        self.workflows.outputs.clear()
        # What the engine itself starts, it starts by the clock.
        self.started += [
            one.value for one in outputs if one.topic == COMMANDS and one.value["command"] == "START"
        ]
        return outputs

    def finish(self) -> list[Output]:
        """Lets the workflows run on until nothing moves them any more."""
        if self.workflows is None:
            return []
        if self.now:
            # Else there would always be one more time to wait for.
            self._triggers("DELETE")
        self.workflows.advance()
        return self._react(self._drained())

    def state(self) -> dict[str, Any]:
        """The end state as one document."""
        return document(self.shard, self.started)


def in_shadow(definitions: Iterable[Definition], paths: Iterable[Path]) -> list[Definition]:
    """``definitions``, the rules among them that lie at or below ``paths`` in shadow mode."""
    among = {str(path) for path in find(paths)}
    return [
        msgspec.structs.replace(one, mode="shadow") if one.kind == "RULE" and one.path in among else one
        for one in definitions
    ]


def runner(playbooks: Iterable[Definition], script: Any) -> Workflows:
    """What runs the workflows of a simulation, by the answers of ``script``.

    Their clock begins with the events; until then there are no triggers (``Simulation``).
    """
    from .actions.harmless import perform_harmless
    from .workflow.run import Runner

    return Runner([one for one in playbooks if one.kind != TRIGGER], script, perform_harmless, now=0)


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
