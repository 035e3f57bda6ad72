"""One partition of correlation: its graphs, rules and clock, moved by ``graph.input`` alone."""

from __future__ import annotations

from typing import Any

import msgspec

from ..errors import InvalidRecord
from ..events import Definition, Input, Output
from ..graph import watches
from ..graph.alarms import merge_alarm, pass_on
from ..graph.clock import Clock, Memory
from ..graph.merge import merge_entity, merge_relationship
from ..graph.said import NEVER
from ..graph.step import Step
from ..graph.store import Graph
from ..graph.undo import Undo
from ..times import micros
from . import sights, table
from .agenda import Agenda
from .census import SHOWN, census
from .engine import Engine, RuleFailed
from .facts import Fact
from .outputs import outputs
from .ruleset import RuleSet, counted_together, journaled, recompile, revalue

_decoder = msgspec.json.Decoder(Input)


class GraphShard:
    """The ``pipeline.kafka.shard.Shard`` of correlation."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.dirty: set[str] = set()
        self.graphs: dict[str, Graph] = {}
        self.engine = Engine()
        self.rules = RuleSet(self.engine)
        self.clock = Clock()
        self.origins: dict[tuple[str, str, int], int] = {}
        self.counts: dict[str, int] = {}
        self.unknown: dict[str, dict[str, int]] = {}
        self._memories: dict[str, Memory] = {}
        self._deduced: list[table.DeducedRow] = []
        self._windows: list[table.WindowRow] = []

    def step(self, value: bytes, position: int, timestamp: int) -> list[Output]:
        """Applies one record. Raises ``InvalidRecord``; the state is then as it was."""
        try:
            record = _decoder.decode(value)
        except msgspec.MsgspecError as error:
            raise InvalidRecord("bad-input", f"not a record of graph.input: {error}") from error
        origin = record.origin
        if origin is not None:
            place = (origin.topic, origin.topic_id, origin.partition)
            if origin.offset <= self.origins.get(place, -1):
                self._count("duplicates")
                return []
        if record.mark is not None:
            return self._mark(record, position)
        made = self._whole(record, position)
        if origin is not None:
            self.origins[place] = origin.offset
            self.dirty.add(f"o\x1f{origin.topic}\x1f{origin.topic_id}\x1f{origin.partition}")
        return made

    def _whole(self, record: Input, position: int) -> list[Output]:
        """Applies a record whole or not at all; rules that fail over it are set aside first."""
        failures: list[RuleFailed] = []
        time, now = micros(record.time), self._now(record)
        while True:
            undo = Undo()
            try:
                made: list[Output] = []
                own = record.definition.name if record.definition is not None else None
                for failure in failures:
                    # A rule that fails as it comes is set aside where it comes.
                    if failure.rule != own:
                        values = self.engine.values
                        aside = Step(record, self.partition, position, time, now, values, undo, failure.rule)
                        made += self._set_aside(aside, failure)
                step = Step(record, self.partition, position, time, now, self.engine.values, undo)
                if record.mark is not None:
                    made += self._pass(step)
                else:
                    failed = [each for each in failures if each.rule == own]
                    made += self._apply(step, failed[0] if failed else None)
            except RuleFailed as failure:
                undo.rollback()
                if any(failure.rule == known.rule for known in failures):
                    raise InvalidRecord("failed", str(failure)) from failure
                failures.append(failure)
            except InvalidRecord:
                undo.rollback()
                raise
            except Exception as error:
                undo.rollback()
                raise InvalidRecord("failed", f"{type(error).__name__}: {error}") from error
            else:
                if record.mark is None:
                    self._count(step.outcome)
                    self._note_unknown(record)
                return made

    def encode(self, key: str) -> bytes | None:
        """The current value of a table key."""
        kind, _, rest = key.partition("\x1f")
        if kind == "o":
            topic, topic_id, partition = rest.split("\x1f")
            offset = self.origins.get((topic, topic_id, int(partition)))
            return (
                None
                if offset is None
                else table.encode(table.OriginRow(table.VERSION, topic, topic_id, int(partition), offset))
            )
        if kind == "c":
            return table.encode(table.ClockRow(table.VERSION, self.clock.now, self.clock.read))
        if kind == "n":
            return table.encode(table.CountsRow(table.VERSION, self.counts))
        if kind == "f":
            what, _, name = rest.partition("\x1f")
            rule = (self.rules.values if what == "VALUES" else self.rules.rules).get(name)
            return (
                None
                if rule is None
                else table.encode(table.DefinitionRow(table.VERSION, rule.definition, rule.failed))
            )
        if kind == "t":
            return table.hold_row(self.engine.waiting, key)
        if kind == "w":
            return table.window_row(self.engine.waiting, key)
        domain, _, name = rest.partition("\x1f")
        graph = self.graphs.get(domain)
        if graph is None:
            return None
        if kind == "h":
            watch = graph.watches.get(key)
            return None if watch is None else table.encode(table.WatchRow(table.VERSION, watch))
        if kind == "e":
            type_, _, id_ = name.partition("\x1f")
            return table.entity_row(graph, key, type_, id_)
        if kind == "r":
            return table.relationship_row(graph, key, name.split("\x1f"))
        if kind == "a":
            source, _, shown = name.partition("\x1f")
            return table.alarm_row(graph, key, source, shown)
        return table.deduced_row(graph, self.engine.of(graph), name)

    def load(self, key: str, value: bytes) -> None:
        """Takes one kept value back. Raises ``CheckpointFailed``."""
        kind = key[:1]
        row = table.decode(kind, key, value)
        if kind == "e":
            table.load_entity(self._graph(row.domain), key, row)
        elif kind == "r":
            table.load_relationship(self._graph(row.domain), key, row)
        elif kind == "a":
            table.load_alarm(self._graph(row.domain), key, row)
        elif kind == "d":
            self._deduced.append(row)
        elif kind == "t":
            self.engine.waiting.kept[key] = (row.since, row.stood)
        elif kind == "w":
            self._windows.append(row)
        elif kind == "h":
            graph = self._graph(key.split("\x1f", 2)[1])
            watches.load(graph, self.engine.waiting.deadlines, key, row.watch)
        elif kind == "f":
            self.rules.put(Undo(), row.definition, row.failed)
        elif kind == "o":
            self.origins[(row.topic, row.topic_id, row.partition)] = row.offset
        elif kind == "c":
            self.clock = Clock(row.now, micros(row.now) if row.now else NEVER, row.read)
        else:
            self.counts = row.counts

    def restored(self) -> None:
        """Derives everything from the facts again, silently."""
        for row in self._deduced:
            graph = self._graph(row.domain)
            table.load_deduced(graph, self.engine.of(graph), row)
        self._deduced.clear()
        for domain, graph in self.graphs.items():
            memory = self._memories[domain]
            memory.queue.extend(sorted((tomb.since, key) for key, tomb in graph.tombs.items()))
        silent = Input(id="", time=self.clock.now, at=self.clock.now, definition=Definition("RULE", ""))
        while True:
            step = Step(silent, self.partition, -1, self.clock.micros, self.clock.micros, self.engine.values)
            try:
                self.engine.values = step.values = self.rules.mapping(step.undo)
                agenda = Agenda()
                recompile(step, self.rules, agenda, self.graphs.values())
                self.engine.waiting.restore(counted_together(self.engine.clauses), self._windows)
                self.engine.run(step, agenda, {})
                self._windows.clear()
                self.engine.waiting.kept.clear()
                return
            except RuleFailed as failure:
                step.undo.rollback()
                self.rules.rules[failure.rule].failed = failure.reason
                self.dirty.add(f"f\x1fRULE\x1f{failure.rule}")

    def due(self) -> int | None:
        """Nothing here waits for the wall clock."""
        return None

    def timers(self, now: int) -> list[Output]:
        """Nothing here waits for the wall clock."""
        return []

    def counters(self) -> dict[str, Any]:
        """Counts, placeholders with the alarms that wait on them, and the state of each rule."""
        return census(self)

    def _apply(self, step: Step, failed: RuleFailed | None = None) -> list[Output]:
        record = step.input
        step.deadlines = self.engine.waiting.deadlines
        agenda = Agenda()
        before: dict[Fact, tuple[Any, ...]] = {}
        graph = self._graph(record.domain)
        if record.alarm is not None:
            merge_alarm(step, graph, record.alarm)
        elif record.entity is not None:
            merge_entity(step, graph, record.entity)
        elif record.relationship is not None:
            merge_relationship(step, graph, record.relationship)
        elif record.definition is not None:
            self._define(step, record.definition, agenda, before, failed)
        else:
            raise InvalidRecord(
                "bad-input", "none of entity, relationship, alarm, definition and mark is there"
            )
        if self.engine.index.sights:
            sights.take(step, agenda, graph, self.engine.index, self.engine.waiting)
        if step.changes or agenda:
            self.engine.run(step, agenda, before)
        made = self._told(step, before, starts=record.definition is None)
        if graph.tombs:
            memory = self._memories[record.domain]
            for key in step.dirty:
                tomb = graph.tombs.get(key)
                if tomb is not None and tomb.since == step.now:
                    memory.note(step.now, key)
        return made

    def _told(self, step: Step, before: dict[Fact, tuple[Any, ...]], starts: bool) -> list[Output]:
        """What a step comes to."""
        made = outputs(step, self.engine.of, before, starts)
        self.dirty |= step.dirty
        return made

    def _define(
        self,
        step: Step,
        definition: Definition,
        agenda: Agenda,
        before: dict[Fact, tuple[Any, ...]],
        failed: RuleFailed | None,
    ) -> None:
        if definition.kind == "WORKFLOW":
            return
        values = definition.kind == "VALUES"
        known = (self.rules.values if values else self.rules.rules).get(definition.name)
        key = f"f\x1f{definition.kind}\x1f{definition.name}"
        if step.input.op == "DELETE":
            if known is None:
                step.ignored("REPEATED", definition.name, "absent")
                return
            op, rule = "REMOVED", known
            self.rules.drop(step.undo, definition)
        else:
            if known is not None and known.definition == definition and not known.failed:
                step.ignored("REPEATED", definition.name, "same")
                return
            op = "ADDED" if known is None else "CHANGED"
            rule = self.rules.put(step.undo, definition, _reason(step, failed) if failed is not None else "")
            if known is not None:
                rule.clauses, rule.signature = known.clauses, known.signature
        step.dirty.add(key)
        errors = {rule.name: rule.error for rule in self.rules.rules.values()}
        entry = journaled(rule, op)
        step.journal.append(entry)
        if values:
            revalue(step, self.rules, {definition.name}, self.graphs.values(), before)
        recompile(step, self.rules, agenda, self.graphs.values())
        if op != "REMOVED" and rule.shadow:
            entry["mode"] = "shadow"
        if step.input.by:
            entry["by"] = step.input.by
        everything = (*self.rules.rules.values(), *self.rules.values.values())
        for rule in sorted(everything, key=lambda rule: rule.name):
            if rule.error and rule.error != errors.get(rule.name, ""):
                step.journal.append(journaled(rule, "ERROR", rule.error))

    def _set_aside(self, step: Step, failure: RuleFailed) -> list[Output]:
        """Marks a rule that failed and takes its work back, as a change of its own before the record."""
        rule = self.rules.rules[failure.rule]
        reason = _reason(step, failure)
        step.undo.set(rule, "failed", reason)
        agenda = Agenda()
        recompile(step, self.rules, agenda, self.graphs.values())
        step.journal.append(journaled(rule, "ERROR", reason))
        before: dict[Fact, tuple[Any, ...]] = {}
        self.engine.run(step, agenda, before)
        step.dirty.add(f"f\x1fRULE\x1f{rule.name}")
        return self._told(step, before, starts=False)

    def _mark(self, record: Input, position: int) -> list[Output]:
        assert record.mark is not None
        self.dirty.add("c")
        if not self.clock.advance(record.mark):
            return []
        for domain, graph in self.graphs.items():
            if graph.tombs:
                self.dirty.update(self._memories[domain].expire(graph, self.clock.micros))
        deadlines = self.engine.waiting.deadlines
        deadlines.sift(self._waits)
        first = deadlines.first()
        if first is None or first > self.clock.micros:
            return []
        # What a deadline brings about happens by the domain's clock, not by that of who marks it.
        return self._whole(msgspec.structs.replace(record, time=self.clock.now), position)

    def _pass(self, step: Step) -> list[Output]:
        """Goes through what is due, each at its own time, so that what one deadline begins may fall
        due by the same mark. What follows is told once, as a whole."""
        waiting, limit = self.engine.waiting, step.now
        before: dict[Fact, tuple[Any, ...]] = {}
        while (first := waiting.deadlines.first()) is not None and first <= limit:
            agenda = Agenda()
            step.now = step.time = first
            while (entry := waiting.deadlines.pop(step.undo, first)) is not None:
                if entry[1][0] == "h":
                    self._steady(step, *entry)
                else:
                    waiting.pass_(step, agenda, *entry, self.graphs)
            if step.changes or agenda:
                self.engine.evaluate(step, agenda, before)
        step.now = step.time = limit
        self.engine.release(step, before)
        return self._told(step, before, starts=True)

    def _waits(self, due: int, key: str) -> bool:
        if key[0] != "h":
            return self.engine.waiting.waits(due, key)
        watch = self.graphs[key.split("\x1f", 2)[1]].watches.get(key)
        return watch is not None and watch.until == due

    def _steady(self, step: Step, due: int, key: str) -> None:
        """Passes on what was held back of a restless alarm."""
        domain = key.split("\x1f", 2)[1]
        graph = self.graphs[domain]
        held = watches.over(step, graph, key, due)
        if held is not None:
            pass_on(step, *held)
            tomb = graph.tombs.get("a" + key[1:])
            if tomb is not None:
                self._memories[domain].note(tomb.since, "a" + key[1:])

    def _now(self, record: Input) -> int:
        """The clock; before the first mark when the record was appended."""
        if self.clock.now:
            return self.clock.micros
        return micros(record.at) if record.at else NEVER

    def _graph(self, domain: str) -> Graph:
        graph = self.graphs.get(domain)
        if graph is None:
            graph = self.graphs[domain] = Graph(domain)
            self._memories[domain] = Memory()
        return graph

    def _note_unknown(self, record: Input) -> None:
        """Counts a state or severity that no mapping knows, by type."""
        alarm, entity, word = record.alarm, record.entity, None
        if alarm is not None:
            type_ = record.source
            word = self.engine.values.unknown(type_, None, alarm.severity)
        elif entity is not None and isinstance(entity.state, str):
            type_ = entity.type
            word = self.engine.values.unknown(type_, entity.state, None)
        if word is None:
            return
        words = self.unknown.setdefault(type_, {})
        if word in words or len(words) < SHOWN:
            words[word] = words.get(word, 0) + 1

    def _count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1
        self.dirty.add("n")


def _reason(step: Step, failure: RuleFailed) -> str:
    return f"{failure.reason} (at record {step.input.id})"
