"""What depends on an entity: entities reached along relationships, and alarms there or caused from there."""

from __future__ import annotations

import argparse

from .. import settings
from ..console import tables
from ..console.drawing import alarm_line, entity_line
from ..console.source import source

SUMMARY = "what depends on an entity"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("entity", help="TYPE/ID, as faultline topology shows it")
    parser.add_argument("--domain", help="where several domains have the entity")
    tables.configure(parser)


def run(args: argparse.Namespace) -> int:
    with source(settings.load(args)) as history:
        found = history.get("/api/impact", entity=args.entity, domain=args.domain)
    if args.json:
        tables.show_json(found)
        return 0
    tables.show(
        entity_line(found["entity"]),
        f"{len(found['entities'])} entities depend on it",
        *[entity_line(entity) for entity in found["entities"]],
        f"{len(found['alarms'])} active alarms there or caused from there",
        *[alarm_line(alarm, full=True) for alarm in found["alarms"]],
    )
    return 0
