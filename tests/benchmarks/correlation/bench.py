"""What correlation costs in process: ``python tests/benchmarks/correlation/bench.py [--quick]``.

Times are processor time of this process, so that a busy machine does not spoil them; each
figure is the best of three. Work that Kafka does is not in it; encoding of outputs is.
"""

from __future__ import annotations

import argparse
import gc
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from pipeline.events import Alarm, Definition, Entity, EntityRef, Input, Origin, Relationship
from pipeline.rules.shard import GraphShard

TIME = "2026-01-05T10:00:00.000000Z"
encode = msgspec.json.encode
clock = time.process_time


def entity(number: int, type_: str, id_: str, **fields: object) -> Input:
    body = Entity(type_, id_, name=id_, **fields)  # type: ignore[arg-type]
    return Input(f"e-{number}", TIME, TIME, "nova", entity=body)


def contains(number: int, host: str, vm: str) -> Input:
    relationship = Relationship(EntityRef("nova.host", host), "contains", EntityRef("nova.instance", vm))
    return Input(f"r-{number}", TIME, TIME, "nova", relationship=relationship)


def alarm(number: int, name: str, type_: str, id_: str, cleared: bool = False) -> Input:
    at = f"2026-01-05T11:{number // 60_000_000:02d}:{number // 1_000_000 % 60:02d}.{number % 1_000_000:06d}Z"
    report = Alarm(
        name,
        EntityRef(type_, id_),
        "CLEARED" if cleared else "ACTIVE",
        "WARNING",
        attributes={"rawtext": "x"},
    )
    return Input(f"a-{number}", at, at, "zabbix", origin=Origin("alarms.raw", "id", 0, number), alarm=report)


def rule(name: str, alarm_name: str) -> Definition:
    """One host alarm gives an alarm, a state and a cause on each of its instances, and a host state."""
    text = f"""
metadata: {{version: 3, name: {name}, type: standard}}
entities:
  alarm: {{category: ALARM, type: zabbix, name: {alarm_name}}}
  host: {{type: nova.host}}
  instance: {{type: nova.instance}}
scenarios:
- condition: alarm [on] host
  actions:
  - set_state: {{target: host, state: ERROR}}
- condition: alarm [on] host AND host [contains] instance
  actions:
  - raise_alarm: {{target: instance, alarm_name: {name} affects, severity: WARNING, causing_alarm: alarm}}
  - set_state: {{target: instance, state: SUBOPTIMAL}}
"""
    return Definition("RULE", name, text)


def topology(vms: int, attributes: int = 5) -> Iterator[Input]:
    number = 0
    for vm in range(vms):
        host = f"host-{vm // 20}"
        if vm % 20 == 0:
            yield entity(number, "nova.host", host, state="AVAILABLE")
        values = {f"attribute_{at}": f"{at}-{vm % 1000 if at else vm}" for at in range(attributes)}
        yield entity(number + 1, "nova.instance", f"vm-{vm}", state="ACTIVE", attributes=values)
        yield contains(number + 2, host, f"vm-{vm}")
        number += 3


class Bench:
    """One shard that is fed and timed."""

    def __init__(self, vms: int = 0, rules: int = 0, matching: str = "matching") -> None:
        self.shard = GraphShard(0)
        self.position = 0
        for number in range(rules):
            name = matching if number == 0 else f"rule-{number}"
            definition = rule(name, f"alarm of {name}")
            self.feed([Input(f"d-{number}", TIME, TIME, definition=definition)])
        self.feed(topology(vms))

    def feed(self, records: Iterator[Input] | list[Input]) -> tuple[int, float, int]:
        """Records, seconds, outputs."""
        values = [encode(record) for record in records]
        told, began = 0, clock()
        for value in values:
            self.position += 1
            for output in self.shard.step(value, self.position, 0):
                encode(output.value)
                told += 1
        self.shard.dirty.clear()
        return len(values), clock() - began, told


def best(measure: Callable[[], float], times: int = 3) -> float:
    return max(measure() for _ in range(times))


def throughput(count: int) -> None:
    def unread() -> float:
        bench = Bench(count, 1)
        records, seconds, _ = bench.feed(
            [alarm(n, "nobody", "nova.instance", f"vm-{n}") for n in range(count)]
        )
        return records / seconds

    def deducing() -> float:
        bench = Bench(count)
        text = """
metadata: {version: 3, name: one}
entities: {a: {category: ALARM, type: zabbix, name: boo}, i: {type: nova.instance}}
scenarios:
- {condition: 'a [on] i', actions: [{raise_alarm: {target: i, alarm_name: d, severity: CRITICAL}}]}
"""
        bench.feed([Input("d", TIME, TIME, definition=Definition("RULE", "one", text))])
        records, seconds, told = bench.feed(
            [alarm(n, "boo", "nova.instance", f"vm-{n}") for n in range(count)]
        )
        assert told == 2 * records
        return records / seconds

    print(f"alarms that no rule reads            {best(unread):>10,.0f} /s")
    print(f"alarms that each raise a deduced one {best(deducing):>10,.0f} /s")


def fan_out() -> None:
    """One host alarm with 61 derived changes: of 20 instances three each, and the host's state."""
    for rules in (1, 50, 1000):
        bench = Bench(2000, rules)
        records = [
            alarm(n, "alarm of matching", "nova.host", f"host-{n // 2 % 100}", bool(n % 2))
            for n in range(400)
        ]
        count, seconds, _ = bench.feed(records)
        print(f"host alarm with 61 changes, {rules:>4} rules {count / seconds:>10,.0f} /s")


def no_op(entities: int) -> None:
    for rules in (1, 50, 200, 1000):
        bench = Bench(entities, rules)
        refreshes = [
            msgspec.structs.replace(record, id=f"again-{number}", time="2026-01-05T10:30:00.000000Z")
            for number, record in enumerate(topology(entities))
        ]
        count, seconds, _ = bench.feed(refreshes)
        print(f"no-op refresh, {rules:>4} rules              {seconds / count * 1e6:>10.1f} us")


def nothing_matches(sizes: tuple[int, ...]) -> None:
    for size in sizes:
        for rules in (1, 50, 1000):
            bench = Bench(size, rules)
            gc.collect()
            gc.freeze()
            records = [alarm(n, "nobody", "nova.instance", f"vm-{n % size}") for n in range(20_000)]
            count, seconds, _ = bench.feed(records)
            print(f"alarm without match, {size:>9,} entities, {rules:>4} rules {count / seconds:>9,.0f} /s")


def one_matches(sizes: tuple[int, ...]) -> None:
    for size in sizes:
        bench = Bench(size, 10)
        gc.collect()
        gc.freeze()
        visited = bench.shard.engine.search.visited
        records = [
            alarm(n, "alarm of matching", "nova.host", f"host-{n // 2 % (size // 20)}", bool(n % 2))
            for n in range(1000)
        ]
        count, seconds, _ = bench.feed(records)
        visited = (bench.shard.engine.search.visited - visited) // count
        print(
            f"alarm that matches, {size:>9,} entities      {count / seconds:>10,.0f} /s, "
            f"{visited} elements visited each"
        )


def memory(size: int) -> None:
    gc.collect()
    before, bench = resident(), None
    gc.disable()
    bench = Bench()
    shard = bench.shard
    began = clock()
    for position, record in enumerate(topology(size)):
        shard.step(encode(record), position, 0)
        if position % 10_000 == 0:
            shard.dirty.clear()
    loaded = clock() - began
    shard.dirty.clear()
    gc.collect()
    each = (resident() - before) / size
    print(f"memory an entity (5 attributes, 1 edge) {each:>7,.0f} B  ({size:,} entities)")
    print(f"topology records applied              {size * 2.05 / loaded:>10,.0f} /s")
    (graph,) = shard.graphs.values()
    keys = [graph.entity_key(v.type, v.id) for ids in graph.entities.values() for v in ids.values()]
    keys += [
        graph.relationship_key(vertex, label, target)
        for ids in graph.entities.values()
        for vertex in ids.values()
        for label, ends in (vertex.out or {}).items()
        for target in ends
    ]
    kept = [(key, shard.encode(key)) for key in keys]
    other = GraphShard(0)
    began = clock()
    for key, value in kept:
        assert value is not None
        other.load(key, value)
    other.restored()
    print(f"restored                              {len(kept) / (clock() - began):>10,.0f} keys/s")
    gc.enable()


def supernode(ports: int) -> None:
    """A switch with many ports, ten of them with an alarm, flaps between two states that a rule reads."""
    text = """
metadata: {version: 3, name: switch}
entities:
  switch: {type: switch, state: down}
  port: {type: port}
  alarm: {category: ALARM, type: zabbix, name: port alarm}
scenarios:
- condition: switch [has] port AND alarm [on] port
  actions:
  - raise_alarm: {target: port, alarm_name: cut off, severity: WARNING}
"""
    bench = Bench()
    bench.feed([Input("d", TIME, TIME, definition=Definition("RULE", "switch", text))])
    bench.feed([entity(0, "switch", "s", state="up")])
    ends = EntityRef("switch", "s")
    for number in range(ports):
        port = EntityRef("port", f"p-{number}")
        link = Relationship(ends, "has", port)
        bench.feed(
            [entity(number, "port", port.id), Input(f"l-{number}", TIME, TIME, "nova", relationship=link)]
        )
    bench.feed([alarm(number, "port alarm", "port", f"p-{number * 7}") for number in range(10)])
    gc.collect()
    gc.freeze()
    costs = []
    for number in range(20):
        state = "up" if number % 2 else "down"
        at = f"2026-01-05T12:00:{number:02d}.000000Z"
        record = Input(f"f-{number}", at, at, "nova", entity=Entity("switch", "s", state=state))
        costs.append(bench.feed([record])[1])
    print(f"switch with {ports:,} ports flaps        {statistics.median(costs) * 1e3:>10.2f} ms (10 matches)")


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--large", action="store_true", help="a million entities as well")
    arguments = parser.parse_args()
    print(
        f"Python {platform.python_version()}, msgspec {msgspec.__version__}, {platform.machine()}",
        file=sys.stderr,
    )
    scale = 1 if arguments.quick else 10
    sizes = (1000, 10_000) if arguments.quick else (1000, 50_000)
    if arguments.large:
        sizes = (*sizes, 1_000_000)
    throughput(2000 * scale)
    fan_out()
    no_op(200 * scale)
    nothing_matches(sizes)
    one_matches(sizes)
    supernode(5000 * scale)
    memory(sizes[-1])


if __name__ == "__main__":
    main()
