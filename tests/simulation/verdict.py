"""Runs a plan to its end and says what does not hold: the log is the oracle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import msgspec

from pipeline.errors import InvalidRecord
from pipeline.kafka import changelog
from pipeline.kafka.changelog import PROGRESS_KEY
from pipeline.kafka.shard import Factory

from . import clock
from .memory import Kafka, Sent
from .world import Plan, World

Inputs = Callable[[Random], list[tuple[float, str | int, bytes]]]
"""Makes (when, key, value) of every record that comes from outside."""


@dataclass(slots=True)
class Verdict:
    """What one seed gave. ``faults`` is empty when every promise held."""

    seed: int
    events: int = 0
    crashes: int = 0
    repeats: int = 0
    letters: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def simulate(
    plan: Plan, inputs: Inputs, fresh: Factory, killers: Callable[[bytes], bool] = lambda value: False
) -> Verdict:
    """One run in virtual time. ``fresh`` makes shards that no record kills, for the oracle."""
    return clock.run(_simulate(plan, inputs, fresh, killers))


async def _simulate(plan: Plan, inputs: Inputs, fresh: Factory, killers: Callable[[bytes], bool]) -> Verdict:
    draw = Random(plan.seed)
    kafka = Kafka(plan.partitions, draw, feed=plan.feed)
    kafka.arrived = plan.around(kafka)
    world = World(plan, kafka, draw)
    tasks = world.start()
    loop = asyncio.get_running_loop()
    for at, key, value in inputs(draw):
        loop.call_at(at, kafka.append, key, value)
    verdict = Verdict(plan.seed)
    await asyncio.sleep(plan.span + 1)
    still, length = 0, -1
    for _ in range(600):
        # What is still under way elsewhere may yet come back into the log.
        still = still + 1 if length == sum(map(len, kafka.log)) else 0
        length = sum(map(len, kafka.log))
        applied = all(_applied(kafka, number) == len(log) for number, log in enumerate(kafka.log))
        if applied and still >= plan.quiet:
            break
        await asyncio.sleep(0.5)
    else:
        places = [(_applied(kafka, number), len(log)) for number, log in enumerate(kafka.log)]
        verdict.faults.append(f"not at the end of the log: {places}")
    for task in tasks:
        task.cancel()
    verdict.events = sum(map(len, kafka.log))
    verdict.crashes = world.crashes
    verdict.letters = len(kafka.letters)
    verdict.ends = world.ends
    for number in range(plan.partitions):
        _judge(number, kafka, fresh, killers, verdict)
    _judge_outputs(kafka, verdict, fresh, killers)
    return verdict


def _applied(kafka: Kafka, number: int) -> int:
    value = kafka.table(number).get(PROGRESS_KEY)
    return 0 if value is None else changelog.decode(value).position + 1


def _judge(
    number: int, kafka: Kafka, fresh: Factory, killers: Callable[[bytes], bool], verdict: Verdict
) -> None:
    """The kept table must be that of a shard that met each record once, in order."""
    expected: dict[str, bytes] = {}
    shard = fresh(number)
    set_aside = {(x.offset, x.reason) for x in kafka.letters if x.partition == number}
    due: set[tuple[int, str]] = set()
    for record in kafka.log[number]:
        assert record.value is not None
        if killers(record.value):
            due.add((record.offset, "never-finished"))
            continue
        try:
            shard.step(record.value, record.offset, record.timestamp)
        except InvalidRecord as error:
            due.add((record.offset, error.reason))
        for key in shard.dirty:
            value = shard.encode(key)
            if value is None:
                expected.pop(key, None)
            else:
                expected[key] = value
        shard.dirty.clear()
    if set_aside != due:
        verdict.faults.append(f"partition {number}: set aside {set_aside}, not {due}")
    found = kafka.table(number)
    found.pop(PROGRESS_KEY, None)
    wrong = sorted(k for k in found.keys() | expected.keys() if found.get(k) != expected.get(k))
    if wrong:
        verdict.faults.append(f"partition {number}: {len(wrong)} keys wrong, such as {wrong[0]!r}")


def _judge_outputs(kafka: Kafka, verdict: Verdict, fresh: Factory, killers: Callable[[bytes], bool]) -> None:
    """Every output is there; what is there twice is the same; nothing else is there."""
    expected: dict[str, Sent] = {}
    for number, log in enumerate(kafka.log):
        shard = fresh(number)
        for record in log:
            assert record.value is not None
            if killers(record.value):
                continue
            try:
                outputs = shard.step(record.value, record.offset, record.timestamp)
            except InvalidRecord:
                continue
            for o in outputs:
                expected[o.id] = Sent(o.topic, o.key, o.id, msgspec.json.encode(o.value), o.time)
    seen: dict[str, Sent] = {}
    for sent in kafka.sent:
        if sent.topic == kafka.feed and sent.id not in expected:
            continue  # A timer's: it follows from the clock, and the log says what came of it.
        before = seen.setdefault(sent.id, sent)
        if before is not sent:
            verdict.repeats += 1
        if before != sent:
            verdict.faults.append(f"output {sent.id} came again with other bytes")
    missing = expected.keys() - seen.keys()
    if missing:
        verdict.faults.append(f"{len(missing)} outputs are missing")
    differing = sum(id_ in seen and seen[id_] != sent for id_, sent in expected.items())
    if differing:
        verdict.faults.append(f"{differing} outputs differ from the log's")
    unexpected = sum(id_ not in expected for id_ in seen)
    if unexpected:
        verdict.faults.append(f"{unexpected} outputs follow from nothing")
