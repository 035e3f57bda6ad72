"""The root causes of an alarm, the likeliest first, with the path from each down to the alarm.

A root that explains more alarms is likelier; then the worse one, then the earlier one.
"""

from __future__ import annotations

import argparse

from .. import settings
from ..console import tables
from ..console.drawing import cause_tree
from ..console.source import source

SUMMARY = "the root cause of an alarm"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "alarm", help="SOURCE/NAME@TYPE/ID or SOURCE#EXTERNAL_ID, as faultline alarms shows it"
    )
    parser.add_argument("--domain", help="where several domains have the alarm")
    tables.configure(parser)


def run(args: argparse.Namespace) -> int:
    with source(settings.load(args)) as history:
        found = history.get("/api/rca", alarm=args.alarm, domain=args.domain)
    if args.json:
        tables.show_json(found)
    elif found["roots"]:
        tables.show(cause_tree(found))
    else:
        tables.show(cause_tree(found), "no cause is known: it is a root cause itself")
    return 0
