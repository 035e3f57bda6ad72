"""What the core does at any size: time, elements visited, memory, restart."""

from __future__ import annotations

import gc
import statistics

import records
from core import Core, best, clock, resident, settle

from pipeline.events import EntityRef
from pipeline.rules.shard import GraphShard

_SWITCH = """
metadata: {version: 3, name: switch, type: standard}
entities:
  switch: {type: switch, state: down}
  port: {type: port}
  alarm: {category: ALARM, type: zabbix, name: port alarm}
scenarios:
- condition: switch [has] port AND alarm [on] port
  actions:
  - raise_alarm: {target: port, alarm_name: cut off, severity: WARNING}
"""

_LASTING = """
metadata: {version: 3, name: lasting, type: standard}
entities:
  alarm: {category: ALARM, type: zabbix, name: lasting}
  instance: {type: nova.instance}
scenarios:
- condition: alarm [on] instance
  for: 5m
  actions:
  - raise_alarm: {target: instance, alarm_name: it lasts, severity: WARNING}
"""

_PAIRS = """
metadata: {version: 3, name: pairs, type: standard}
entities:
  alarm: {category: ALARM, type: zabbix, name: pairs}
  host: {type: nova.host}
  one: {type: nova.instance}
  other: {type: nova.instance}
scenarios:
- condition: alarm [on] host AND host [contains] one AND host [contains] other
  actions:
  - add_causal_relationship: {source: alarm, target: alarm}
"""


def loaded(instances: int) -> tuple[Core, dict[str, float]]:
    """A core with that many instances, and what loading them cost."""
    gc.collect()
    before = resident()
    core = Core()
    began = clock()
    count = core.feed(records.topology(instances))
    seconds = clock() - began
    core.instances = instances
    settle()
    entities = instances + -(-instances // records.ON_HOST)
    return core, {
        "entities": entities,
        "bytes an entity": (resident() - before) / entities,
        "records/s": count / seconds,
    }


def restart(core: Core) -> float:
    """Keys a second through the table's load path into a shard that then derives everything again."""
    (graph,) = core.shard.graphs.values()
    keys = [graph.entity_key(each.type, each.id) for ids in graph.entities.values() for each in ids.values()]
    keys += [
        graph.relationship_key(vertex, label, target)
        for ids in graph.entities.values()
        for vertex in ids.values()
        for label, ends in (vertex.out or {}).items()
        for target in ends
    ]
    kept = [(key, core.shard.encode(key) or b"") for key in keys]
    kept += [(key, core.shard.encode(key) or b"") for key in _definitions(core)]
    again = GraphShard(0)
    settle()
    # As in a worker, where collection is off until all is there.
    gc.disable()
    began = clock()
    for key, value in kept:
        again.load(key, value)
    again.restored()
    seconds = clock() - began
    gc.enable()
    return len(kept) / seconds


def nothing(core: Core, rules: int) -> float:
    """Seconds of one alarm that no rule reads, with that many rules."""
    core.add_rules(rules)
    settle()
    targets = [f"vm-{number * 7919 % core.instances}" for number in range(1000)]

    def once() -> float:
        seconds = core.alarms(records.NOBODY, "nova.instance", targets)[0]
        core.alarms(records.NOBODY, "nova.instance", targets, cleared=True)
        return seconds / len(targets)

    return best(once, 8)


def matching(core: Core) -> tuple[float, float]:
    """Seconds of a host alarm with its 61 changes, raised and cleared; elements visited for one."""
    hosts = [f"host-{number * 7919 % (core.instances // records.ON_HOST)}" for number in range(20)]
    before, rounds = core.visited(), 8

    def once() -> float:
        raised = core.alarms(records.MATCHING, "nova.host", hosts)[0]
        return (raised + core.alarms(records.MATCHING, "nova.host", hosts, cleared=True)[0]) / len(hosts) / 2

    seconds = best(once, rounds)
    return seconds, (core.visited() - before) / rounds / len(hosts) / 2


def mixed(core: Core) -> float:
    """Records a second of a mix: of ten, seven refreshes that change nothing, two alarms that nobody
    reads, and one that raises or clears an alarm with its 61 changes."""
    targets = [f"vm-{number * 7919 % core.instances}" for number in range(200)]
    hosts = [f"host-{number * 104_729 % (core.instances // records.ON_HOST)}" for number in range(100)]

    def once() -> float:
        seconds = core.refresh(350)
        seconds += core.alarms(records.NOBODY, "nova.instance", targets[:100])[0]
        seconds += core.alarms(records.NOBODY, "nova.instance", targets[:100], cleared=True)[0]
        seconds += core.alarms(records.MATCHING, "nova.host", hosts[:50])[0]
        return seconds + core.alarms(records.MATCHING, "nova.host", hosts[:50], cleared=True)[0]

    return 1000 / best(once)


def supernode(ports: int, alarmed: int) -> tuple[float, float]:
    """Seconds of one flap of a switch of which some ports have an alarm; elements visited for it."""
    core, at = Core(), records.time(0)
    core.feed([records.rule("switch", _SWITCH), records.entity("s", at, type="switch", state="up")])
    switch = EntityRef("switch", "s")
    for number in range(ports):
        port = EntityRef("port", f"p-{number}")
        core.feed([records.entity(port.id, at, type="port"), records.relationship(switch, "has", port, at)])
    core.alarms("port alarm", "port", [f"p-{number * 7}" for number in range(alarmed)])
    settle()
    before, flaps, costs = core.visited(), 20, []
    for number in range(flaps):
        state = "up" if number % 2 else "down"
        report = records.entity("s", records.time(number, 13), type="switch", state=state)
        costs.append(core.seconds([report])[0])
    return statistics.median(costs), (core.visited() - before) / flaps


def timed(alarms: int) -> tuple[float, float]:
    """A rule that waits five minutes: seconds of an alarm that begins to wait; of one whose wait ends."""
    core = Core(alarms)
    core.feed([records.rule("lasting", _LASTING), records.mark(records.time(0, 11))])
    settle()
    began = core.alarms("lasting", "nova.instance", [f"vm-{number}" for number in range(alarms)])[0]
    ended = core.seconds([records.mark(records.time(0, 14))])[0]
    if core.standing()["deduced"] != alarms:
        raise ValueError("not every wait came to its end")
    return began / alarms, ended / alarms


def cut(members: int) -> tuple[float, int]:
    """A rule of all pairs on one host: seconds of the alarm, and how often it is counted as cut short.
    Raises ``ValueError`` when that is not told under the rule's name."""
    core, at = Core(), records.time(0)
    host = EntityRef("nova.host", "host")
    core.feed([records.rule("pairs", _PAIRS), records.entity("host", at, type="nova.host")])
    for number in range(members):
        one = EntityRef("nova.instance", f"i-{number}")
        given = [
            records.entity(one.id, at, type="nova.instance"),
            records.relationship(host, "contains", one, at),
        ]
        core.feed(given)
    seconds = core.alarms("pairs", "nova.host", ["host"])[0]
    told = core.shard.counters()["expansions_cut"]
    found = sum(len(clause.matches) for clause in core.shard.engine.clauses)
    if (found < members * (members - 1)) != bool(told) or set(told) - {"pairs"}:
        raise ValueError(f"{found} of {members * (members - 1)} matches, and of what was cut is told {told}")
    return seconds, told.get("pairs", 0)


def _definitions(core: Core) -> list[str]:
    return [f"f\x1fRULE\x1f{name}" for name in core.shard.rules.rules]
