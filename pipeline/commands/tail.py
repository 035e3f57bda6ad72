"""Prints the records of a topic, decoded, one JSON line each, until Ctrl-C."""

from __future__ import annotations

import argparse
import base64
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from .. import settings as configuration
from .. import times
from ..codec import Codec
from ..errors import BrokerUnavailable, InvalidCall, InvalidRecord
from . import records

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message, TopicPartition

SUMMARY = "print the records of a topic"
DEAD_LETTERS = "dead.letters"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("topic", metavar="TOPIC", help="any topic, such as alarms.deduced")
    parser.add_argument(
        "--from",
        dest="start",
        metavar="WHEN",
        default="end",
        help="beginning, end (default), an offset, or a time such as 2026-01-05T10:00:00Z",
    )
    parser.add_argument("--count", type=int, metavar="N", help="stop after N records")
    parser.add_argument("--until-end", action="store_true", help="stop at what is now the end")
    parser.add_argument(
        "--full", action="store_true", help="each record with its partition, offset, time, key and headers"
    )
    configuration.add_arguments(parser, "data", "api", "kafka", "registry")


def run(args: argparse.Namespace) -> int:
    settings = configuration.load(args)
    start = parse_start(args.start)
    codec = records.codec(settings)
    left = args.count
    try:
        for message in follow(records.bootstrap(settings), args.topic, start, args.until_end):
            if left is not None and left <= 0:
                break
            sys.stdout.buffer.write(line(codec, message, args.full) + b"\n")
            sys.stdout.buffer.flush()
            if left is not None:
                left -= 1
                if not left:
                    break
    except KeyboardInterrupt:
        pass
    return 0


def parse_start(text: str) -> int | str:
    """Where to begin: ``beginning``, ``end``, an offset, or microseconds as ``@MICROS``.

    Raises ``InvalidCall``.
    """
    if text in ("beginning", "end"):
        return text
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        return f"@{times.micros(times.normalize(text))}"
    except (ValueError, OverflowError) as error:
        raise InvalidCall(f"--from: expected beginning, end, an offset or a time: {error}") from error


def follow(kafka: str, topic: str, start: int | str, until_end: bool) -> Iterator[Message]:
    """The records of ``topic`` as they come. Raises ``InvalidCall``, ``BrokerUnavailable``."""
    from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

    from ..kafka import client

    places = [TopicPartition(topic, number) for number in records.partitions(kafka, topic)]
    consumer = Consumer({**client.reader(kafka, "faultline-tail"), "enable.partition.eof": True})
    try:
        try:
            ends = {
                each.partition: consumer.get_watermark_offsets(each, timeout=records.TIMEOUT)[1]
                for each in places
            }
            begin(consumer, places, ends, start)
        except KafkaException as error:
            raise BrokerUnavailable(f"{topic} cannot be read: {error.args[0].str()}") from error
        left = {number for number, end in ends.items() if end > 0}
        while left or not until_end:
            for message in consumer.consume(500, 0.1):
                problem = message.error()
                number = message.partition()
                if problem is None:
                    if until_end and message.offset() >= ends[number]:
                        continue
                    yield message
                    if message.offset() + 1 >= ends[number]:
                        left.discard(number)
                elif problem.code() == KafkaError._PARTITION_EOF:
                    left.discard(number)
                elif problem.fatal() or not problem.retriable():
                    print(f"faultline tail: {problem.str()}", file=sys.stderr)
    finally:
        consumer.close()


def begin(consumer: Consumer, places: list[TopicPartition], ends: dict[int, int], start: int | str) -> None:
    """Assigns ``places`` to ``consumer`` at ``start``."""
    from confluent_kafka import OFFSET_BEGINNING

    if isinstance(start, str) and start.startswith("@"):
        for each in places:
            # Rounded up: a record of that very millisecond before the asked time is not wanted.
            each.offset = -(-int(start[1:]) // 1000)
        places = consumer.offsets_for_times(places, timeout=records.TIMEOUT)
        for each in places:
            # No record is that late: begin behind the last.
            each.offset = each.offset if each.offset >= 0 else ends[each.partition]
    else:
        for each in places:
            if start == "end":
                each.offset = ends[each.partition]
            elif start == "beginning":
                each.offset = OFFSET_BEGINNING
            else:
                each.offset = min(int(start), ends[each.partition])
    consumer.assign(places)


def line(codec: Codec, message: Message, full: bool) -> bytes:
    """One record as a JSON line."""
    value = decoded(codec, message)
    if not full:
        return msgspec.json.encode(value)
    headers = {name: text.decode("utf-8", "replace") for name, text in message.headers() or () if text}
    whole = {
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "time": times.rfc3339(max(0, message.timestamp()[1]) * 1000),
        "key": None if message.key() is None else message.key().decode("utf-8", "replace"),
        "headers": headers,
        "value": value,
    }
    return msgspec.json.encode(whole)


def decoded(codec: Codec, message: Message) -> Any:
    """A record's value; of a dead letter, and of what cannot be decoded, why and the bytes."""
    value = message.value()
    if message.topic() == DEAD_LETTERS:
        headers = {name: text.decode("utf-8", "replace") for name, text in message.headers() or () if text}
        return {**headers, **printable(value)}
    if value is None:
        return None
    try:
        return codec.decode(value)
    except InvalidRecord as error:
        place = {"partition": message.partition(), "offset": message.offset()}
        return {"unreadable": error.reason, "error": str(error), **place, **printable(value)}


def printable(value: bytes | None) -> dict[str, str | None]:
    """Bytes as text, or in base64 where they are none."""
    if value is None:
        return {"value": None}
    try:
        return {"value": value.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}
