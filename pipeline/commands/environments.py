"""Environments of a running pipeline, which a start names: put live, taken away, listed and shown."""

from __future__ import annotations

import argparse

from . import _definitions

SUMMARY = "add, remove, list and show environments on a running pipeline"
KINDS = ("ENVIRONMENT",)


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of ``environments``."""
    _definitions.configure(parser, KINDS)


def run(args: argparse.Namespace) -> int:
    """0 when it is done and holds; 1 when a file is refused or it does not hold everywhere yet."""
    return _definitions.run(args, KINDS)
