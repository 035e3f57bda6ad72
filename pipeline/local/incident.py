"""The demo's incident: what the monitored world is, what fails in it, and what must come of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Record = tuple[str, dict[str, Any]]

ALARM_SOURCE = "zabbix"
ALARM_NAME = "Public network port down"
ALARM_TYPE = "nova.host"
DEDUCED = "Instance cut off from the public network"


@dataclass(frozen=True, slots=True)
class Instance:
    """A server of the demo cloud; ``migrate`` is the attribute that lets a rule move it."""

    id: str
    host: str
    migrate: str | None = None
    answers: bool = True


ZONES: dict[str, tuple[str, ...]] = {"zone-1": ("host-1", "host-2"), "zone-2": ("host-3", "host-4")}
HOSTS = tuple(host for hosts in ZONES.values() for host in hosts)
INSTANCES = (
    Instance("vm-1", "host-1", migrate="auto"),
    Instance("vm-2", "host-1"),
    # The second fault: this one will not answer where it is taken.
    Instance("vm-3", "host-3", migrate="auto", answers=False),
)
FIRST_FAULT = "host-1"
SECOND_FAULT = "host-3"


def cloud_seed(domain: str) -> dict[str, Any]:
    """What the demo cloud is told at its start: its hosts and servers, and nothing of what will happen."""
    servers = [{"id": one.id, "name": one.id, "host": one.host, "answers": one.answers} for one in INSTANCES]
    return {"domain": domain, "hosts": list(HOSTS), "servers": servers}


def topology(domain: str, time: str) -> Iterator[Record]:
    """The records that describe the world before anything fails."""

    def change(number: str, **what: Any) -> Record:
        record = {
            "id": f"{domain}-{number}",
            "time": time,
            "source": "nova",
            "domain": domain,
            "op": "UPSERT",
        }
        return "topology.changes", {**record, **what}

    for zone, hosts in ZONES.items():
        yield change(zone, entity={"type": "nova.zone", "id": zone, "name": zone, "state": "available"})
        for host in hosts:
            yield change(host, entity={"type": "nova.host", "id": host, "name": host, "state": "available"})
            yield change(f"{zone}-{host}", relationship=contains("nova.zone", zone, "nova.host", host))
    for one in INSTANCES:
        attributes = {"host": one.host} | ({"migrate": one.migrate} if one.migrate else {})
        entity = {"type": "nova.instance", "id": one.id, "name": one.id, "state": "ACTIVE"}
        yield change(one.id, entity={**entity, "attributes": attributes})
        yield change(
            f"{one.host}-{one.id}", relationship=contains("nova.host", one.host, "nova.instance", one.id)
        )


def fault(domain: str, host: str, time: str) -> Record:
    """The alarm by which monitoring reports that the public network port of ``host`` has failed."""
    alarm = {
        "name": ALARM_NAME,
        "severity": "CRITICAL",
        "status": "ACTIVE",
        "resource": {"type": ALARM_TYPE, "id": host},
        "attributes": {"rawtext": f"link of the public port of {host} is down"},
    }
    identity = f"{domain}-fault-{host}"
    return "alarms.raw", {
        "id": identity,
        "time": time,
        "source": ALARM_SOURCE,
        "domain": domain,
        "alarm": alarm,
    }


def contains(source_type: str, source: str, target_type: str, target: str) -> dict[str, Any]:
    """A relationship ``source -contains-> target``."""
    return {
        "source": {"type": source_type, "id": source},
        "type": "contains",
        "target": {"type": target_type, "id": target},
    }


def observed_key(host: str) -> str:
    """The key of the alarm that monitoring reports on ``host``."""
    return f"{ALARM_SOURCE}/{ALARM_NAME}@{ALARM_TYPE}/{host}"


def deduced_key(instance: str) -> str:
    """The key of the alarm that the shipped rule deduces on ``instance``."""
    return f"vitrage/{DEDUCED}@nova.instance/{instance}"
