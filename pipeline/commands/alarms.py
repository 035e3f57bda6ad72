"""The active alarms, reported and deduced, the worst first; with --all also those that have cleared."""

from __future__ import annotations

import argparse
from typing import Any

from .. import settings
from ..console import tables
from ..console.source import source

SUMMARY = "the alarms that are, or were"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="also alarms that have cleared")
    parser.add_argument(
        "--shadow", action="store_true", help="instead, what rules in shadow mode would deduce now"
    )
    tables.configure(parser)


def run(args: argparse.Namespace) -> int:
    with source(settings.load(args)) as history:
        if args.shadow:
            return _shadow(history.get("/api/shadow"), args.json)
        found = history.get("/api/alarms", all="true" if args.all else None)
    if args.json:
        tables.show_json(found)
        return 0
    several = len({alarm["domain"] for alarm in found}) > 1
    columns = ["SEVERITY", "ALARM", "STATUS", "SINCE", "EPISODE", "RULE"]
    rows = [
        [
            alarm["operational_severity"] or alarm["severity"],
            alarm["key"],
            alarm["status"],
            tables.moment(alarm["since"]),
            alarm["episode"],
            alarm["rule"],
        ]
        for alarm in found
    ]
    if several:
        columns.append("DOMAIN")
        rows = [[*row, alarm["domain"]] for row, alarm in zip(rows, found, strict=True)]
    tables.show(tables.table(columns, rows) if found else "no alarms")
    return 0


def _shadow(found: list[dict[str, Any]], as_json: bool) -> int:
    if as_json:
        tables.show_json(found)
        return 0
    rows = [
        [
            one["rule"],
            one["deduces"],
            one["key"] or f"{one['source']} causes {one['target']}",
            one["operational_severity"] or one["state"],
            tables.moment(one["since"]),
        ]
        for one in found
    ]
    columns = ["RULE", "WOULD BE", "OF", "AS", "SINCE"]
    tables.show(tables.table(columns, rows) if found else "no rule in shadow mode deduces anything now")
    return 0
