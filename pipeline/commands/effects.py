"""Lets executors take work, or not. While effects are off nothing new begins, what runs may end, and
nothing is lost: what was asked for waits and begins when effects are on again."""

from __future__ import annotations

import argparse

from . import _sending

SUMMARY = "let executors take work, or not"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("effects", choices=["on", "off"])
    _sending.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    _sending.control(args, "effects", args.effects)
    print(f"effects are {args.effects}")
    return 0
