"""The entities as a tree of what contains what, with their states and active alarms."""

from __future__ import annotations

import argparse

from .. import settings
from ..console import tables
from ..console.drawing import topology_tree
from ..console.source import source

SUMMARY = "the entities and how they hang together"


def configure(parser: argparse.ArgumentParser) -> None:
    tables.configure(parser)


def run(args: argparse.Namespace) -> int:
    with source(settings.load(args)) as history:
        found = history.get("/api/topology")
    if args.json:
        tables.show_json(found)
    else:
        tables.show(topology_tree(found))
    return 0
