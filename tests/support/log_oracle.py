"""What must have come of a log: its records, applied in order to fresh shards, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from pipeline.kafka import changelog, reader
from pipeline.kafka.changelog import PROGRESS_KEY

from .counter import CounterShard

Reply = tuple[bytes, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How what was found differs from what the log says."""

    inputs: int
    wrong_keys: int
    missing: int
    unexpected: int
    repeats: int
    differing: int

    @property
    def right(self) -> bool:
        return not (self.wrong_keys or self.missing or self.unexpected or self.differing)


def wait_until_applied(bootstrap: str, log: str, kept: str, partitions: int, timeout: float) -> None:
    """Returns once the changelog's positions have reached the log's end."""
    deadline = time.monotonic() + timeout
    while True:
        ends = {n: end for n, (_, end) in reader.extent(bootstrap, log, range(partitions), "oracle").items()}
        tables = reader.table(bootstrap, kept, range(partitions), "oracle")
        at = {
            n: changelog.decode(table[PROGRESS_KEY]).position + 1 if PROGRESS_KEY in table else 0
            for n, table in tables.items()
        }
        if at == ends:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"the log ends at {ends}, the checkpoints stand at {at}")
        time.sleep(0.5)


def judge(
    bootstrap: str,
    log: str,
    kept: str,
    out: str,
    partitions: int,
    aside: Mapping[int, frozenset[int]] | None = None,
) -> Verdict:
    """Compares tables and outputs with the log. Offsets in ``aside`` must have changed nothing."""
    shards = {n: CounterShard(n, out) for n in range(partitions)}
    expected: dict[str, Reply] = {}
    inputs = 0
    for batch in reader.messages(bootstrap, log, range(partitions), "oracle"):
        for message in batch:
            inputs += 1
            number, offset = message.partition(), message.offset()
            if aside is not None and offset in aside.get(number, frozenset()):
                continue
            for output in shards[number].step(message.value(), offset, message.timestamp()[1] * 1000):
                value = msgspec.json.encode(output.value)
                expected[output.id] = (output.key.encode(), value, output.time.encode())
    wrong = 0
    for number, values in reader.table(bootstrap, kept, range(partitions), "oracle").items():
        values.pop(PROGRESS_KEY, None)
        found = CounterShard(number, out)
        for key, value in values.items():
            found.load(key, value)
        right = shards[number].table
        wrong += sum(found.table.get(key) != right.get(key) for key in found.table.keys() | right.keys())
    seen: set[str] = set()
    repeats = unexpected = differing = 0
    for batch in reader.messages(bootstrap, out, range(partitions), "oracle"):
        for message in batch:
            headers = dict(message.headers())
            identity = headers["ce_id"].decode()
            repeats += identity in seen
            seen.add(identity)
            if identity not in expected:
                unexpected += 1
            elif expected[identity] != (message.key(), message.value(), headers["ce_time"]):
                differing += 1
    return Verdict(inputs, wrong, len(expected.keys() - seen), unexpected, repeats, differing)
