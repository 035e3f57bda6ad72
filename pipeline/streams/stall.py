"""Notices that records have stopped coming although there are some.

Faust's client can fall silent for good: it was seen to wait for ever after a broker that
had stood still for ten seconds was back. Nobody would hear of it, for the heartbeats go on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping

from ..errors import CheckpointFailed
from .host import Host

STALLED_AFTER = 30.0
LOOK_EVERY = 5.0

Extent = Callable[[Collection[int]], Awaitable[Mapping[int, tuple[int, int]]]]


async def watch(
    host: Host, extent: Extent, *, after: float = STALLED_AFTER, every: float = LOOK_EVERY
) -> None:
    """Looks at how far ``host`` is, for ever; ``extent`` tells where the log's partitions end.

    Raises ``CheckpointFailed`` when nothing was applied for ``after`` seconds while
    records waited and Kafka answered: the process must start anew.
    """
    before: dict[int, int] = {}
    moved = time.monotonic()
    while True:
        await asyncio.sleep(every)
        now = {number: partition.position for number, partition in host.owned.items()}
        if now != before or not now:
            before, moved = now, time.monotonic()
            continue
        try:
            # Asked only where nothing moves, so that a busy worker pays nothing.
            ends = await extent(list(now))
        except CheckpointFailed:
            moved = time.monotonic()  # Kafka is away: then nothing can come.
            continue
        waiting = sum(max(0, end - now[number] - 1) for number, (_, end) in ends.items())
        if not waiting:
            moved = time.monotonic()
        elif time.monotonic() - moved >= after:
            raise CheckpointFailed(
                f"{waiting} records of {host.topic} wait and none has come for {after:.0f} s; "
                "the worker starts again"
            )
