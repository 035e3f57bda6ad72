"""Writes the history of an incident into a data directory: ``story.py DIRECTORY``.

A rule chains two deductions and sets a state that another rule reads; its text is changed
later on, and one of the faults clears before that. A process of its own, because one can open the files of
one directory only.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

from support.lab import Lab, moment

from pipeline.events import Output
from pipeline.history.database import local, migrate
from pipeline.history.rows import MAPPERS, Place, empty
from pipeline.history.writer import Writer
from pipeline.times import micros

FIRST = """\
metadata: {version: 3, name: hosts}
entities:
  down: {category: ALARM, type: nagios, name: DOWN}
  host: {category: RESOURCE, type: nova.host}
  vm: {category: RESOURCE, type: nova.instance}
  cut_off: {category: ALARM, type: vitrage, name: cut off}
scenarios:
# a host takes its instances with it
- condition: down [on] host AND host [contains] vm
  actions:
  - raise_alarm: {target: vm, alarm_name: cut off, severity: CRITICAL, causing_alarm: down}
- condition: cut_off [on] vm
  actions:
  - raise_alarm: {target: vm, alarm_name: app down, severity: WARNING, causing_alarm: cut_off}
- condition: down [on] host
  actions:
  - set_state: {target: host, state: ERROR}
"""
SECOND = FIRST.replace("DOWN}", "DOWN, severity: CRITICAL}")
BROKEN = """\
metadata: {version: 3, name: broken_hosts}
entities:
  broken: {category: RESOURCE, type: nova.host, vitrage_aggregated_state: ERROR}
scenarios:
- condition: broken
  actions:
  - raise_alarm: {target: broken, alarm_name: host is broken, severity: SEVERE}
"""


class Story:
    """Plays records to correlation and puts what it says into the tables."""

    def __init__(self, directory: Path) -> None:
        self.lab = Lab()
        self.client = local(directory).client()
        migrate(self.client)
        self.writer = Writer(self.client)
        self.offsets: dict[str, itertools.count[int]] = {}
        self.rows = empty()

    def keep(self, topic: str, value: Any, time: str) -> int:
        offset = next(self.offsets.setdefault(topic, itertools.count()))
        place = Place(topic, f"id of {topic}", 0, offset, 0, micros(time))
        MAPPERS[topic](place, b"", json.dumps(value).encode(), [], self.rows)
        return offset

    def say(self, topic: str, **record: Any) -> None:
        """One inbound record, with everything that follows from it."""
        time = moment(self.lab.position + 1)
        if topic == "definitions.changes":
            offset = self.keep(topic, {"id": "d", "time": time, "op": "UPSERT", **record}, time)
        else:
            offset = next(self.offsets.setdefault(topic, itertools.count()))
        told: list[Output] = self.lab.send(origin=[topic, f"id of {topic}", 0, offset], **record)
        for output in told:
            if output.topic in MAPPERS:
                self.keep(output.topic, output.value, time)

    def rule(self, name: str, text: str) -> None:
        definition = {"kind": "RULE", "name": name, "text": text, "path": f"{name}.yaml"}
        self.say("definitions.changes", definition=definition)

    def entity(self, key: str, **more: Any) -> None:
        kind, _, identity = key.partition("/")
        self.say("topology.changes", entity={"type": kind, "id": identity, **more})

    def relate(self, source: str, label: str, target: str) -> None:
        ends = [dict(zip(("type", "id"), key.split("/", 1), strict=True)) for key in (source, target)]
        self.say("topology.changes", relationship={"source": ends[0], "type": label, "target": ends[1]})

    def alarm(
        self, name: str, on: str, severity: str, status: str = "ACTIVE", source: str = "nagios"
    ) -> None:
        kind, _, identity = on.partition("/")
        body = {
            "name": name,
            "severity": severity,
            "status": status,
            "resource": {"type": kind, "id": identity},
        }
        self.say("alarms.raw", source=source, alarm=body)

    def end(self) -> None:
        self.writer.write(self.rows, "story")
        self.client.close()


def main(directory: Path) -> None:
    story = Story(directory)
    story.rule("hosts", FIRST)
    story.rule("broken_hosts", BROKEN)
    for key in (
        "nova.zone/z",
        "switch/s",
        "nova.host/h",
        "nova.host/calm",
        "nova.instance/v",
        "nova.instance/w",
    ):
        story.entity(key, state="available")
    story.relate("nova.zone/z", "contains", "nova.host/h")
    story.relate("nova.zone/z", "contains", "nova.host/calm")
    story.relate("switch/s", "attached", "nova.host/h")
    story.relate("nova.host/h", "contains", "nova.instance/v")
    story.relate("nova.host/h", "contains", "nova.instance/w")
    story.relate("heat.stack/shop", "comprised", "nova.instance/w")
    story.entity("heat.stack/shop")
    story.alarm("FAN", "switch/s", "WARNING", source="snmp")
    story.alarm("DOWN", "nova.host/h", "MAJOR")
    story.alarm("DOWN", "nova.host/h", "MAJOR")
    story.alarm("DOWN", "nova.host/h", "CRITICAL")
    story.say(
        "topology.changes", op="DELETE",
        relationship={"source": {"type": "nova.host", "id": "h"}, "type": "contains",
                      "target": {"type": "nova.instance", "id": "v"}},
    )  # fmt: skip
    story.rule("hosts", SECOND)
    story.end()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
