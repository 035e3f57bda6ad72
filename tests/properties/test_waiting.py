"""Time and counts in rules against the whole history, gone through anew after every record.

What should hold is found without the code under test: the graph at each position of the
log is folded from scratch, and from when what stood in which, all waits and windows follow.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from support.correlation_oracle import World, fold
from support.machines import STEPS, limits, restored

from pipeline.rules.shard import GraphShard
from pipeline.rules.state import document
from pipeline.times import SECOND, micros, rfc3339

SHARE = STEPS // 5
BEGIN = micros("2026-01-05T10:00:00.000000Z")
HOSTS, VMS = ("h1", "h2"), ("v1", "v2", "v3")
FOR, WITHIN, LEAST, ABSENT, UNSEEN = 20, 30, 3, 25, 35

RULE = f"""
metadata: {{version: 3, name: timed}}
entities:
  a: {{category: ALARM, type: mon, name: x}}
  b: {{category: ALARM, type: mon}}
  h: {{type: host}}
  vm: {{type: vm}}
  bad: {{type: vm, state: ERROR}}
scenarios:
- condition: a [on] h
  for: {FOR}s
  actions: [{{raise_alarm: {{target: h, alarm_name: lasting, severity: WARNING}}}}]
- condition: b [on] h
  within: {WITHIN}s
  at_least: {LEAST}
  actions: [{{raise_alarm: {{target: h, alarm_name: many, severity: WARNING}}}}]
- condition: h AND NOT a [on] h
  absent_for: {ABSENT}s
  actions: [{{raise_alarm: {{target: h, alarm_name: quiet, severity: WARNING}}}}]
- condition: h AND NOT a [on] h
  not_seen_for: {UNSEEN}s
  actions: [{{raise_alarm: {{target: h, alarm_name: unseen, severity: WARNING}}}}]
- condition: h
  having:
  - {{of: 'h [contains] bad', at_least: 1, at_most: 1}}
  actions: [{{raise_alarm: {{target: h, alarm_name: one, severity: WARNING}}}}]
- condition: h
  having:
  - {{all: 'h [contains] vm', are: bad, at_least: 2}}
  for: {FOR}s
  actions: [{{raise_alarm: {{target: h, alarm_name: all, severity: WARNING}}}}]
"""


@dataclass
class Moment:
    """One position of the log: the clock then, when its record was appended and happened, what stood,
    and the host whose x its record reported, whether or not anything changed."""

    clock: int
    at: int
    time: int
    x: frozenset[str]
    alarms: frozenset[str]
    hosts: frozenset[str]
    all: frozenset[str]
    one: frozenset[str]
    seen: str = ""

    @property
    def began(self) -> int:
        return max(self.clock, self.at)


def observed(world: World, clock: int, at: int, time: int) -> Moment:
    nodes, edges = world.nodes, world.edges
    hosts = frozenset(key for key, node in nodes.items() if node.type == "host")
    alarms = frozenset(key for key, node in nodes.items() if node.alarm and key.split("@")[1] in hosts)
    members = {
        host: [
            nodes[end]
            for begin, _, end in edges
            if begin == host and end in nodes and nodes[end].type == "vm"
        ]
        for host in hosts
    }
    bad = {host: [vm for vm in vms if vm.properties.get("state") == "ERROR"] for host, vms in members.items()}
    return Moment(
        clock,
        at,
        time,
        frozenset(key for key in alarms if key.startswith("mon/x@")),
        alarms,
        hosts,
        frozenset(host for host in hosts if len(members[host]) >= 2 and len(bad[host]) == len(members[host])),
        frozenset(host for host in hosts if len(bad[host]) == 1),
    )


def lasting(history: list[Moment], stands: list[frozenset[str]], length: int) -> set[str]:
    """What has stood without a break for ``length`` by the clock's last position."""
    found: set[str] = set()
    for each in stands[-1]:
        first = len(stands) - 1
        while first and each in stands[first - 1]:
            first -= 1
        if history[first].began + length * SECOND <= history[-1].clock:
            found.add(each)
    return found


def expected(history: list[Moment]) -> set[str]:
    now = history[-1]
    x = lasting(history, [moment.x for moment in history], FOR)
    found = {f"lasting@{key.split('@')[1]}" for key in x}
    without = [moment.hosts - {key.split("@")[1] for key in moment.x} for moment in history]
    found |= {f"quiet@{host}" for host in lasting(history, without, ABSENT)}
    found |= {f"all@{host}" for host in lasting(history, [moment.all for moment in history], FOR)}
    found |= {f"one@{host}" for host in now.one}
    found |= {f"unseen@{host}" for host in lasting(history, [moment.hosts for moment in history], UNSEEN)} - {
        f"unseen@{moment.seen}" for moment in history if moment.began + UNSEEN * SECOND > now.clock
    }
    for host in now.hosts:
        came = sorted(
            after.time
            for before, after in pairwise(history)
            for key in after.alarms - before.alarms
            if key.split("@")[1] == host
        )
        if len(came) >= LEAST and came[-LEAST] > max(now.clock, came[-1]) - WITHIN * SECOND:
            found.add(f"many@{host}")
    return found


class Timed(RuleBasedStateMachine):
    """Random records, marks and restores. ``now`` is the true time, the clock may be far behind."""

    def __init__(self) -> None:
        super().__init__()
        self.shard = GraphShard(0)
        self.mirror: GraphShard | None = None
        self.records: list[dict[str, Any]] = []
        self.position = 0
        self.now = self.clock = BEGIN
        self.keys: set[str] = set()
        nothing: frozenset[str] = frozenset()
        self.history = [Moment(BEGIN, BEGIN, BEGIN, nothing, nothing, nothing, nothing, nothing)]
        self.announced: set[str] = set()
        self.newest: dict[str, int] = {}
        self.mark()
        self.send({"definition": {"kind": "RULE", "name": "timed", "text": RULE}}, 0)
        assert not self.shard.rules.rules["timed"].error

    def apply(self, record: dict[str, Any]) -> None:
        self.position += 1
        outputs = self.shard.step(msgspec.json.encode(record), self.position, 0)
        if self.mirror is not None:
            again = self.mirror.step(msgspec.json.encode(record), self.position, 0)
            assert msgspec.json.encode(again) == msgspec.json.encode(outputs)
        self.keys |= self.shard.dirty
        self.shard.dirty.clear()
        for output in outputs:
            if output.topic == "alarms.deduced":
                key = output.value["alarm"]["key"].removeprefix("vitrage/")
                assert (key in self.announced) != (output.value["alarm"]["status"] == "ACTIVE")
                self.announced ^= {key}

    def send(self, body: dict[str, Any], back: int) -> None:
        self.now += SECOND
        time = self.now - back * SECOND
        head = {"id": f"r{self.position}", "time": rfc3339(time), "at": rfc3339(self.now), "source": "mon"}
        record = {**head, **body}
        self.apply(record)
        if "definition" not in body:
            self.records.append(record)
            self.history.append(observed(fold(self.records), self.clock, self.now, time))
            self.history[-1].seen = self.seen(body, time)

    def seen(self, body: dict[str, Any], time: int) -> str:
        """The host whose x a record reports: as active, and no older than what was said of it last."""
        alarm = body.get("alarm")
        if alarm is None:
            return ""
        key = f"mon/{alarm['name']}@host/{alarm['resource']['id']}"
        older = time < self.newest.get(key, time)
        self.newest[key] = max(time, self.newest.get(key, time))
        if older or alarm["status"] != "ACTIVE" or key not in self.history[-1].x:
            return ""
        return key.split("@")[1]

    @rule(by=st.sampled_from((0, 1, 5, 9, 10, 14, 20, 25, 70)))
    def pass_time(self, by: int) -> None:
        self.now += by * SECOND

    @rule()
    def mark(self) -> None:
        time = rfc3339(self.now)
        self.apply({"id": f"m{self.position}", "time": time, "at": time, "mark": {"read": {"t:i:0": time}}})
        self.clock = self.now
        last = self.history[-1]
        self.history.append(
            Moment(self.now, self.now, self.now, last.x, last.alarms, last.hosts, last.all, last.one)
        )

    back = st.sampled_from((0, 0, 0, 0, 2, 12, 40))

    @rule(
        name=st.sampled_from("xy"),
        host=st.sampled_from(HOSTS),
        status=st.sampled_from(("ACTIVE", "ACTIVE", "CLEARED")),
        back=back,
    )
    def alarm(self, name: str, host: str, status: str, back: int) -> None:
        resource = {"type": "host", "id": host}
        self.send(
            {"alarm": {"name": name, "severity": "WARNING", "status": status, "resource": resource}}, back
        )

    @rule(
        host=st.sampled_from(HOSTS), op=st.sampled_from(("UPSERT", "UPSERT", "UPSERT", "DELETE")), back=back
    )
    def host(self, host: str, op: str, back: int) -> None:
        self.send({"op": op, "entity": {"type": "host", "id": host}}, back)

    @rule(vm=st.sampled_from(VMS), state=st.sampled_from(("ERROR", "ERROR", "ACTIVE")), back=back)
    def vm(self, vm: str, state: str, back: int) -> None:
        self.send({"op": "UPSERT", "entity": {"type": "vm", "id": vm, "state": state}}, back)

    @rule(
        host=st.sampled_from(HOSTS),
        vm=st.sampled_from(VMS),
        op=st.sampled_from(("UPSERT", "UPSERT", "DELETE")),
        back=back,
    )
    def relate(self, host: str, vm: str, op: str, back: int) -> None:
        ends = {"source": {"type": "host", "id": host}, "target": {"type": "vm", "id": vm}}
        self.send({"op": op, "relationship": {**ends, "type": "contains"}}, back)

    @rule(seed=st.integers(0, 1000))
    def restore(self, seed: int) -> None:
        self.mirror, self.shard = self.shard, restored(self.shard, self.keys, seed)

    @invariant()
    def equals_history(self) -> None:
        found = {
            alarm["key"].removeprefix("vitrage/")
            for alarm in document(self.shard)["alarms"]
            if alarm["deduced"]
        }
        assert found == expected(self.history)
        assert self.announced == found


Timed.TestCase.settings = limits(SHARE, 40)
TestTimed = Timed.TestCase


@pytest.mark.parametrize("seed", range(max(1, SHARE // 250)))
def test_long_histories(seed: int) -> None:
    """Denser than what Hypothesis draws: much happens on little, and the clock follows or stands."""
    draw = random.Random(seed)
    machine = Timed()
    for host in HOSTS:
        machine.host(host, "UPSERT", 0)
    for _ in range(200):
        kind, back = draw.random(), draw.choice((0, 0, 0, 0, 2, 12))
        if kind < 0.3:
            status = draw.choice(("ACTIVE", "CLEARED"))
            machine.alarm(draw.choice("xy"), draw.choice(HOSTS), status, back)
        elif kind < 0.4:
            machine.vm(draw.choice(VMS), draw.choice(("ERROR", "ERROR", "ACTIVE")), back)
        elif kind < 0.55:
            machine.relate(
                draw.choice(HOSTS), draw.choice(VMS), draw.choice(("UPSERT", "UPSERT", "DELETE")), back
            )
        elif kind < 0.58:
            machine.host(draw.choice(HOSTS), draw.choice(("UPSERT", "DELETE")), back)
        elif kind < 0.72:
            machine.pass_time(draw.choice((1, 5, 10, 20)))
        elif kind < 0.95:
            machine.mark()
        else:
            machine.restore(draw.randrange(1000))
        machine.equals_history()
