"""What happened to an entity, an alarm, an execution, a rule or a playbook, in order."""

from __future__ import annotations

import argparse

from .. import settings
from ..console import tables
from ..console.source import source

SUMMARY = "what happened to one thing"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "key",
        help="TYPE/ID, SOURCE/NAME@TYPE/ID, SOURCE#EXTERNAL_ID, the id of an execution,"
        " or the name of a rule or playbook",
    )
    parser.add_argument(
        "--limit", type=int, default=200, metavar="N", help="the latest N events (default 200)"
    )
    tables.configure(parser)


def run(args: argparse.Namespace) -> int:
    with source(settings.load(args)) as history:
        found = history.get("/api/history", key=args.key, limit=args.limit)
    if args.json:
        tables.show_json(found)
        return 0
    rows = [[event["event_time"], event["what"], event["detail"], event["domain"]] for event in found]
    tables.show(tables.table(["TIME", "WHAT", "DETAIL", "DOMAIN"], rows))
    return 0
