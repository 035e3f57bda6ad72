"""What both engines are given: hosts of 20 instances each, templates, alarms, refreshes."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from pipeline.events import Alarm, Definition, Entity, EntityRef, Input, Mark, Origin, Relationship

ON_HOST = 20
MATCHING = "alarm of matching"
NOBODY = "nobody"
encode = msgspec.json.encode


def time(number: int, hour: int = 10) -> str:
    """The ``number``-th microsecond of an hour."""
    seconds, micros = divmod(number, 1_000_000)
    return f"2026-01-05T{hour:02d}:{seconds // 60:02d}:{seconds % 60:02d}.{micros:06d}Z"


def template(name: str) -> str:
    """One alarm on a host, read by both engines: on each of the host's instances it raises an alarm,
    sets a state and is named as the cause, and it sets the host's state: 61 changes."""
    return f"""
metadata: {{version: 3, name: {name}, type: standard}}
entities:
  alarm: {{category: ALARM, type: zabbix, name: alarm of {name}}}
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


def name_of(number: int) -> str:
    """The first template's alarms are sent, those of the others never come."""
    return "matching" if number == 0 else f"rule-{number}"


def rule(name: str, text: str) -> Input:
    """A definition of a rule."""
    return Input(f"d-{name}", time(0), time(0), definition=Definition("RULE", name, text))


def entity(id_: str, at: str, source: str = "nova", **fields: object) -> Input:
    """A report of an entity, with the ``type`` among its fields."""
    return Input(f"{id_}-{at}", at, at, source, entity=Entity(id=id_, **fields))  # type: ignore[arg-type]


def relationship(source: EntityRef, label: str, target: EntityRef, at: str) -> Input:
    """A report of a relationship."""
    edge = Relationship(source, label, target)
    return Input(f"{source.id}-{target.id}-{at}", at, at, "nova", relationship=edge)


def instance(number: int, at: str) -> tuple[Input, Input]:
    """An instance with five attributes, and its place on its host."""
    host = f"host-{number // ON_HOST}"
    values = {f"attribute_{nth}": f"{nth}-{number % 1000 if nth else number}" for nth in range(5)}
    name = f"vm-{number}"
    return (
        entity(name, at, type="nova.instance", name=name, state="ACTIVE", attributes=values),
        relationship(EntityRef("nova.host", host), "contains", EntityRef("nova.instance", name), at),
    )


def topology(instances: int) -> Iterator[Input]:
    """All hosts with their instances."""
    at = time(0)
    for number in range(instances):
        if number % ON_HOST == 0:
            host = f"host-{number // ON_HOST}"
            yield entity(host, at, type="nova.host", name=host, state="AVAILABLE")
        yield from instance(number, at)


def alarm(number: int, name: str, type_: str, id_: str, cleared: bool = False) -> Input:
    """The ``number``-th report of an alarm; numbers grow, and with them the time."""
    at = time(number, 11)
    report = Alarm(
        name,
        EntityRef(type_, id_),
        "CLEARED" if cleared else "ACTIVE",
        "WARNING",
        attributes={"rawtext": "x"},
    )
    return Input(f"a-{number}", at, at, "zabbix", origin=Origin("alarms.raw", "id", 0, number), alarm=report)


def mark(at: str) -> Input:
    """The clock at ``at``."""
    return Input(f"mark-{at}", at, at, mark=Mark({"alarms.raw:id:0": at}))
