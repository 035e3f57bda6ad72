"""Shows roles, lag per topic, counts, rules and executions; with --wait, once all that came in is processed.

--wait SECONDS returns 0 when every record that was in the inbound topics at the call, and all
that was derived from it, can be read from history; 1 at the time-out, naming the role that lags.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from .. import settings as configuration
from ..console import tables
from ..console.client import Client
from ..errors import FaultlineError, InvalidCall, NotRunning
from ..local import instance
from ..settings import Settings

SUMMARY = "roles, lag, counts, rules, executions"
PAUSE = 0.2
SHOWN = 20


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait", type=float, metavar="SECONDS", help="wait until everything is processed")
    tables.configure(parser)


def run(args: argparse.Namespace) -> int:
    settings = configuration.load(args)
    if args.wait is not None and args.wait < 0:
        raise InvalidCall("--wait is a number of seconds from 0")
    status = _asked(settings, args.wait)
    if args.json:
        tables.show_json(status)
    else:
        tables.show(*_tables(status))
    if args.wait is not None and not status["settled"]:
        print(
            f"not settled after {args.wait:g} s: {status['lagging']} lags: {status['detail']}",
            file=sys.stderr,
        )
        return 1
    return 0


def _asked(settings: Settings, wait: float | None) -> dict[str, Any]:
    """The API's answer; asked again until ``wait`` is over while history or Kafka comes back."""
    end = time.monotonic() + (wait or 0)
    while True:
        # Found anew each time: what is gone must not be waited for.
        found = instance.find(settings)
        left = max(0.0, end - time.monotonic())
        try:
            client = Client(found.api, found.token)
            answer: dict[str, Any] = client.get(
                "/api/status", patience=left + 30, wait=f"{left:.3f}" if wait is not None else None
            )
            return answer
        except InvalidCall:
            raise
        except FaultlineError as error:
            if wait is None:
                raise
            if time.monotonic() >= end:
                raise NotRunning(f"not settled after {wait:g} s: history lags: {error}") from None
            time.sleep(PAUSE)


def _tables(status: dict[str, Any]) -> list[Any]:
    records = status["records"]
    shown: list[Any] = [
        tables.table(
            ["ROLE", "INSTANCE", "PID", "HEARD", "PARTITIONS", "COUNTS"],
            [
                [
                    role["role"],
                    role["instance"],
                    role["pid"],
                    f"{role['age']:.1f} s ago" + ("" if role["alive"] else ": SILENT"),
                    len(role["partitions"]),
                    _counts(role.get("counters", {})),
                ]
                for role in status["roles"]
            ],
        ),
        tables.table(
            ["TOPIC", "READ BY", "RECORDS", "LAG"],
            [[topic, lag["role"], lag["end"], lag["lag"]] for topic, lag in status["lag"].items()],
        ),
        "records: " + ", ".join(f"{count} {name.replace('_', '-')}" for name, count in records.items()),
    ]
    matches = status["matches"]
    shadow = status["shadow"]
    rules = [
        [name, "shadow" if name in shadow else "loaded", matches.get(name, 0), ""]
        for name in status["rules"]["loaded"]
    ]
    rules += [[rule["name"], "ERROR", "", rule["reason"]] for rule in status["rules"]["error"]]
    shown.append(tables.table(["RULE", "STATE", "MATCHES", "REASON"], rules) if rules else "no rules")
    if status["executions"]:
        text = ", ".join(f"{count} {state}" for state, count in status["executions"].items())
        shown.append(f"executions: {text}")
    if placeholders := status["placeholders"]:
        rows = [[item["key"], ", ".join(item["alarms"])] for item in placeholders[:SHOWN]]
        shown.append(tables.table(["NOT DESCRIBED YET", "ALARMS WAITING"], rows))
        if len(placeholders) > SHOWN:
            shown.append(f"and {len(placeholders) - SHOWN} more (--json lists them)")
    if unknown := _unknown(status["roles"]):
        shown.append(tables.table(["TYPE OR SOURCE", "WORD WITHOUT A VALUE", "TIMES"], unknown[:SHOWN]))
        if len(unknown) > SHOWN:
            shown.append(f"and {len(unknown) - SHOWN} more (--json lists them)")
    return shown


def _unknown(roles: list[dict[str, Any]]) -> list[list[Any]]:
    """The states and severities that no value mapping knows, by how often they came."""
    found: dict[tuple[str, str], int] = {}
    for role in roles:
        for type_, words in role.get("counters", {}).get("unknown_values", {}).items():
            for word, times in words.items():
                found[type_, word] = found.get((type_, word), 0) + times
    return [[*key, times] for key, times in sorted(found.items(), key=lambda each: (-each[1], each[0]))]


def _counts(counters: dict[str, Any]) -> str:
    """The plain numbers that are not nought."""
    plain = (item for item in counters.items() if isinstance(item[1], int) and item[1])
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in plain)
