"""Rules and value mappings of a running pipeline: put live, taken away, listed and shown.

A change takes effect at one point of each partition's order of records, recomputes what it
touches, and starts no workflow for what stood already.
"""

from __future__ import annotations

import argparse

from . import _definitions

SUMMARY = "add, remove, list and show rules on a running pipeline"
KINDS = ("RULE", "VALUES")


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of ``rules``."""
    _definitions.configure(parser, KINDS)


def run(args: argparse.Namespace) -> int:
    """0 when it is done and holds; 1 when a file is refused or it does not hold everywhere yet."""
    return _definitions.run(args, KINDS)
