"""Lists what could not be read or applied, shows one of it, sends it again, mended or as it is."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from .. import checks, times
from .. import settings as configuration
from ..codec import Codec
from ..errors import InvalidCall, InvalidRecord
from ..events import Input
from . import records, tail

if TYPE_CHECKING:
    from ..kafka.deadletter import DeadLetter

SUMMARY = "what could not be read or applied"
LONGEST = 100


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        metavar="list|show|resend",
        nargs="?",
        default="list",
        choices=("list", "show", "resend"),
        help="list them (the default), print one whole, or send one to where it was meant to go",
    )
    parser.add_argument("id", metavar="ID", nargs="?", help="of show and resend: as list prints it")
    parser.add_argument("--value", metavar="FILE", help="resend this instead of the original (- : stdin)")
    parser.add_argument("--reason", metavar="REASON", help="list only those of this reason")
    parser.add_argument("--topic", metavar="TOPIC", help="list only those from this topic")
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    configuration.add_arguments(parser, "data", "api", "kafka", "registry")


def run(args: argparse.Namespace) -> int:
    if (args.id is None) is not (args.action == "list"):
        raise InvalidCall("list takes no ID; show and resend take the one that list prints")
    settings = configuration.load(args)
    kafka = records.bootstrap(settings)
    if args.action == "list":
        found = [
            (identity, letter)
            for identity, letter in letters(kafka, "beginning")
            if args.reason in (None, letter.reason) and args.topic in (None, letter.topic)
        ]
        show_list(found, args.json)
        return 0
    letter = one(kafka, args.id)
    if args.action == "show":
        print(msgspec.json.format(msgspec.json.encode(shown(args.id, letter)), indent=2).decode())
        return 0
    value = letter.value if args.value is None else replacement(args.value)
    records.send(kafka, [again(records.codec(settings), args.id, letter, value)])
    print(f"{args.id} sent to {letter.topic}", file=sys.stderr)
    return 0


def letters(kafka: str, start: int | str) -> Iterator[tuple[str, DeadLetter]]:
    """The dead letters with their ids, up to the present end."""
    from ..kafka import deadletter

    for message in tail.follow(kafka, deadletter.DEAD_LETTERS, start, until_end=True):
        try:
            letter = deadletter.read(message.value(), message.key(), message.headers() or [])
        except InvalidRecord:
            # Not one of ours; there is nothing to say about it.
            continue
        yield f"{message.partition()}-{message.offset()}", letter


def one(kafka: str, identity: str) -> DeadLetter:
    """The dead letter of that id. Raises ``InvalidCall`` when there is none."""
    match = re.fullmatch(r"[0-9]+-([0-9]+)", identity)
    if match is None:
        raise InvalidCall(f"{identity!r} is no id of a dead letter, PARTITION-OFFSET as list prints it")
    for found, letter in letters(kafka, int(match[1])):
        if found == identity:
            return letter
    raise InvalidCall(f"there is no dead letter {identity}; see faultline dead-letters list")


def replacement(file: str) -> bytes:
    """The bytes of ``file``, or of standard input."""
    try:
        return (sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()).strip()
    except OSError as error:
        raise InvalidCall(f"{file} cannot be read: {error.strerror}") from error


def again(codec: Codec, identity: str, letter: DeadLetter, value: bytes | None) -> records.Record:
    """The record to send. Raises ``InvalidRecord`` when it would only be set aside again."""
    topic, key = letter.topic, letter.key
    if topic in checks.INBOUND:
        if not (value is None and topic == checks.DEFINITIONS):
            codec.read(topic, value, times.rfc3339(0))
        if topic == checks.DEFINITIONS and value is not None:
            key = (records.key_of(topic, codec.decode(value)) or "").encode()
    elif value is not None:
        if topic == "graph.input":
            key, value = _log_record(value)
        else:
            key = key or (records.key_of(topic, codec.decode(value)) or "").encode() or None
    return records.Record(topic, key, value, [("resent-from", identity.encode())])


def _log_record(value: bytes) -> tuple[bytes, bytes]:
    """A record of the log without its origin: by that it would be taken for one that was read before."""
    try:
        record = msgspec.json.decode(value, type=Input)
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidRecord("bad-record", f"not a record of the log: {error}") from error
    return record.domain.encode(), msgspec.json.encode(msgspec.structs.replace(record, origin=None))


def shown(identity: str, letter: DeadLetter) -> dict[str, Any]:
    """A dead letter for reading."""
    return {
        "id": identity,
        "time": letter.time,
        "reason": letter.reason,
        "error": letter.error,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "key": None if letter.key is None else letter.key.decode("utf-8", "replace"),
        **tail.printable(letter.value),
    }


def show_list(found: list[tuple[str, DeadLetter]], as_json: bool) -> None:
    """Prints them, the oldest first."""
    found.sort(key=lambda pair: pair[1].time)
    if as_json:
        for identity, letter in found:
            print(msgspec.json.encode(shown(identity, letter)).decode())
        return
    for identity, letter in found:
        place = f"{letter.topic}[{letter.partition}]@{letter.offset}"
        print(f"{identity:<9} {letter.time:<27} {letter.reason:<14} {place:<28} {letter.error[:LONGEST]}")
    print(f"{len(found)} dead letters", file=sys.stderr)
