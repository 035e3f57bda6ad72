"""The same disasters over the shards of production: correlation, and workflows with their timers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from random import Random

import msgspec
import pytest
from simulation.memory import START, Kafka, Sent
from simulation.verdict import Verdict, simulate
from simulation.world import Plan

from pipeline.events import Alarm, Definition, Entity, EntityRef, Input, Mark, Origin, Relationship
from pipeline.ids import identify
from pipeline.kafka.murmur2 import partition
from pipeline.resources import shipped
from pipeline.rules.shard import GraphShard
from pipeline.times import rfc3339
from pipeline.workflow.shard import WorkflowShard

SEEDS = int(os.environ.get("SIMULATION_SEEDS", "200")) // 8
SPAN = 40
PARTITIONS = 4
WORKFLOW = """
version: '2.0'
repair:
  input: [vm]
  tasks:
    look:
      action: std.noop
      wait-before: 1
      on-success: move
    move:
      action: std.echo output=<% $.vm %>
      retry: {count: 2, delay: 1}
      publish: {where: <% task().result %>}
      on-success: check
      on-error: check
    check:
      action: std.noop
"""

Found = list[tuple[float, str | int, bytes]]


def graph_inputs(draw: Random) -> Found:
    """Hosts, instances, alarms and marks in six domains, with every tenth record sent again."""
    found: Found = []
    text = (shipped("rules") / "host_network.yaml").read_text()
    rule = Definition("RULE", "host_network", text, "host_network.yaml")
    sources: dict[int, int] = {}

    def add(at: float, domain: str, **what: object) -> None:
        time = rfc3339(START + int(at * 1e6))
        number = partition(domain, PARTITIONS)
        offset = sources[number] = sources.get(number, 0) + 1
        origin = Origin("alarms.raw", "T", number, offset)
        record = Input(f"i-{number}-{offset}", time, time, "zabbix", domain, origin, **what)  # type: ignore[arg-type]
        value = msgspec.json.encode(record)
        found.append((at, domain, value))
        if draw.random() < 0.1:
            found.append((at + 0.01, domain, value))

    for number in range(PARTITIONS):
        origin = Origin("definitions.changes", "D", 0, 0)
        time = rfc3339(START)
        record = Input(f"d-{number}", time, time, origin=origin, definition=rule)
        found.append((0.0, number, msgspec.json.encode(record)))
    bursts = [draw.uniform(0.5, SPAN) for _ in range(30)]
    moments = sorted(draw.choice(bursts) + draw.uniform(0, 0.8) for _ in range(480))
    for at in moments:
        domain = f"site-{draw.randrange(6)}"
        host = EntityRef("nova.host", f"h{draw.randrange(3)}")
        instance = EntityRef("nova.instance", f"vm{draw.randrange(6)}")
        kind = draw.random()
        op = "DELETE" if draw.random() < 0.1 else "UPSERT"
        if kind < 0.25:
            add(at, domain, op=op, entity=Entity(host.type, host.id, host.id, state="available"))
        elif kind < 0.45:
            moving = {"migrate": draw.choice(("auto", "no"))}
            add(at, domain, op=op, entity=Entity(instance.type, instance.id, attributes=moving))
        elif kind < 0.65:
            add(at, domain, op=op, relationship=Relationship(host, "contains", instance))
        else:
            status = draw.choice(("ACTIVE", "ACTIVE", "CLEARED"))
            add(at, domain, alarm=Alarm("Public network port down", host, status, "HIGH"))
    for second in range(1, SPAN, 2):
        for number in range(PARTITIONS):
            read = {f"alarms.raw:T:{number}": rfc3339(START + second * 1_000_000)}
            time = rfc3339(START + second * 1_000_000)
            mark = Input(f"mark-{number}-{second}", time, time, mark=Mark(read))
            found.append((float(second), number, msgspec.json.encode(mark)))
    return found


def workflow_inputs(draw: Random) -> Found:
    """Starts, every fifth of them twice, and a cancel here and there."""
    found: Found = []
    time = rfc3339(START)
    for number in range(PARTITIONS):
        definition = {"kind": "WORKFLOW", "name": "repair", "text": WORKFLOW}
        command = {"id": f"d{number}", "time": time, "command": "DEFINITION", "op": "UPSERT"}
        found.append((0.0, number, msgspec.json.encode({**command, "definition": definition})))
    bursts = [draw.uniform(0.5, SPAN - 10) for _ in range(15)]
    for n in range(120):
        at = draw.choice(bursts) + draw.uniform(0, 0.5)
        root = f"root-{n}"
        ids = {"id": f"s{n}", "time": time, "command": "START", "root": root, "execution": root}
        value = msgspec.json.encode({**ids, "workflow": "repair", "input": {"vm": f"vm{n}"}, "by": {}})
        found.append((at, root, value))
        if n % 5 == 0:
            found.append((at + 1, root, value))
        if n % 9 == 0:
            cancel = {**ids, "id": f"c{n}", "command": "CANCEL", "message": "enough"}
            found.append((at + draw.uniform(1, 3), root, msgspec.json.encode(cancel)))
    return found


def executor(kafka: Kafka) -> Callable[[Sent], None]:
    """Answers each action some time later, the same action always the same, and sometimes twice."""

    def arrived(sent: Sent) -> None:
        if sent.topic != "workflow.actions":
            return
        action = msgspec.json.decode(sent.value)
        good = int(identify(action["id"])[-1], 16) > 3
        result = {
            "id": identify("result", action["id"]),
            "time": action["time"],
            "command": "RESULT",
            "root": action["root"],
            "execution": action["execution"],
            "task": action["task"],
            "action": action["id"],
            "state": "SUCCESS" if good else "ERROR",
            "result": "there" if good else "lost the way",
        }
        delay = kafka.draw.uniform(0.05, 2.0)
        loop = asyncio.get_running_loop()
        loop.call_later(delay, kafka.append, action["root"], msgspec.json.encode(result))

    return arrived


def graph(seed: int) -> Verdict:
    return simulate(Plan(seed, GraphShard, partitions=PARTITIONS), graph_inputs, GraphShard)


def workflow(seed: int) -> Verdict:
    plan = Plan(
        seed,
        WorkflowShard,
        partitions=PARTITIONS,
        timers=True,
        feed="workflow.commands",
        quiet=12,
        around=executor,
    )
    return simulate(plan, workflow_inputs, WorkflowShard)


@pytest.mark.parametrize("one", [graph, workflow])
def test_nothing_is_lost_and_nothing_differs(one: Callable[[int], Verdict]) -> None:
    crashes = repeats = 0
    for seed in range(SEEDS):
        verdict = one(seed)
        assert not verdict.faults, f"SEED {seed}: {verdict}"
        assert verdict.events >= 500, f"SEED {seed}: {verdict}"
        assert verdict.crashes >= 3, f"SEED {seed}: {verdict}"
        crashes += verdict.crashes
        repeats += verdict.repeats
    assert repeats > SEEDS
    print(f"{one.__name__}: {SEEDS} seeds, {crashes} ends of processes, {repeats} outputs repeated")
