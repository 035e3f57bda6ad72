"""What correlation must come to, found the slow way: all records folded, all rules tried on everything.

Nothing here uses the code under test. A record's effect is found from the whole history
of its own element and from the deletions of others, so it cannot depend on their order;
rules are matched by trying every vertex in every place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Key = tuple[str, ...]
PRIORITY = {"CRITICAL": 50, "WARNING": 30, "ERROR": 80, "SUBOPTIMAL": 30, "ACTIVE": 10, None: -1}


@dataclass(eq=False)
class Node:
    """A live vertex as rules see it."""

    key: str
    type: str
    properties: dict[str, Any]
    alarm: bool = False
    derived_state: str | None = None
    down: bool = False

    def get(self, name: str) -> Any:
        own = self.properties.get("state")
        if name == "aggregated_state":
            words = [word for word in (own, self.derived_state) if word is not None]
            return max(words, key=lambda word: (PRIORITY[word], word == own)) if words else None
        if name == "is_marked_down":
            return "true" if self.down else "false"
        return {"type": self.type, **self.properties}.get(name)


@dataclass
class World:
    """The graph that a history of records leaves."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: set[tuple[str, str, str]] = field(default_factory=set)
    relationships: set[tuple[str, str, str]] = field(default_factory=set)
    placeholders: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Rule:
    """A rule as text for the code under test, and as data for the search here.

    ``clauses``: alternatives, each a list of (source, label, target) that must be there,
    a list of those that must not, and lone entities. ``effect`` gives from a binding
    ("alarm", target, name, severity), ("state", target, word), ("down", target),
    ("cause", source, target) or ("start", workflow, input).
    """

    name: str
    level: int
    entities: dict[str, dict[str, str]]
    condition: str
    clauses: list[tuple[list[tuple[str, str, str]], list[tuple[str, str, str]], list[str]]]
    actions: str
    effect: Callable[[dict[str, Node]], list[tuple[Any, ...]]]

    @property
    def text(self) -> str:
        lines = [f"metadata: {{version: 3, name: {self.name}}}", "entities:"]
        for name, wants in self.entities.items():
            lines.append(f"  {name}: {{{', '.join(f'{key}: {value}' for key, value in wants.items())}}}")
        lines += ["scenarios:", f"- condition: {self.condition}", "  actions:"]
        lines += [f"  {line}" for line in self.actions.strip().splitlines()]
        return "\n".join(lines) + "\n"


def fold(records: list[dict[str, Any]]) -> World:
    """The graph after ``records`` (in their order of arrival)."""
    entities: dict[Key, list[dict[str, Any]]] = {}
    links: dict[Key, list[dict[str, Any]]] = {}
    alarms: dict[Key, list[dict[str, Any]]] = {}
    for record in records:
        if "entity" in record:
            entities.setdefault((record["entity"]["type"], record["entity"]["id"]), []).append(record)
        elif "relationship" in record:
            body = record["relationship"]
            key = (*body["source"].values(), body["type"], *body["target"].values())
            links.setdefault(key, []).append(record)
        elif "alarm" in record:
            body = record["alarm"]
            alarms.setdefault((record["source"], body["name"], *body["resource"].values()), []).append(record)
    world = World()
    deleted: dict[str, str] = {}
    for (type_, id_), told in entities.items():
        properties, gone = _entity(told)
        key = f"{type_}/{id_}"
        deleted[key] = gone
        if properties is not None:
            world.nodes[key] = Node(key, type_, {"id": id_, "category": "RESOURCE", **properties})
    for key_, told in links.items():
        source, label, target = f"{key_[0]}/{key_[1]}", key_[2], f"{key_[3]}/{key_[4]}"
        horizon = max(deleted.get(source, ""), deleted.get(target, ""))
        if _stands([record for record in told if record["time"] > horizon]):
            world.relationships.add((source, label, target))
            world.edges.add((source, label, target))
            world.placeholders.update(end for end in (source, target) if end not in world.nodes)
    for (source, name, type_, id_), told in alarms.items():
        resource = f"{type_}/{id_}"
        body = _alarm(told, deleted.get(resource, ""))
        if body is not None:
            key = f"{source}/{name}@{resource}"
            properties = {"category": "ALARM", "name": name, "severity": body, "state": "Active", "id": key}
            world.nodes[key] = Node(key, source, properties, alarm=True)
            world.edges.add((key, "on", resource))
            if resource not in world.nodes:
                world.placeholders.add(resource)
    return world


def _fresh(said: dict[str, tuple[str, set[str]]], record: dict[str, Any]) -> bool:
    """Whether a record is news to what its source last said; takes it down if so."""
    time, ids = said.get(record["source"], ("", set()))
    if record["time"] < time or (record["time"] == time and record["id"] in ids):
        return False
    said[record["source"]] = (record["time"], {record["id"]} | (ids if time == record["time"] else set()))
    return True


def _entity(told: list[dict[str, Any]]) -> tuple[dict[str, Any] | None, str]:
    said: dict[str, tuple[str, set[str]]] = {}
    properties: dict[str, Any] | None = None
    gone = ""
    for record in told:
        if not _fresh(said, record):
            continue
        if record["op"] == "DELETE":
            others = max(time for time, _ in said.values())
            if properties is None or others <= record["time"]:
                properties, gone = None, max(gone, record["time"])
        elif record["time"] >= gone:
            body = dict(record["entity"])
            attributes = body.pop("attributes", {})
            properties = {**(properties or {}), **{k: v for k, v in body.items() if k not in ("type", "id")}}
            for name, value in attributes.items():
                properties.pop(name, None)
                if value is not None:
                    properties[name] = value
    return properties, gone


def _stands(told: list[dict[str, Any]]) -> bool:
    said: dict[str, tuple[str, set[str]]] = {}
    there, gone = False, ""
    for record in told:
        if not _fresh(said, record):
            continue
        if record["op"] == "DELETE":
            others = max(time for time, _ in said.values())
            if not there or others <= record["time"]:
                there, gone = False, max(gone, record["time"])
        elif record["time"] >= gone:
            there = True
    return there


def _alarm(told: list[dict[str, Any]], horizon: str) -> str | None:
    said: dict[str, tuple[str, set[str]]] = {}
    severity: str | None = None
    for record in told:
        if not _fresh(said, record):
            continue
        body = record["alarm"]
        if record["time"] <= horizon or body["status"] == "CLEARED" or body["severity"] == "OK":
            severity = None
        else:
            severity = body["severity"]
    return severity


@dataclass
class Outcome:
    """All that holds when every rule has been tried on everything."""

    alarms: dict[str, tuple[str, frozenset[str]]] = field(default_factory=dict)
    states: dict[str, Any] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    causes: set[tuple[str, str]] = field(default_factory=set)
    starts: set[tuple[str, str]] = field(default_factory=set)


def derive(world: World, rules: list[Rule]) -> Outcome:
    """Applies the rules, lowest level first, each level until nothing more follows."""
    out = Outcome()
    for level in sorted({rule.level for rule in rules}):
        while True:
            before = _shape(world, out)
            for rule in (rule for rule in rules if rule.level == level):
                for binding in search(world, rule):
                    for effect in rule.effect(binding):
                        _apply(world, out, rule.name, effect)
            if _shape(world, out) == before:
                break
    for node in world.nodes.values():
        if not node.alarm:
            out.states[node.key] = node.get("aggregated_state")
            if node.down:
                out.down.add(node.key)
    return out


def _shape(world: World, out: Outcome) -> tuple[Any, ...]:
    states = tuple((key, node.derived_state, node.down) for key, node in world.nodes.items())
    return dict(out.alarms), set(out.causes), set(out.starts), states


def _apply(world: World, out: Outcome, rule: str, effect: tuple[Any, ...]) -> None:
    kind = effect[0]
    if kind == "alarm":
        _, target, name, severity = effect
        key = f"vitrage/{name}@{target.key}"
        old, rules = out.alarms.get(key, (None, frozenset()))
        worst = max((old, severity), key=lambda word: PRIORITY[word])
        out.alarms[key] = (worst, rules | {rule})
        node = world.nodes.setdefault(
            key, Node(key, "vitrage", {"category": "ALARM", "name": name}, alarm=True)
        )
        node.properties["severity"] = worst
        world.edges.add((key, "on", target.key))
    elif kind == "state":
        _, target, word = effect
        target.derived_state = max((target.derived_state, word), key=lambda each: PRIORITY[each])
    elif kind == "down":
        effect[1].down = True
    elif kind == "cause":
        source, target = (end if isinstance(end, str) else end.key for end in effect[1:])
        out.causes.add((source, target))
        world.edges.add((source, "causes", target))
    else:
        out.starts.add((effect[1], effect[2]))


def search(world: World, rule: Rule) -> Iterator[dict[str, Node]]:
    """Every binding of every alternative of the rule's condition."""
    for present, absent, alone in rule.clauses:
        names = list(dict.fromkeys([name for s, _, t in present for name in (s, t)] + alone))
        yield from list(_extend(world, rule, present, absent, names, {}))


def _extend(
    world: World,
    rule: Rule,
    present: list[tuple[str, str, str]],
    absent: list[tuple[str, str, str]],
    names: list[str],
    bound: dict[str, Node],
) -> Iterator[dict[str, Node]]:
    if len(bound) == len(names):
        if not any(_is_there(world, rule, edge, bound) for edge in absent):
            yield dict(bound)
        return
    name = names[len(bound)]
    for node in list(world.nodes.values()):
        if node in bound.values() or not _fits(node, rule.entities[name]):
            continue
        bound[name] = node
        if all(
            (bound[s].key, label, bound[t].key) in world.edges
            for s, label, t in present
            if s in bound and t in bound
        ):
            yield from _extend(world, rule, present, absent, names, bound)
        del bound[name]


def _fits(node: Node, wants: dict[str, str]) -> bool:
    return all(node.get(name) == value for name, value in wants.items())


def _is_there(world: World, rule: Rule, edge: tuple[str, str, str], bound: dict[str, Node]) -> bool:
    source, label, target = edge
    for node in world.nodes.values():
        if source in bound and target in bound:
            return (bound[source].key, label, bound[target].key) in world.edges
        free = target if source in bound else source
        if node in bound.values() or not _fits(node, rule.entities[free]):
            continue
        ends = {**bound, free: node}
        if (ends[source].key, label, ends[target].key) in world.edges:
            return True
    return False
