"""Ingest against a real broker: nothing lost, nothing reordered, nothing that stops it."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from support import inbound

from pipeline.codec import Codec
from pipeline.events import Input, Origin
from pipeline.kafka.deadletter import read as read_letter
from pipeline.kafka.murmur2 import partition
from pipeline.local.broker import Broker
from pipeline.local.broker import start as start_broker

Start = Callable[..., subprocess.Popen[bytes]]

GOOD, BAD = 10_000, 1_000


def malformed(number: int) -> tuple[str, bytes | None, str]:
    """One of the kinds of bad records: topic, value, and the reason that it must get."""
    alarm = inbound.alarm(number)
    body = alarm["alarm"]
    entity = {**alarm, "op": "UPSERT", "entity": {"type": "t", "id": "1"}}
    del entity["alarm"]
    edge = {"source": {"type": "t", "id": "1"}, "type": "on", "target": {"type": "t", "id": "2"}}
    single = Codec().single_object("alarms.raw", alarm)
    kinds: list[tuple[str, Any, str]] = [
        ("alarms.raw", b"not json at all", "not-json"),
        ("alarms.raw", {**alarm, "alarm": {**body, "name": 7}}, "bad-type"),
        ("topology.changes", {**entity, "op": "MERGE"}, "bad-op"),
        ("alarms.raw", {**alarm, "id": None}, "missing-field"),
        ("topology.changes", {**entity, "relationship": edge}, "both-of"),
        ("topology.changes", {**entity, "entity": None}, "neither-of"),
        ("alarms.raw", {**alarm, "time": "half past ten"}, "bad-time"),
        ("alarms.raw", None, "null"),
        ("alarms.raw", single[:-3], "bad-avro"),
        ("alarms.raw", b"\x00\x00\x00\x02\x9a" + single[10:], "unknown-schema"),
        ("topology.changes", b"\xc3\x01\x01\x02\x03\x04\x05\x06\x07\x08", "unknown-schema"),
        ("alarms.raw", [alarm], "bad-type"),
        ("alarms.raw", {**alarm, "alarm": {**body, "status": "ON"}}, "bad-status"),
        ("definitions.changes", {**alarm, "op": "UPSERT"}, "missing-field"),
        ("alarms.raw", b"\xff\xfe\x00{", "not-json"),
    ]
    if number % 100 == 0:
        # Ten of them are enough: each is most of a megabyte.
        return "alarms.raw", b"x" * 900_000, "not-json"
    topic, value, reason = kinds[number % len(kinds)]
    return topic, value if value is None or isinstance(value, bytes) else msgspec.json.encode(value), reason


def good(number: int) -> bytes:
    """Good ones are of all forms, one of them large."""
    if number == 77:
        record = inbound.alarm(number)
        record["alarm"]["attributes"] = {"rawtext": "y" * 900_000}
        return msgspec.json.encode(record)
    if number % 7 == 0:
        return Codec().single_object("alarms.raw", inbound.alarm(number))
    return msgspec.json.encode(inbound.alarm(number))


def test_bad_records_among_good_ones(kafka: Broker, start: Start) -> None:
    start()
    bad = [malformed(number) for number in range(BAD)]
    mix = [("alarms.raw", good(number)) for number in range(GOOD)]
    mix += [(topic, value) for topic, value, _ in bad]
    random.Random(7).shuffle(mix)
    inbound.produce(kafka.bootstrap, mix)

    def letters() -> list[Any]:
        return inbound.read(kafka.bootstrap, "dead.letters")

    inbound.eventually(lambda: len(letters()) >= BAD, "all dead letters")
    inbound.eventually(lambda: len(inbound.log_records(kafka.bootstrap)) >= GOOD, "all good records")

    records = inbound.log_records(kafka.bootstrap)
    assert Counter(record.id for _, record in records) == Counter(f"a-{number}" for number in range(GOOD))
    for at, record in records:
        assert at == partition(record.domain, inbound.PARTITIONS)
    in_order(records)

    found = [read_letter(each.value(), each.key(), each.headers() or []) for each in letters()]
    assert Counter((each.topic, each.value, each.reason) for each in found) == Counter(bad)
    assert all(each.error and each.time and each.offset >= 0 for each in found)
    assert len({(each.topic, each.partition, each.offset) for each in found}) == BAD


def in_order(records: list[tuple[int, Input]]) -> None:
    """In each partition of the log, what came from one inbound partition keeps its order."""
    last: dict[Any, int] = defaultdict(lambda: -1)
    for at, record in records:
        origin = origin_of(record)
        place = (at, origin.topic, origin.partition)
        assert origin.offset > last[place]
        last[place] = origin.offset


def origin_of(record: Input) -> Origin:
    assert record.origin is not None
    return record.origin


def accepted(records: list[tuple[int, Input]]) -> list[str]:
    """The ids that a shard takes: it drops what is not beyond the last it has seen from there."""
    last: dict[Any, int] = defaultdict(lambda: -1)
    ids = []
    for at, record in records:
        origin = origin_of(record)
        place = (at, origin.topic, origin.topic_id, origin.partition)
        if origin.offset > last[place]:
            last[place] = origin.offset
            ids.append(record.id)
    return ids


def steady(kafka: str, numbers: range, pause: float = 0.01) -> None:
    """Sends alarms in small batches over some time."""
    for first in range(numbers.start, numbers.stop, 100):
        part = range(first, min(first + 100, numbers.stop))
        inbound.produce(kafka, [("alarms.raw", msgspec.json.encode(inbound.alarm(n))) for n in part])
        time.sleep(pause)


def test_kill_9_in_mid_run_loses_nothing(kafka: Broker, start: Start) -> None:
    chance = random.Random(11)
    total = 0
    for _ in range(5):
        process = start()
        steady(kafka.bootstrap, range(total, total + 2_000))
        total += 2_000
        time.sleep(chance.uniform(0.0, 0.6))
        process.send_signal(signal.SIGKILL)
        process.wait()
    start()
    inbound.eventually(lambda: len(inbound.ids(kafka.bootstrap)) == total, "every record")
    records = inbound.log_records(kafka.bootstrap)
    assert Counter(accepted(records)) == Counter(f"a-{number}" for number in range(total))
    origins: dict[str, set[Origin]] = defaultdict(set)
    for _, record in records:
        origins[record.id].add(origin_of(record))
    assert all(len(places) == 1 for places in origins.values()), "a repeat names the same place"


def shares(kafka: str) -> dict[str, set[str]]:
    """What each worker said last that it owns."""
    owned: dict[str, set[str]] = {}
    for key, status in statuses(kafka):
        owned[key.decode()] = set(status["partitions"]) if status else set()
    return owned


def test_two_workers_share_and_one_takes_over(kafka: Broker, start: Start) -> None:
    every = 2 * inbound.PARTITIONS + 1
    workers = {"ingest-a": start("ingest-a")}
    steady(kafka.bootstrap, range(2_000))
    inbound.eventually(lambda: len(shares(kafka.bootstrap).get("ingest/ingest-a", ())) == every, "all owned")
    workers["ingest-b"] = start("ingest-b")

    def shared() -> bool:
        owned = shares(kafka.bootstrap)
        one, other = owned["ingest/ingest-a"], owned.get("ingest/ingest-b", set())
        return bool(one) and bool(other) and not one & other and len(one | other) == every

    inbound.eventually(shared, "each a share")
    steady(kafka.bootstrap, range(2_000, 4_000))
    victim = next(name for name in workers if "alarms.raw:0" in shares(kafka.bootstrap)[f"ingest/{name}"])
    workers[victim].kill()
    workers[victim].wait()
    steady(kafka.bootstrap, range(4_000, 5_000))
    inbound.eventually(lambda: len(inbound.ids(kafka.bootstrap)) == 5_000, "every record")
    start(victim)
    steady(kafka.bootstrap, range(5_000, 6_000))
    inbound.eventually(lambda: len(inbound.ids(kafka.bootstrap)) == 6_000, "every record")
    assert Counter(accepted(inbound.log_records(kafka.bootstrap))) == Counter(
        f"a-{number}" for number in range(6_000)
    )


def test_a_broker_that_dies_is_waited_for(kafka: Broker, start: Start) -> None:
    process = start()
    steady(kafka.bootstrap, range(1_000))
    kafka.kill()
    time.sleep(2.0)
    again = start_broker(kafka.directory)
    try:
        steady(again.bootstrap, range(1_000, 2_000))
        inbound.eventually(lambda: len(inbound.ids(again.bootstrap)) == 2_000, "every record")
        assert process.poll() is None, "it goes on by itself"
        assert len(accepted(inbound.log_records(again.bootstrap))) == 2_000
        process.terminate()
        assert process.wait(20) == 0
    finally:
        again.stop()


def test_compressed_records_are_read(kafka: Broker, start: Start) -> None:
    start()
    for codec in ("lz4", "zstd", "snappy", "gzip"):
        values = [msgspec.json.encode(inbound.alarm(number, id=f"{codec}-{number}")) for number in range(100)]
        settings = {"compression.type": codec, "linger.ms": 50}
        inbound.produce(kafka.bootstrap, [("alarms.raw", value) for value in values], **settings)
    inbound.eventually(lambda: len(inbound.ids(kafka.bootstrap)) == 400, "all of them")


def marks(kafka: str) -> list[Input]:
    every = [inbound.decode(message) for message in inbound.read(kafka, "graph.input")]
    return [record for record in every if record.mark is not None]


def test_marks_follow_the_brokers_clock_and_never_overtake_a_record(kafka: Broker, start: Start) -> None:
    process = start()
    steady(kafka.bootstrap, range(3_000), pause=0.1)
    time.sleep(3.0)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0

    found = inbound.claims(kafka.bootstrap)
    assert len(found) == inbound.PARTITIONS
    last = max(message.timestamp()[1] for message in inbound.read(kafka.bootstrap, "graph.input"))
    for claimed in found.values():
        # Idle at the end, every inbound partition is claimed up to about a second ago.
        assert len(claimed) == 2 * inbound.PARTITIONS + 1
        assert min(claimed.values()) >= last * 1000 - 3_000_000


def test_after_an_outage_marks_move_with_the_backlog_only(kafka: Broker, start: Start) -> None:
    inbound.produce(kafka.bootstrap, [("alarms.raw", msgspec.json.encode(inbound.alarm(0)))])
    time.sleep(1.5)
    start()
    inbound.eventually(lambda: len(marks(kafka.bootstrap)) >= 2 * inbound.PARTITIONS, "marks")
    first: dict[int, Input] = {}
    for message in inbound.read(kafka.bootstrap, "graph.input"):
        record = inbound.decode(message)
        if message.partition() not in first and record.mark is not None:
            first[message.partition()] = record
    for record in first.values():
        assert record.mark is not None
        assert all("alarms.raw" in name for name in record.mark.read), "nothing is claimed that is not known"


def test_definitions_reach_every_partition_of_the_log_that_needs_them(kafka: Broker, start: Start) -> None:
    start()

    def change(kind: str, op: str) -> bytes:
        body = {"kind": kind, "name": "n", "text": "x: 1"}
        head = {"id": f"{kind}-{op}", "time": "2026-01-05T10:00:00Z", "source": "cli"}
        return msgspec.json.encode({**head, "op": op, "definition": body})

    inbound.produce(
        kafka.bootstrap,
        [("definitions.changes", change(kind, "UPSERT")) for kind in ("RULE", "VALUES", "WORKFLOW")],
    )
    inbound.eventually(
        lambda: len(inbound.log_records(kafka.bootstrap)) == 2 * inbound.PARTITIONS, "rules and values"
    )
    expected = [(number, kind) for number in range(inbound.PARTITIONS) for kind in ("RULE", "VALUES")]
    assert [
        (at, record.definition.kind)
        for at, record in inbound.log_records(kafka.bootstrap)
        if record.definition is not None
    ] == expected
    commands = inbound.read(kafka.bootstrap, "workflow.commands")
    assert [message.partition() for message in commands] == list(range(inbound.PARTITIONS))
    assert {msgspec.json.decode(message.value() or b"")["definition"]["kind"] for message in commands} == {
        "WORKFLOW"
    }


def statuses(kafka: str) -> list[tuple[bytes, Any]]:
    return [
        (message.key() or b"", message.value() and msgspec.json.decode(message.value() or b""))
        for message in inbound.read(kafka, "roles.status", 1)
    ]


def test_the_status_tells_positions_and_counts_and_ends_with_the_worker(kafka: Broker, start: Start) -> None:
    process = start("ingest-7")
    late = msgspec.json.encode(inbound.alarm(1, time="2126-01-05T10:00:00Z"))
    inbound.produce(kafka.bootstrap, [("alarms.raw", late), ("alarms.raw", b"nope")])

    def told() -> Any:
        found = [status for key, status in statuses(kafka.bootstrap) if key == b"ingest/ingest-7" and status]
        return found[-1] if found else None

    def read() -> int:
        return sum((told() or {"positions": {}})["positions"].get("alarms.raw", {}).values())

    inbound.eventually(lambda: read() == 2, "positions")
    assert told()["counters"] == {"read": 2, "forwarded": 1, "clamped": 1, "malformed": {"not-json": 1}}
    assert told()["positions"]["definitions.changes"] == {"0": 0}
    assert told()["pid"] == process.pid
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert statuses(kafka.bootstrap)[-1] == (b"ingest/ingest-7", None)


def test_a_second_worker_of_the_same_name_is_refused(kafka: Broker, start: Start, tmp_path: Path) -> None:
    first = start("ingest-0")
    inbound.eventually(lambda: bool(statuses(kafka.bootstrap)), "the first one at work")
    assert start("ingest-0").wait(30) != 0
    assert "another ingest worker is called 'ingest-0'" in (tmp_path / "ingest-0.log").read_text()
    assert first.poll() is None
