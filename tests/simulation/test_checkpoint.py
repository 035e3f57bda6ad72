"""Hundreds of seeded disasters over the checkpoint that production runs, with a counting shard."""

from __future__ import annotations

import os
from functools import partial
from random import Random

import msgspec
import pytest
from simulation.verdict import Verdict, simulate
from simulation.world import Killed, Plan
from support.counter import CounterShard

from pipeline.events import Output

SEEDS = int(os.environ.get("SIMULATION_SEEDS", "200"))
EVENTS = 520


class Deadly(CounterShard):
    """Dies of a record that says so."""

    def step(self, value: bytes, position: int, timestamp: int) -> list[Output]:
        if is_deadly(value):
            raise Killed
        return super().step(value, position, timestamp)


def is_deadly(value: bytes) -> bool:
    return b'"kill"' in value


def inputs(draw: Random, *, deadly: bool) -> list[tuple[float, str | int, bytes]]:
    found: list[tuple[float, str | int, bytes]] = []
    bursts = [draw.uniform(0, 40) for _ in range(25)]
    for n in range(EVENTS):
        key = f"k{draw.randrange(40)}"
        record: dict[str, object] = {"key": key, "n": n, "outputs": draw.choice((0, 1, 1, 2))}
        if draw.random() < 0.05:
            record["op"] = "delete"
        value = msgspec.json.encode(record)
        if draw.random() < 0.01:
            value = b"not json"
        found.append((draw.choice(bursts) + draw.uniform(0, 0.8), key, value))
    if deadly:
        found.append((draw.uniform(0, 40), "k7", b'{"key": "k7", "kill": true}'))
    return found


def one(seed: int) -> Verdict:
    plan = Plan(seed, Deadly, workers=2 + seed % 3, freezes=seed % 3)
    return simulate(plan, partial(inputs, deadly=seed % 5 == 0), CounterShard, is_deadly)


@pytest.mark.parametrize("part", range(4))
def test_nothing_is_lost_and_nothing_differs(part: int) -> None:
    crashes = repeats = 0
    for seed in range(part, SEEDS, 4):
        verdict = one(seed)
        assert not verdict.faults, f"SEED {seed}: {verdict}"
        assert verdict.events >= 500
        assert verdict.crashes >= 3, f"SEED {seed}: only {verdict.crashes} crashes"
        crashes += verdict.crashes
        repeats += verdict.repeats
    # Disasters that leave no trace would prove nothing.
    assert repeats > SEEDS // 4
    print(f"{SEEDS // 4} seeds, {crashes} ends of processes, {repeats} outputs repeated")


def test_a_seed_is_the_same_run_again() -> None:
    assert one(11) == one(11)
