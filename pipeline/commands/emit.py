"""Sends JSON lines to a topic. Each line is checked first; if one is bad, nothing is sent."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .. import checks
from .. import settings as configuration
from ..codec import Codec
from ..errors import InvalidCall, InvalidRecord
from . import records

SUMMARY = "send JSON lines to a topic, checked first"
#: What Kafka takes of one record with its headers, unless a topic says otherwise.
LARGEST = 1_048_588 - 2_048


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("topic", metavar="TOPIC", help="such as alarms.raw or topology.changes")
    parser.add_argument("file", metavar="FILE", nargs="?", default="-", help="JSON lines (default -: stdin)")
    configuration.add_arguments(parser, "data", "api", "kafka")


def run(args: argparse.Namespace) -> int:
    codec = Codec()
    if args.topic not in codec.topics:
        raise InvalidCall(f"{args.topic} has no schema; topics that have: {', '.join(codec.topics)}")
    lines = read(args.file)
    checked, problems = check(codec, args.topic, lines)
    if problems:
        name = "line" if args.file == "-" else args.file
        for number, error in problems:
            place = f"{name} {number}" if args.file == "-" else f"{name}:{number}"
            print(f"{place}: {error.reason}: {error}", file=sys.stderr)
        count = len(problems) + len(checked)
        print(f"{len(problems)} of {count} lines are bad; nothing was sent", file=sys.stderr)
        return 1
    if checked:
        records.send(records.bootstrap(configuration.load(args)), checked)
    print(f"{len(checked)} records sent to {args.topic}", file=sys.stderr)
    return 0


def read(file: str) -> list[bytes]:
    """The lines of ``file``. Raises ``InvalidCall`` when it cannot be read."""
    try:
        return (sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()).split(b"\n")
    except OSError as error:
        raise InvalidCall(f"{file} cannot be read: {error.strerror}") from error


def check(
    codec: Codec, topic: str, lines: list[bytes]
) -> tuple[list[records.Record], list[tuple[int, InvalidRecord]]]:
    """The records of the good lines, and the bad lines by number with what is wrong. Empty lines pass."""
    good: list[records.Record] = []
    bad: list[tuple[int, InvalidRecord]] = []
    for number, line in enumerate(lines, 1):
        value = line.strip()
        if not value:
            continue
        try:
            record = checks.parse(value)
            codec.check(topic, record)
            if len(value) > LARGEST:
                raise InvalidRecord("too-large", f"expected at most {LARGEST} bytes, got {len(value)}")
            key, headers = records.key_of(topic, record), records.headers_of(topic, record)
            good.append(records.Record(topic, key, value, headers))
        except InvalidRecord as error:
            bad.append((number, error))
    return good, bad
