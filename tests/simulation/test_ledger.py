"""No effect twice, no action without a result, whatever becomes of the executors."""

from __future__ import annotations

import os

import pytest
from simulation.executors import Habits, simulate

SEEDS = int(os.environ.get("SIMULATION_SEEDS", "200")) // 4


def test_no_effect_comes_twice() -> None:
    unknown = reruns = 0
    for seed in range(SEEDS):
        # A few with so many that most of them wait for a slot.
        actions = 500 if seed % 10 == 0 else 150
        found = simulate(seed, actions=actions)
        assert not found.faults, f"SEED {seed}: {found}"
        assert found.actions >= actions
        assert found.deaths >= 3
        unknown += found.unknown
        reruns += found.reruns
    assert unknown
    assert reruns
    print(f"{SEEDS} seeds: {unknown} outcomes unknown, {reruns} harmless actions run again")


@pytest.mark.parametrize(
    "habits",
    [
        Habits(waits_for_ledger=False),
        Habits(fences=False),
        Habits(spares_the_unsafe=False),
    ],
    ids=["ledger skipped", "zombie not fenced", "unknown outcomes run again"],
)
def test_planted_faults_are_caught(habits: Habits) -> None:
    caught = next((seed for seed in range(SEEDS) if simulate(seed, habits).faults), None)
    print(f"caught by seed {caught}")
    assert caught is not None
