"""What the machines that play correlation at random have in common: how long they play, and restores.

5,000 steps are played by default. ``make nightly`` plays 100,000: it is the same tests with
``FAULTLINE_CORRELATION_STEPS=100000``, of which a fifth goes to waits, windows and absence.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable

from hypothesis import HealthCheck, settings

from pipeline.rules.shard import GraphShard
from pipeline.rules.state import document

STEPS = int(os.environ.get("FAULTLINE_CORRELATION_STEPS", "5000"))


def limits(steps: int, each: int) -> settings:
    """Settings of a machine that is to play ``steps`` in all, ``each`` of them in one go."""
    return settings(
        max_examples=max(1, steps // each),
        stateful_step_count=each,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )


def restored(shard: GraphShard, keys: Iterable[str], seed: int) -> GraphShard:
    """Another shard from the table of this one, loaded in any order; that it holds the same is seen to."""
    ordered = sorted(keys)
    random.Random(seed).shuffle(ordered)
    other = GraphShard(shard.partition)
    for key in ordered:
        value = shard.encode(key)
        if value is not None:
            other.load(key, value)
    other.restored()
    assert document(other) == document(shard)
    for key in ordered:
        assert other.encode(key) == shard.encode(key)
    return other
