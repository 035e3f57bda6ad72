"""Query history with ClickHouse's SQL. Tables and views are in database faultline; nothing can be changed.

With --json the answer is one array of objects, one for each row.
"""

from __future__ import annotations

import argparse

from .. import settings
from ..console import tables
from ..console.source import source

SUMMARY = "query history"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "query", help="for instance: SELECT key, since FROM alarms_now WHERE status = 'ACTIVE'"
    )
    tables.configure(parser)


def run(args: argparse.Namespace) -> int:
    with source(settings.load(args)) as history:
        found = history.sql(args.query)
    names = [column["name"] for column in found["columns"]]
    if args.json:
        tables.show_json(found["rows"])
    else:
        tables.show(tables.table(names, [[row[name] for name in names] for row in found["rows"]]))
    return 0
