"""All definitions of a partition: put live, changed, removed, at one point of the log each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import InvalidDocument
from ..events import Definition
from ..graph.hygiene import Hygiene
from ..graph.hygiene import parse as parse_hygiene
from ..graph.step import Changed, Step
from ..graph.store import Graph
from ..graph.undo import Undo
from ..graph.values import DEFAULT, TypeValues, Values
from ..graph.values import parse as parse_values
from ..ids import revision
from .agenda import Agenda
from .clause import Clause
from .engine import Engine
from .equivalence import Groups, groups, variants
from .facts import Fact
from .index import Index
from .parts import clauses_of
from .pattern import Wants, patterns
from .reading import parse
from .rule import Rule
from .shadow import touch
from .strata import named, order
from .template import Template
from .waiting import Group

_SEVERITIES = frozenset(("severity", "aggregated_severity", "operational_severity"))
_STATES = frozenset(("aggregated_state", "operational_state"))


class RuleSet:
    """The definitions by name, and the clauses of those that take part."""

    __slots__ = ("engine", "rules", "values")

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.rules: dict[str, Rule] = {}
        self.values: dict[str, Rule] = {}

    def put(self, undo: Undo, definition: Definition, failed: str = "") -> Rule:
        """Enters a definition; what is wrong with it stands in the rule's ``error``."""
        own = revision(definition.text, definition.parameters)
        rule = Rule(definition.name, own, definition, None, failed=failed)
        undo.put(self.values if definition.kind == "VALUES" else self.rules, definition.name, rule)
        return rule

    def drop(self, undo: Undo, definition: Definition) -> Rule | None:
        """Removes a definition; the rule it was."""
        where = self.values if definition.kind == "VALUES" else self.rules
        rule = where.get(definition.name)
        undo.drop(where, definition.name)
        return rule

    def compile(self, undo: Undo) -> tuple[list[Clause], list[Clause]]:
        """Brings clauses, levels and index in line with the definitions; the clauses that
        came and those that went. Clauses that stay keep their matches."""
        engine = self.engine
        before = set(engine.clauses)
        self._read(undo)
        live = [rule for _, rule in sorted(self.rules.items()) if not rule.error]
        while True:
            clauses = [clause for rule in live for clause in rule.clauses]
            levels, looping, cycles = order(clauses, engine.values)
            if not cycles:
                break
            bad = named(cycles)
            for rule in live:
                if rule.name in bad:
                    undo.set(
                        rule, "error", f"it feeds itself through a NOT or a worst value: {bad[rule.name]}"
                    )
            live = [rule for rule in live if not rule.error]
        for clause in clauses:
            if clause.level != levels[clause]:
                undo.set(clause, "level", levels[clause])
        now = set(clauses)
        new = [clause for clause in clauses if clause not in before]
        old = [clause for clause in before if clause not in now]
        for clause in new:
            if clause.dead:
                undo.set(clause, "dead", False)
        for clause in old:
            undo.set(clause, "dead", True)
        undo.set(engine, "levels", looping)
        undo.set(engine, "index", Index(clauses))
        undo.set(engine, "clauses", tuple(clauses))
        return new, sorted(old, key=lambda clause: (clause.rule.name, clause.scenario.index, clause.index))

    def mapping(self, undo: Undo) -> Values:
        """The value mappings in force."""
        types: dict[str, TypeValues] = {}
        for rule in self.values.values():
            if rule.basis is None:
                self._parse_values(undo, rule)
            if isinstance(rule.basis, TypeValues):
                types[rule.name] = rule.basis
        settings = [rule for rule in self.values.values() if isinstance(rule.basis, Hygiene)]
        for rule in sorted(settings, key=lambda rule: rule.name):
            first = min(each.name for each in settings)
            reason = "" if rule.name == first else f"the settings of {first} are in force; merge the two"
            if rule.error != reason:
                undo.set(rule, "error", reason)
        hygiene = min(settings, key=lambda rule: rule.name).basis if settings else None
        return Values(types, hygiene if isinstance(hygiene, Hygiene) else None)

    def _parse_values(self, undo: Undo, rule: Rule) -> None:
        definition = rule.definition
        try:
            path = definition.path or "-"
            if definition.text.lstrip().startswith("hygiene:") or "\nhygiene:" in definition.text:
                undo.set(rule, "basis", parse_hygiene(definition.text, path))
            else:
                undo.set(rule, "basis", parse_values(rule.name, definition.text, path))
        except InvalidDocument as error:
            undo.set(rule, "basis", "refused")
            undo.set(rule, "error", str(error))

    def _read(self, undo: Undo) -> None:
        """Parses every rule that is new or whose includes or equivalences changed."""
        included: dict[str, Template] = {}
        for rule in self.rules.values():
            if rule.template is None or rule.template.includes:
                self._parse(undo, rule, {})
            if rule.template is not None and rule.template.kind == "definition":
                included[rule.template.name] = rule.template
        for rule in self.rules.values():
            if rule.template is None or rule.template.includes:
                self._parse(undo, rule, included)
        known = self._equivalences(undo)
        for rule in self.rules.values():
            if rule.failed:
                undo.set(rule, "error", rule.failed)
            elif rule.template is not None and rule.error.startswith("it feeds itself"):
                undo.set(rule, "error", "")
            if rule.error or rule.template is None:
                undo.set(rule, "clauses", [])
                undo.set(rule, "signature", None)
                undo.set(rule, "basis", None)
                continue
            basis = (rule.template, known)
            if rule.basis == basis:
                continue
            undo.set(rule, "basis", basis)
            shape = [
                (
                    scenario,
                    [
                        form
                        for pattern in patterns(rule.template, scenario.condition, scenario.having)
                        for form in variants(pattern, known)
                    ],
                )
                for scenario in rule.template.scenarios
            ]
            signature = (
                rule.shadow,
                *((repr(scenario.actions), scenario.timing, tuple(forms)) for scenario, forms in shape),
            )
            if signature == rule.signature:
                for clause in rule.clauses:
                    # What they deduce from now on is this revision's, as it would be after a restart.
                    undo.set(clause, "rule", rule)
                continue
            clauses = [
                clause
                for scenario, forms in shape
                for clause in clauses_of(rule, scenario, forms, self.engine.current_values)
            ]
            undo.set(rule, "clauses", clauses)
            undo.set(rule, "signature", signature)

    def _equivalences(self, undo: Undo) -> Groups:
        """The groups of all equivalence templates; of two that overlap the first by name counts."""
        known: Groups = []
        owners: dict[Wants, str] = {}
        for name in sorted(self.rules):
            rule = self.rules[name]
            if rule.template is None or rule.template.kind != "equivalence":
                continue
            found = groups(rule.template.equivalences)
            members = [member for group in found for member in group]
            owner = next((owners[member] for member in members if member in owners), None)
            error = f"it has an entity that is in an equivalence of {owner} already" if owner else ""
            if rule.error != error and (error or rule.error.startswith("it has an entity")):
                undo.set(rule, "error", error)
            if not rule.error:
                owners.update(dict.fromkeys(members, name))
                known += found
        return known

    def _parse(self, undo: Undo, rule: Rule, included: dict[str, Template]) -> None:
        definition = rule.definition
        try:
            template, _ = parse(definition.text, definition.path or "-", definition.parameters, included)
        except InvalidDocument as error:
            undo.set(rule, "template", None)
            undo.set(rule, "error", str(error))
            return
        undo.set(rule, "template", template)
        undo.set(rule, "error", "")


def journaled(rule: Rule, op: str, reason: str = "") -> dict[str, Any]:
    """The journal's change for what became of a definition."""
    kind, name = rule.definition.kind, rule.name
    return {"kind": kind, "op": op, "name": name, "revision": rule.revision, "reason": reason}


def recompile(step: Step, rules: RuleSet, agenda: Agenda, graphs: Iterable[Graph]) -> None:
    """Compiles, and asks for what the change of rules ends and begins."""
    new, old = rules.compile(step.undo)
    for clause in old:
        for match in clause.matches.values():
            agenda.doubt(match)
    gone = set(counted_together(old).values())
    if gone:
        rules.engine.waiting.forget(step, gone)
    rules.engine.seed(agenda, graphs, new)


def counted_together(clauses: Iterable[Clause]) -> dict[str, Group]:
    """What is counted together, by name."""
    return {clause.group.name: clause.group for clause in clauses if clause.group is not None}


def revalue(
    step: Step, rules: RuleSet, types: set[str], graphs: Iterable[Graph], before: dict[Fact, tuple[Any, ...]]
) -> None:
    """Takes new value mappings in force and settles what their ``types`` scored."""
    engine = rules.engine
    graphs = list(graphs)

    def concerns(type_: str) -> bool:
        return type_ in types or (DEFAULT in types and type_ not in rules.values)

    for graph in graphs:
        for type_, ids in graph.entities.items():
            if concerns(type_):
                for vertex in ids.values():
                    if vertex.live and (vertex.state is not None or vertex.derived is not None):
                        step.touch_state(vertex)
                        step.changes.append(Changed(vertex, _STATES, vertex.name))
        for source, keys in graph.alarms.items():
            if concerns(source):
                step.changes += [Changed(alarm, _SEVERITIES, alarm.name) for alarm in keys.values()]
        facts = engine.of(graph)
        touched = [fact for fact in facts.alarms.values() if concerns("vitrage")]
        states = [fact for fact in facts.states.values() if concerns(fact.target.type)]
        both: tuple[Fact, ...] = (*touched, *states)
        for fact in both:
            before.setdefault(fact, fact.snapshot(step.values))
        touch(facts.shadows.values(), before, step.values)
    values = rules.mapping(step.undo)
    step.undo.set(engine, "values", values)
    step.values = values
    for fact in list(before):
        fact.settle(step)
