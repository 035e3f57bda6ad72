"""Incremental equals from scratch: after every step, in every order, after every restore."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.correlation_oracle import Outcome, derive, fold
from support.correlation_rules import BY_NAME, RULES, oracle_rules, random_rule
from support.machines import STEPS, limits, restored

from pipeline.rules.shard import GraphShard
from pipeline.rules.state import document

SOURCES = ("mon", "nova")
HOSTS, VMS = ("h1", "h2", "h3"), ("v1", "v2", "v3")


def moment(number: int) -> str:
    return f"2026-01-05T{10 + number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}.000000Z"


def encoded(record: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"at": "2026-01-05T12:00:00.000000Z", **record})


def entity(kind: str, name: str) -> dict[str, str]:
    return {"type": kind, "id": name}


def of_shard(shard: GraphShard) -> Outcome:
    """What the shard holds, in the oracle's form."""
    state = document(shard)
    out = Outcome()
    for alarm in state["alarms"]:
        if alarm["deduced"]:
            out.alarms[alarm["key"]] = (alarm["severity"], frozenset(alarm["rules"]))
    for each in state["entities"]:
        if not each["placeholder"]:
            out.states[f"{each['type']}/{each['id']}"] = each["aggregated_state"]
            if each["marked_down"]:
                out.down.add(f"{each['type']}/{each['id']}")
    out.causes = {(cause["source"], cause["target"]) for cause in state["causes"]}
    for graph in shard.graphs.values():
        for fact in shard.engine.of(graph).starts.values():
            if fact.wanted:
                out.starts.add((fact.workflow, repr(fact.input["rack"])))
    return out


def standing(shard: GraphShard) -> tuple[Any, ...]:
    """What records alone leave."""
    state = document(shard)
    entities = {f"{e['type']}/{e['id']}": e for e in state["entities"]}
    return (
        {key for key, each in entities.items() if not each["placeholder"]},
        {key for key, each in entities.items() if each["placeholder"]},
        {
            (
                f"{r['source']['type']}/{r['source']['id']}",
                r["type"],
                f"{r['target']['type']}/{r['target']['id']}",
            )
            for r in state["relationships"]
        },
        {(alarm["key"], alarm["severity"]) for alarm in state["alarms"] if not alarm["deduced"]},
    )


def expected_standing(records: list[dict[str, Any]]) -> tuple[Any, ...]:
    world = fold(records)
    return (
        {key for key, node in world.nodes.items() if not node.alarm},
        world.placeholders,
        world.relationships,
        {(key, node.properties["severity"]) for key, node in world.nodes.items() if node.alarm},
    )


class Correlation(RuleBasedStateMachine):
    """Random records and rules against one shard; every step is compared with the slow way."""

    def __init__(self) -> None:
        super().__init__()
        self.shard = GraphShard(0)
        self.mirror: GraphShard | None = None
        self.records: list[dict[str, Any]] = []
        self.rules: set[str] = set()
        self.position = 0
        self.now = 10
        self.keys: set[str] = set()
        self.announced: dict[str, str] = {}
        self.standing_starts: set[tuple[str, str]] = set()

    def send(self, record: dict[str, Any], definition: bool = False) -> None:
        self.position += 1
        outputs = self.shard.step(encoded(record), self.position, 0)
        if self.mirror is not None:
            # One that was restored and one that was not tell the same, byte for byte.
            again = self.mirror.step(encoded(record), self.position, 0)
            assert msgspec.json.encode(again) == msgspec.json.encode(outputs)
        self.keys |= self.shard.dirty
        self.shard.dirty.clear()
        if not definition:
            self.records.append(record)
        told: set[str] = set()
        starts: list[tuple[str, str]] = []
        for output in outputs:
            if output.topic == "alarms.deduced":
                alarm = output.value["alarm"]
                assert alarm["key"] not in told, "one record tells one thing of an alarm"
                told.add(alarm["key"])
                if alarm["status"] == "ACTIVE":
                    assert self.announced.get(alarm["key"]) != alarm["severity"]
                    self.announced[alarm["key"]] = alarm["severity"]
                else:
                    del self.announced[alarm["key"]]
            elif output.topic == "workflow.commands":
                starts.append((output.value["workflow"], repr(output.value["input"]["rack"])))
        now = of_shard(self.shard).starts
        new = now - self.standing_starts
        assert sorted(starts) == sorted(set() if definition else new)
        self.standing_starts = now

    def head(self, back: int, source: str) -> dict[str, Any]:
        self.now += 1
        return {
            "id": f"r{self.position}",
            "time": moment(self.now - back),
            "source": source,
        }

    @initialize(names=st.sets(st.sampled_from(sorted(BY_NAME))))
    def begin(self, names: set[str]) -> None:
        for name in sorted(names):
            self.add_rule(name)

    back = st.sampled_from((0, 0, 0, 0, 1, 3, 9))
    source = st.sampled_from(("nova", "nova", "nova", "other"))
    host = st.sampled_from([entity("host", name) for name in HOSTS])
    vm = st.sampled_from([entity("vm", name) for name in VMS])

    @rule(
        ref=host | vm,
        state=st.sampled_from((None, "ACTIVE", "ERROR", "SUBOPTIMAL")),
        rack=st.sampled_from(("r1", "r2", None)),
        back=back,
        source=source,
    )
    def put_entity(
        self, ref: dict[str, str], state: str | None, rack: str | None, back: int, source: str
    ) -> None:
        body = {**ref, "state": state, "attributes": {"rack": rack}}
        self.send({**self.head(back, source), "op": "UPSERT", "entity": body})

    @rule(ref=host | vm, back=back, source=source)
    def delete_entity(self, ref: dict[str, str], back: int, source: str) -> None:
        self.send({**self.head(back, source), "op": "DELETE", "entity": ref})

    @rule(
        near=host, far=host | vm, op=st.sampled_from(("UPSERT", "UPSERT", "DELETE")), back=back, source=source
    )
    def relate(self, near: dict[str, str], far: dict[str, str], op: str, back: int, source: str) -> None:
        label = "link" if far["type"] == "host" else "contains"
        body = {"source": near, "type": label, "target": far}
        self.send({**self.head(back, source), "op": op, "relationship": body})

    @rule(
        name=st.sampled_from("xy"),
        ref=host | vm,
        severity=st.sampled_from(("WARNING", "CRITICAL", "OK")),
        status=st.sampled_from(("ACTIVE", "ACTIVE", "CLEARED")),
        back=back,
    )
    def alarm(self, name: str, ref: dict[str, str], severity: str, status: str, back: int) -> None:
        body = {"name": name, "severity": severity, "status": status, "resource": ref}
        self.send({**self.head(back, "mon"), "alarm": body})

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        if self.records:
            self.send(data.draw(st.sampled_from(self.records[-6:])))

    @rule(name=st.sampled_from(sorted(BY_NAME)))
    def add_rule(self, name: str) -> None:
        self.rules.add(name)
        body = {"kind": "RULE", "name": name, "text": BY_NAME[name].text}
        self.send({**self.head(0, "files"), "definition": body}, definition=True)
        assert not self.shard.rules.rules[name].error

    @rule(name=st.sampled_from(sorted(BY_NAME)))
    def remove_rule(self, name: str) -> None:
        self.rules.discard(name)
        self.send(
            {**self.head(0, "files"), "op": "DELETE", "definition": {"kind": "RULE", "name": name}},
            definition=True,
        )

    @rule(seed=st.integers(0, 1000))
    def restore(self, seed: int) -> None:
        self.mirror, self.shard = self.shard, restored(self.shard, self.keys, seed)

    @rule(data=st.data())
    def break_in_the_middle(self, data: st.DataObject) -> None:
        """A step that fails anywhere leaves everything as it was."""
        if not self.records:
            return
        before = document(self.shard)
        record = {
            **data.draw(st.sampled_from(self.records)),
            "id": f"broken{self.position}",
            "time": moment(9999),
        }
        at = data.draw(st.integers(0, 40))
        assert broken(self.shard, encoded(record), self.position, at) in (True, False)
        if document(self.shard) != before:
            raise AssertionError("a failed step left something behind")

    @invariant()
    def equals_from_scratch(self) -> None:
        assert standing(self.shard) == expected_standing(self.records)
        expected = derive(fold(self.records), oracle_rules(self.rules))
        assert of_shard(self.shard) == expected
        assert self.announced == {key: severity for key, (severity, _) in expected.alarms.items()}


class Broken(Exception):
    """Raised on purpose in the middle of a step."""


def broken(shard: GraphShard, record: bytes, position: int, at: int) -> bool:
    """Applies a record that fails at its ``at``-th change; it is taken back also where it would not fail."""
    from pipeline.graph import undo as module

    count = 0
    original = {name: getattr(module.Undo, name) for name in ("set", "put", "drop")}

    def failing(name: str) -> Any:
        def change(self: Any, *arguments: Any) -> None:
            nonlocal count
            count += 1
            if count > at:
                raise Broken
            original[name](self, *arguments)

        return change

    apply = shard._apply

    def and_fail(*arguments: Any) -> Any:
        apply(*arguments)
        raise Broken

    for name in original:
        setattr(module.Undo, name, failing(name))
    shard._apply = and_fail  # type: ignore[method-assign]
    try:
        shard.step(record, position, 0)
    except Exception as error:
        return "Broken" in str(error)
    finally:
        for name, method in original.items():
            setattr(module.Undo, name, method)
        del shard._apply
        shard.dirty.clear()
    return False


Correlation.TestCase.settings = limits(STEPS, 50)
TestCorrelation = Correlation.TestCase


@pytest.mark.parametrize("seed", range(max(1, STEPS // 500)))
def test_long_histories(seed: int) -> None:
    """Denser than what Hypothesis draws: all rules live, many alarms, deletions in between."""
    draw = random.Random(seed)
    machine = Correlation()
    for name in sorted(BY_NAME):
        machine.add_rule(name)
    refs = [entity("host", name) for name in HOSTS] + [entity("vm", name) for name in VMS]
    for _ in range(250):
        back, source, kind = draw.choice((0, 0, 0, 1, 5)), draw.choice(("nova", "other")), draw.random()
        if kind < 0.2:
            state = draw.choice((None, "ACTIVE", "ERROR", "SUBOPTIMAL"))
            machine.put_entity(draw.choice(refs), state, draw.choice(("r1", "r2")), back, source)
        elif kind < 0.26:
            machine.delete_entity(draw.choice(refs), back, source)
        elif kind < 0.55:
            op = draw.choice(("UPSERT", "UPSERT", "DELETE"))
            machine.relate(draw.choice(refs[:3]), draw.choice(refs), op, back, source)
        elif kind < 0.9:
            word, status = draw.choice(("WARNING", "CRITICAL")), draw.choice(("ACTIVE", "ACTIVE", "CLEARED"))
            machine.alarm(draw.choice("xy"), draw.choice(refs), word, status, back)
        elif kind < 0.94:
            machine.add_rule(draw.choice(sorted(BY_NAME)))
        elif kind < 0.96:
            machine.remove_rule(draw.choice(sorted(BY_NAME)))
        elif kind < 0.98 or not machine.records:
            machine.restore(draw.randrange(1000))
        else:
            before = document(machine.shard)
            record = {**draw.choice(machine.records), "id": "broken", "time": moment(9999)}
            broken(machine.shard, encoded(record), machine.position, draw.randrange(60))
            assert document(machine.shard) == before
        machine.equals_from_scratch()


@pytest.mark.parametrize("seed", range(max(1, STEPS // 125)))
def test_random_patterns(seed: int) -> None:
    """Patterns of any shape, with NOT anywhere, against the search that tries everything."""
    draw = random.Random(seed)
    rules = [random_rule(draw, f"random-{number}") for number in range(3)]
    shard = GraphShard(0)
    for number, each in enumerate(rules):
        definition = {"kind": "RULE", "name": each.name, "text": each.text}
        shard.step(encoded({"id": each.name, "time": moment(0), "definition": definition}), number, 0)
        assert not shard.rules.rules[each.name].error, each.text
    records = []
    for number, record in enumerate([*history(seed), *history(seed + 5000), *history(seed + 9000)]):
        record = {
            **record,
            "id": f"r{number}",
            "time": moment(number if draw.random() < 0.9 else number // 2),
        }
        records.append(record)
        shard.step(encoded(record), 3 + number, 0)
        assert of_shard(shard).alarms == derive(fold(records), rules).alarms


def history(seed: int) -> list[dict[str, Any]]:
    """Records of a random incident."""
    draw = random.Random(seed)
    records: list[dict[str, Any]] = []
    refs = [entity("host", name) for name in HOSTS] + [entity("vm", name) for name in VMS]
    for number in range(40):
        head = {
            "id": f"r{number}",
            "time": moment(draw.randrange(40)),
            "source": draw.choice(("nova", "other")),
        }
        kind = draw.random()
        if kind < 0.35:
            body = {**draw.choice(refs), "state": draw.choice((None, "ACTIVE", "ERROR"))}
            records.append({**head, "op": "UPSERT", "entity": body})
        elif kind < 0.5:
            records.append({**head, "op": "DELETE", "entity": draw.choice(refs)})
        elif kind < 0.75:
            source, target = draw.choice(refs[:3]), draw.choice(refs)
            label = "link" if target["type"] == "host" else "contains"
            body = {"source": source, "type": label, "target": target}
            records.append({**head, "op": draw.choice(("UPSERT", "UPSERT", "DELETE")), "relationship": body})
        else:
            body = {
                "name": draw.choice("xy"),
                "severity": draw.choice(("WARNING", "CRITICAL")),
                "status": draw.choice(("ACTIVE", "ACTIVE", "CLEARED")),
                "resource": draw.choice(refs),
            }
            records.append({**head, "source": "mon", "alarm": body})
    return records


def element(record: dict[str, Any]) -> str:
    """What a record is about."""
    if "entity" in record:
        return f"{record['entity']['type']}/{record['entity']['id']}"
    if "relationship" in record:
        return repr(record["relationship"])
    return f"{record['alarm']['name']}@{record['alarm']['resource']}"


def shuffled(records: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """Another order in which the records of each element keep theirs."""
    draw = random.Random(seed)
    queues: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        queues.setdefault(element(record), []).append(record)
    result = []
    while queues:
        name = draw.choice(sorted(queues))
        result.append(queues[name].pop(0))
        if not queues[name]:
            del queues[name]
    return result


def end_state(records: list[dict[str, Any]]) -> Any:
    shard = GraphShard(0)
    for number, each in enumerate(RULES):
        definition = {"kind": "RULE", "name": each.name, "text": each.text}
        shard.step(encoded({"id": each.name, "time": moment(0), "definition": definition}), number, 0)
    for number, record in enumerate(records, len(RULES)):
        shard.step(encoded(record), number, 0)
    state = document(shard)
    for alarm in state["alarms"]:
        del alarm["episode"]
    return state


@pytest.mark.parametrize("seed", range(40))
def test_any_order_between_elements_ends_the_same(seed: int) -> None:
    records = history(seed)
    expected = end_state(records)
    for other in range(4):
        assert end_state(shuffled(records, other)) == expected
