"""The root causes of an alarm, the likeliest first, with the path from each down to the alarm.

What rules joined to the alarm comes first: a root that explains more alarms is likelier, then
the worse one, then the nearer in the topology, then the earlier. Then come alarms that no rule joined
to it, on what its entity depends on: those that were there before it, the nearest, the worst.
"""

from __future__ import annotations

import argparse
from typing import Any

from .. import settings
from ..console import tables
from ..console.drawing import cause_tree, suspect_tree
from ..console.source import source

SUMMARY = "the root cause of an alarm"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "alarm", help="SOURCE/NAME@TYPE/ID or SOURCE#EXTERNAL_ID, as faultline alarms shows it"
    )
    parser.add_argument(
        "--ended",
        "--all",
        action="store_true",
        help="also causes that stood while it did and have cleared since",
    )
    parser.add_argument("--domain", help="where several domains have the alarm")
    tables.configure(parser)


def run(args: argparse.Namespace) -> int:
    with source(settings.load(args)) as history:
        found = history.get(
            "/api/rca", alarm=args.alarm, domain=args.domain, ended="true" if args.ended else None
        )
    if args.json:
        tables.show_json(found)
        return 0
    shown: list[Any] = [cause_tree(found)]
    if not found["roots"]:
        shown.append(
            "no rule knows a cause of it"
            if found["suspects"]
            else "no cause is known: it is a root cause itself"
        )
    if found["suspects"]:
        shown += ["", suspect_tree(found)]
    tables.show(*shown)
    return 0
