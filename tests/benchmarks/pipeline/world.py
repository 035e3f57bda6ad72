"""What the benchmarks play on: hosts over eight domains, twenty rules, and alarms that differ."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from support.pipeline_records import Sent, alarm, entity

NAMES = 20

_HEAD = """\
metadata: {version: 3, type: standard, name: bench}
entities:
  host: {category: RESOURCE, type: nova.host}
"""


def write_rules(directory: Path) -> Path:
    """Twenty rules: each makes one deduced alarm of one alarm."""
    entities = [f"  a{n}: {{category: ALARM, type: nagios, name: READ {n}}}\n" for n in range(NAMES)]
    rules = [
        f"  - condition: a{n} [on] host\n"
        f"    actions:\n"
        f"      - raise_alarm: {{target: host, alarm_name: DEDUCED {n}, severity: CRITICAL}}\n"
        for n in range(NAMES)
    ]
    place = directory / "rules"
    place.mkdir()
    (place / "bench.yaml").write_text("".join([_HEAD, *entities, "scenarios:\n", *rules]), encoding="utf-8")
    return place


def hosts(domains: list[str], number: int, prefix: str = "h") -> Iterator[Sent]:
    """``number`` hosts spread over ``domains``."""
    for index in range(number):
        domain = domains[index % len(domains)]
        yield entity(domain, "nova.host", f"{prefix}{index}", rack=f"r{index % 40}", zone="z1")


def alarms(domains: list[str], number: int, kind: str, of: int, prefix: str = "h") -> Iterator[Sent]:
    """``number`` different alarms on ``of`` hosts; ``kind`` READ is read by rules, any other by none."""
    if number > of * NAMES:
        raise ValueError(f"{of} hosts have {of * NAMES} different alarms, not {number}")
    for index in range(number):
        host, name = index % of, index // of
        domain = domains[host % len(domains)]
        yield alarm(domain, f"{kind} {name}", f"{prefix}{host}", f"{kind}-{prefix}-{index}")
