"""What a fault of an entity brings about, the worst hit first.

Entities are reached along relationships, and along the causes that rules drew between alarms.
Each has its alarms and the way there.
"""

from __future__ import annotations

import argparse

from .. import settings
from ..console import tables
from ..console.drawing import impact_tree
from ..console.source import source

SUMMARY = "what depends on an entity"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("entity", help="TYPE/ID, as faultline topology shows it")
    parser.add_argument("--ended", "--all", action="store_true", help="also alarms that have cleared")
    parser.add_argument("--domain", help="where several domains have the entity")
    tables.configure(parser)


def run(args: argparse.Namespace) -> int:
    with source(settings.load(args)) as history:
        found = history.get(
            "/api/impact", entity=args.entity, domain=args.domain, ended="true" if args.ended else None
        )
    if args.json:
        tables.show_json(found)
    else:
        tables.show(impact_tree(found))
    return 0
