"""Why an alarm is, or was, there: the rule as it held then, the match, the records that brought it about with
where they came from, and the chain down to what was reported. For a reported alarm: its reports.

With --why-not RULE ENTITY: why a rule that is live does not hold for an entity, or an active alarm: each
scenario's pattern walked from there, up to the first element that finds no partner, with what came near.
"""

from __future__ import annotations

import argparse

from .. import settings
from ..console import explaining, tables
from ..console.source import source
from ..errors import InvalidCall

SUMMARY = "why an alarm is there, or a rule does not hold"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "alarm", nargs="?", help="SOURCE/NAME@TYPE/ID or SOURCE#EXTERNAL_ID, as faultline alarms shows it"
    )
    parser.add_argument(
        "--why-not", nargs=2, metavar=("RULE", "ENTITY"), help="why RULE does not hold for ENTITY (TYPE/ID)"
    )
    parser.add_argument("--domain", help="where several domains have the alarm or entity")
    parser.add_argument(
        "--at", metavar="WHEN", help="the life of the alarm at that time, e.g. 2026-01-05T10:42:00Z"
    )
    parser.add_argument("--text", action="store_true", help="the rule's whole text as it held then")
    tables.configure(parser)


def run(args: argparse.Namespace) -> int:
    if (args.alarm is None) == (args.why_not is None):
        raise InvalidCall(
            "say which ALARM to explain, or --why-not RULE ENTITY; faultline alarms lists alarms"
        )
    if args.why_not is not None:
        return _why_not(args)
    with source(settings.load(args)) as history:
        found = history.get("/api/explain", alarm=args.alarm, domain=args.domain, at=args.at)
    if args.json:
        tables.show_json(found)
    else:
        tables.show(*explaining.explanation(found, whole=args.text))
    return 0


def _why_not(args: argparse.Namespace) -> int:
    rule, entity = args.why_not
    with source(settings.load(args)) as history:
        found = history.get("/api/why-not", rule=rule, entity=entity, domain=args.domain)
    if args.json:
        tables.show_json(found)
    else:
        tables.show(*explaining.why_not(found))
    return 0
