from __future__ import annotations

import asyncio
from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.errors import CheckpointFailed
from pipeline.streams import stall


def host(**positions: int) -> Any:
    owned = {int(name[1:]): SimpleNamespace(position=position) for name, position in positions.items()}
    return SimpleNamespace(topic="graph.input", owned=owned)


def watched(host: Any, ends: dict[int, tuple[int, int]] | None, seconds: float = 0.3) -> None:
    """Watches for a while; ``ends`` None: Kafka is away."""

    async def extent(numbers: Collection[int]) -> dict[int, tuple[int, int]]:
        if ends is None:
            raise CheckpointFailed("no answer")
        return {number: ends[number] for number in numbers}

    async def run() -> None:
        await asyncio.wait_for(stall.watch(host, extent, after=0.05, every=0.01), seconds)

    asyncio.run(run())


def test_a_worker_that_gets_nothing_although_records_wait_ends() -> None:
    with pytest.raises(CheckpointFailed, match=r"3 records of graph\.input wait"):
        watched(host(p0=4, p1=7), {0: (0, 8), 1: (0, 8)}, 5)


@pytest.mark.parametrize("ends", [{0: (0, 5), 1: (0, 8)}, None])
def test_having_nothing_to_do_is_no_stall_and_neither_is_a_broker_that_is_away(ends: Any) -> None:
    with pytest.raises(TimeoutError):
        watched(host(p0=4, p1=7), ends)


def test_owning_nothing_is_no_stall() -> None:
    with pytest.raises(TimeoutError):
        watched(host(), {})


def test_a_worker_that_moves_on_goes_on() -> None:
    moving = host(p0=4)

    async def run() -> None:
        async def extent(numbers: Collection[int]) -> dict[int, tuple[int, int]]:
            return dict.fromkeys(numbers, (0, 1000))

        task = asyncio.create_task(stall.watch(moving, extent, after=0.05, every=0.01))
        for _ in range(30):
            await asyncio.sleep(0.01)
            moving.owned[0].position += 1
        assert not task.done()
        task.cancel()

    asyncio.run(run())
