"""Playbooks of a running pipeline: put live, taken away, listed and shown.

Beside playbooks, documents of triggers and environments are taken too. An execution that runs
goes on with the definition it began with.
"""

from __future__ import annotations

import argparse

from . import _definitions

SUMMARY = "add, remove, list and show playbooks on a running pipeline"
KINDS = ("WORKFLOW", "TRIGGER", "ENVIRONMENT")


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of ``workflows``."""
    _definitions.configure(parser, KINDS)


def run(args: argparse.Namespace) -> int:
    """0 when it is done and holds; 1 when a file is refused or it does not hold everywhere yet."""
    return _definitions.run(args, KINDS)
