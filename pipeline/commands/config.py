"""Prints the settings in force, each with where it comes from; secrets are masked."""

from __future__ import annotations

import argparse
import json
import sys

from .. import settings as configuration

SUMMARY = "the settings in force and where each comes from"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")
    configuration.add_arguments(parser, *configuration.NAMES)


def run(args: argparse.Namespace) -> int:
    rows = configuration.shown(configuration.load(args))
    if args.json:
        json.dump(
            {name: {"value": value, "origin": origin} for name, value, origin in rows}, sys.stdout, indent=2
        )
        print()
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table("setting", "value", "origin", box=None, pad_edge=False)
    for name, value, origin in rows:
        text = ", ".join(value) if isinstance(value, list) else str(value) if value is not None else ""
        table.add_row(name, text, origin)
    Console(soft_wrap=True).print(table)
    return 0
