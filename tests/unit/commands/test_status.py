"""What ``faultline status`` shows of what nobody described and no mapping knows."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.commands.status import _tables
from pipeline.console import tables

STATUS: dict[str, Any] = {
    "roles": [],
    "lag": {},
    "records": {"read": 3},
    "rules": {"loaded": [], "error": []},
    "matches": {},
    "shadow": {},
    "executions": {},
    "placeholders": [{"key": "host/h", "alarms": ["mon/a@host/h", "mon/b@host/h"]}],
}


def role(number: int, unknown: dict[str, dict[str, int]]) -> dict[str, Any]:
    counters = {"unknown_values": unknown}
    head = {"role": "correlate", "instance": str(number), "pid": number, "age": 0.1, "alive": True}
    return {**head, "partitions": [number], "counters": counters}


def test_what_waits_and_what_is_not_understood_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    roles = [
        role(1, {"zabbix": {"HIGH": 2, "odd": 1}}),
        role(2, {"zabbix": {"HIGH": 3}, "host": {"weird": 4}}),
    ]
    tables.show(*_tables({**STATUS, "roles": roles}))
    shown = capsys.readouterr().out
    assert "mon/a@host/h, mon/b@host/h" in shown
    lines = shown.splitlines()
    head = next(number for number, line in enumerate(lines) if "WORD WITHOUT A VALUE" in line)
    assert [line.split() for line in lines[head + 1 : head + 4]] == [
        ["zabbix", "HIGH", "5"],
        ["host", "weird", "4"],
        ["zabbix", "odd", "1"],
    ]


def test_nothing_is_said_of_what_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    tables.show(*_tables({**STATUS, "roles": [role(1, {})], "placeholders": []}))
    shown = capsys.readouterr().out
    assert "WORD" not in shown
    assert "DESCRIBED" not in shown
