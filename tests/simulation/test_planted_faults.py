"""A simulator is worth what it catches: each fault planted here was made by somebody once.

Every one must be caught within a few seeds; how many seeds of them showed it is printed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from functools import partial

import pytest
from simulation.memory import Kafka, MemoryChangelog, MemoryOutbox, Process
from simulation.test_checkpoint import Deadly, inputs, is_deadly
from simulation.verdict import Verdict, simulate
from simulation.world import Plan
from support.counter import CounterShard

from pipeline.events import Output
from pipeline.kafka import checkpoint as real
from pipeline.kafka import partition as records
from pipeline.kafka.checkpoint import Changelog, Snapshot, Values
from pipeline.kafka.partition import Batch, Outbox, Partition
from pipeline.kafka.shard import Factory
from pipeline.streams import host

SEEDS = 40
ENOUGH = 3


def run(
    seed: int,
    changelog: Callable[[Kafka, Process], Changelog] = MemoryChangelog,
    outbox: Callable[[Kafka, Process], Outbox] = MemoryOutbox,
) -> Verdict:
    plan = Plan(seed, Deadly, freezes=1, changelog=changelog, outbox=outbox)
    return simulate(plan, partial(inputs, deadly=False), CounterShard, is_deadly)


def caught(name: str, verdict: Callable[[int], Verdict] = run) -> None:
    showed = []
    for seed in range(SEEDS):
        if verdict(seed).faults:
            showed.append(seed)
            if len(showed) == ENOUGH:
                break
    print(f"{name}: caught by the seeds {showed}")
    assert showed, f"{name} went unnoticed in {SEEDS} seeds"


def test_nothing_planted_nothing_caught() -> None:
    for seed in range(SEEDS):
        assert not run(seed).faults, f"SEED {seed}"


def test_state_written_before_outputs_are_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hasty(
        partition: Partition, outbox: Outbox, changelog: Changelog, *, clean: bool = False
    ) -> None:
        snapshot = real.snap(partition, clean=clean)
        await changelog.write(partition.number, snapshot.values)
        partition.checkpointed = snapshot.position
        await outbox.settled(snapshot.batch)

    monkeypatch.setattr(host, "checkpoint", hasty)
    caught("commit before flush")


def test_acknowledgements_counted_without_regard_to_whose_they_are() -> None:
    class Counting(MemoryOutbox):
        """Keeps one count of what was produced and one of what was acknowledged."""

        __slots__ = ("batches",)

        def send(self, outputs: list[Output], batch: Batch) -> None:
            MemoryOutbox.send(self, outputs, count)

        async def settled(self, batch: Batch) -> None:
            # As many acknowledgements from now on as are outstanding now, whichever they are.
            goal = count.acknowledged + count.pending
            while count.acknowledged < goal:
                await self.process.pause(0.002)

    class Count(Batch):
        __slots__ = ("acknowledged", "now")

        @property
        def pending(self) -> int:  # type: ignore[override]
            return self.now

        @pending.setter
        def pending(self, value: int) -> None:
            self.acknowledged += value < self.now
            self.now = value

    def verdict(seed: int) -> Verdict:
        nonlocal count
        count = Count.__new__(Count)
        count.acknowledged = count.now = 0
        return run(seed, outbox=Counting)

    count = Count.__new__(Count)
    caught("acknowledgements counted, not told apart", verdict)


def test_no_transaction() -> None:
    class Torn(MemoryChangelog):
        """Writes record after record, each of them valid at once."""

        async def write(self, partition: int, values: Values) -> None:
            for pair in values:
                await self.process.pause(self.kafka.draw.uniform(0.0, 0.01))
                self._check(partition)
                self.kafka.kept[partition].append(pair)

    caught("torn write", partial(run, changelog=Torn))


def test_no_fence() -> None:
    class Open(MemoryChangelog):
        """Lets everybody write who ever owned the partition."""

        def _check(self, partition: int) -> None:
            pass

    caught("zombie not fenced", partial(run, changelog=Open))


def test_restored_before_fenced(monkeypatch: pytest.MonkeyPatch) -> None:
    async def early(
        numbers: Collection[int], topic: str, factory: Factory, changelog: Changelog
    ) -> list[tuple[Partition, Mapping[str, bytes]]]:
        assert isinstance(changelog, MemoryChangelog)
        restored = await changelog.restore(numbers)
        await changelog.process.pause(1.0)  # As long as a large table takes.

        class Seen(MemoryChangelog):
            async def restore(self, partitions: Collection[int]) -> real.Restored:
                return restored

        return await real.take_over(
            numbers, topic, factory, Seen(changelog.kafka, changelog.process, changelog.epochs)
        )

    monkeypatch.setattr(host, "take_over", early)
    caught("restore before fence")


def test_applied_offsets_not_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (records, host):
        monkeypatch.setattr(module, "is_repeated", lambda partition, offset: False)
    caught("skip check removed")


def test_gaps_not_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (records, host):
        monkeypatch.setattr(module, "is_repeated", lambda partition, offset: offset <= partition.position)
    caught("gap check removed")


def test_position_taken_after_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    async def late(
        partition: Partition, outbox: Outbox, changelog: Changelog, *, clean: bool = False
    ) -> None:
        snapshot = real.snap(partition, clean=clean)
        await outbox.settled(snapshot.batch)
        progress = real.Progress(partition.position, 0, None)
        values = [*snapshot.values[:-1], (real.PROGRESS_KEY, real.kept.encode(progress))]
        await changelog.write(partition.number, values)
        partition.checkpointed = progress.position

    monkeypatch.setattr(host, "checkpoint", late)
    caught("position ahead of the values")


def test_values_encoded_after_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    async def late(
        partition: Partition, outbox: Outbox, changelog: Changelog, *, clean: bool = False
    ) -> None:
        snapshot = real.snap(partition, clean=clean)
        await outbox.settled(snapshot.batch)
        values = [(key, partition.shard.encode(key)) for key, _ in snapshot.values[:-1]]
        await changelog.write(partition.number, [*values, snapshot.values[-1]])
        partition.checkpointed = snapshot.position

    monkeypatch.setattr(host, "checkpoint", late)
    caught("values ahead of the position")


def test_changes_during_the_write_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    async def forgetful(
        partition: Partition, outbox: Outbox, changelog: Changelog, *, clean: bool = False
    ) -> None:
        await real.checkpoint(partition, outbox, changelog, clean=clean)
        partition.shard.dirty.clear()

    monkeypatch.setattr(host, "checkpoint", forgetful)
    caught("dirty keys cleared after the write")


def test_one_key_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = real.snap

    def partial_snap(partition: Partition, *, clean: bool = False) -> Snapshot:
        snapshot = whole(partition, clean=clean)
        values = snapshot.values[1:] if len(snapshot.values) > 3 else snapshot.values
        return Snapshot(snapshot.position, values, snapshot.batch)

    monkeypatch.setattr(real, "snap", partial_snap)
    caught("one dirty key of four forgotten")


def test_a_killing_record_not_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Partition, "careful", property(lambda self: False))

    def verdict(seed: int) -> Verdict:
        return simulate(Plan(seed, Deadly, crashes=0), partial(inputs, deadly=True), CounterShard, is_deadly)

    assert verdict(0).faults
    print("killing record not noted: caught")


def test_the_loop_keeps_virtual_time() -> None:
    from simulation import clock

    async def hour() -> float:
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    assert clock.run(hour()) == pytest.approx(3600)
