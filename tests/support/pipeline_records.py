"""Records for the whole pipeline: eight domains, hosts with instances, alarms, and what is no record."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from pipeline.codec import Codec
from pipeline.kafka import murmur2
from pipeline.times import rfc3339

Sent = tuple[str, str | None, bytes | None]

#: A host's alarm is one of each of its instances, and nothing else follows from it.
RULES = """\
metadata:
  version: 3
  type: standard
  name: host_down
entities:
  alarm: {category: ALARM, type: nagios, name: HOST_DOWN}
  host: {category: RESOURCE, type: nova.host}
  instance: {category: RESOURCE, type: nova.instance}
scenarios:
  - condition: alarm [on] host AND host [contains] instance
    actions:
      - raise_alarm:
          target: instance
          alarm_name: INSTANCE_DOWN
          severity: CRITICAL
          causing_alarm: alarm
"""

#: The alarm of no rule.
UNREAD = "FAN_SLOW"
READ = "HOST_DOWN"


def write_rules(directory: Path) -> Path:
    """Puts ``RULES`` into a directory of its own."""
    rules = directory / "rules"
    rules.mkdir()
    (rules / "host_down.yaml").write_text(RULES, encoding="utf-8")
    return rules


def domains(partitions: int, prefix: str = "site") -> list[str]:
    """One domain for each partition: names whose hashes cover all."""
    found: dict[int, str] = {}
    for number in count():
        name = f"{prefix}-{number}"
        found.setdefault(murmur2.partition(name, partitions), name)
        if len(found) == partitions:
            return [found[partition] for partition in sorted(found)]
    raise AssertionError("unreachable")


def entity(domain: str, kind: str, name: str, source: str = "nova", **attributes: Any) -> Sent:
    value = _record(f"t-{domain}-{kind}-{name}", source, domain) | {
        "op": "UPSERT",
        "entity": {
            "type": kind,
            "id": name,
            "name": name,
            "category": "RESOURCE",
            "state": "available",
            "attributes": attributes,
        },
    }
    return "topology.changes", domain, json.dumps(value).encode()


def contains(domain: str, host: str, instance: str) -> Sent:
    value = _record(f"t-{domain}-{host}-{instance}", "nova", domain) | {
        "op": "UPSERT",
        "relationship": {
            "source": {"type": "nova.host", "id": host},
            "type": "contains",
            "target": {"type": "nova.instance", "id": instance},
        },
    }
    return "topology.changes", domain, json.dumps(value).encode()


def alarm(domain: str, name: str, host: str, identity: str, status: str = "ACTIVE", **more: Any) -> Sent:
    value = _record(identity, "nagios", domain) | {
        "alarm": {
            "name": name,
            "severity": "WARNING",
            "status": status,
            "resource": {"type": "nova.host", "id": host},
            "attributes": {"rawtext": f"{name} on {host}", **more},
        }
    }
    return "alarms.raw", domain, json.dumps(value).encode()


def hosts(domain: str, number: int) -> Iterator[Sent]:
    """``number`` hosts, each with one instance."""
    for index in range(number):
        yield entity(domain, "nova.host", f"h{index}")
        yield entity(domain, "nova.instance", f"i{index}")
        yield contains(domain, f"h{index}", f"i{index}")


def malformed(index: int) -> tuple[str, Sent]:
    """A kind, and a record of that kind that no schema takes; ``index`` goes through all kinds."""
    kinds = list(MALFORMED)
    kind = kinds[index % len(kinds)]
    topic, make = MALFORMED[kind]
    good_alarm = json.loads(alarm("bad", UNREAD, f"h{index}", f"bad-{index}")[2] or b"")
    good_entity = json.loads(entity("bad", "nova.host", f"h{index}")[2] or b"")
    value = make(good_alarm if topic == "alarms.raw" else good_entity)
    return kind, (topic, f"bad-{index}", value)


def _record(identity: str, source: str, domain: str) -> dict[str, Any]:
    return {"id": identity, "time": rfc3339(time.time_ns() // 1000), "source": source, "domain": domain}


def _changed(path: str, new: Any) -> Any:
    def change(record: dict[str, Any]) -> bytes:
        *heads, last = path.split(".")
        place = record
        for head in heads:
            place = place[head]
        place[last] = new
        return json.dumps(record).encode()

    return change


def _without(path: str) -> Any:
    def change(record: dict[str, Any]) -> bytes:
        *heads, last = path.split(".")
        place = record
        for head in heads:
            place = place[head]
        del place[last]
        return json.dumps(record).encode()

    return change


_EDGE = {"source": {"type": "a", "id": "b"}, "type": "c", "target": {"type": "d", "id": "e"}}

#: Kind: the topic it goes to, and how it is made from a good record.
MALFORMED: dict[str, tuple[str, Any]] = {
    "not JSON": ("alarms.raw", lambda record: b"{'id': " + str(record["id"]).encode()),
    "cut off": ("alarms.raw", lambda record: json.dumps(record).encode()[:-20]),
    "not UTF-8": ("alarms.raw", lambda record: b'{"id": "\xff\xfe"}'),
    "no object": ("topology.changes", lambda record: json.dumps([record]).encode()),
    "null": ("alarms.raw", lambda record: None),
    "nothing": ("alarms.raw", lambda record: b""),
    "JSON null": ("topology.changes", lambda record: b"null"),
    "wrong type": ("alarms.raw", _changed("alarm.severity", 3)),
    "wrong type within": ("alarms.raw", _changed("alarm.resource", "host-1")),
    "unknown op": ("topology.changes", _changed("op", "MERGE")),
    "unknown status": ("alarms.raw", _changed("alarm.status", "MAYBE")),
    "missing id": ("alarms.raw", _without("id")),
    "missing alarm": ("alarms.raw", _without("alarm")),
    "neither": ("topology.changes", _without("entity")),
    "both": ("topology.changes", _changed("relationship", _EDGE)),
    "bad time": ("alarms.raw", _changed("time", "yesterday")),
    "time without zone": ("topology.changes", _changed("time", "2026-01-05T10:00:00")),
    "text of 900 kB": ("alarms.raw", lambda record: b"x" * 900_000),
    "Avro cut off": ("alarms.raw", lambda record: Codec().single_object("alarms.raw", record)[:-7]),
    "unknown fingerprint": ("alarms.raw", lambda record: b"\xc3\x01" + bytes(8) + b"rubbish"),
    "unknown schema id": ("topology.changes", lambda record: b"\x00\x00\x0f\x42\x3f" + b"rubbish"),
    "empty name": ("alarms.raw", _changed("alarm.name", "")),
    "nested too deep": (
        "alarms.raw",
        _changed("alarm.attributes", json.loads('{"a":' * 60 + "1" + "}" * 60)),
    ),
}
