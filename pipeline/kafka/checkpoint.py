"""The checkpoint of a partition: snap, wait for the outputs, write in one transaction.

After a crash the state is exactly that of the last checkpoint and the log is read on from
its position; the outputs that come again are the same records with the same ids. The two
ports, ``Outbox`` and ``Changelog``, are Kafka in a worker and memory in the simulator.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from ..errors import CheckpointFailed
from . import changelog as kept
from .changelog import CAREFUL_RECORDS, PROGRESS_KEY, Begun, Progress
from .partition import Batch, Outbox, Partition
from .shard import Factory

Values = list[tuple[str, bytes | None]]
Restored = Mapping[int, Mapping[str, bytes]]


class Changelog(Protocol):
    """The compacted topic beside the log, one partition beside each of the log's."""

    async def fence(self, partitions: Collection[int]) -> None:
        """Ends whatever earlier owners have open there, and shuts them out for good."""

    async def restore(self, partitions: Collection[int]) -> Restored:
        """The committed values of each partition by key, deleted ones left out."""

    async def write(self, partition: int, values: Values) -> None:
        """One transaction. Raises ``Fenced`` when another owner has come, else ``CheckpointFailed``."""

    async def extent(self, partitions: Collection[int]) -> Mapping[int, tuple[int, int]]:
        """Of each of the log's partitions, the first offset that it still has and the next to come."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment of a partition: what must be written, once ``batch`` is acknowledged."""

    position: int
    values: Values
    batch: Batch


def snap(partition: Partition, *, clean: bool = False) -> Snapshot:
    """The partition at this moment. There is no ``await`` in here: state, position and outputs
    must be of one moment, or a crash would lose what lies between them.

    ``clean`` says that the owner ends well: what comes next is not its failure.
    """
    shard = partition.shard
    keys = sorted(shard.dirty)
    values: Values = [(key, shard.encode(key)) for key in keys]
    shard.dirty.clear()
    if keys and keys[0] <= PROGRESS_KEY <= keys[-1] and PROGRESS_KEY in keys:
        raise CheckpointFailed(f"the table key {PROGRESS_KEY!r} is reserved")
    position = partition.position
    if position > partition.checkpointed or clean:
        partition.restores = 0
    if partition.begun is not None and partition.begun.last <= position:
        partition.begun = None
    values.append((PROGRESS_KEY, kept.encode(Progress(position, partition.restores, partition.begun))))
    batch, partition.batch = partition.batch, Batch()
    return Snapshot(position, values, batch)


def is_due(partition: Partition) -> bool:
    """Whether anything has happened since the last checkpoint."""
    return partition.position != partition.checkpointed or bool(partition.shard.dirty)


async def checkpoint(
    partition: Partition, outbox: Outbox, changelog: Changelog, *, clean: bool = False
) -> None:
    """Writes the partition as it is now. One at a time for a partition: the caller holds a lock.

    Raises ``Fenced`` or ``CheckpointFailed``; the process must then end, since the snapshot
    has taken the changed keys with it.
    """
    snapshot = snap(partition, clean=clean)
    # Outputs first. Were the state written before them, a crash in between would lose them
    # for good: the log would be read on behind the record that they follow from.
    await outbox.settled(snapshot.batch)
    # One transaction, so that a later owner sees all of it or none, and so that an owner who
    # was thought dead and wakes is refused instead of writing over its successor.
    await changelog.write(partition.number, snapshot.values)
    partition.checkpointed = snapshot.position


async def note(partition: Partition, begun: Begun, changelog: Changelog) -> None:
    """Writes down that ``begun`` is about to be begun, beside the last checkpoint's position."""
    partition.begun = begun
    progress = Progress(partition.checkpointed, partition.restores, begun)
    await changelog.write(partition.number, [(PROGRESS_KEY, kept.encode(progress))])


async def touch(partition: Partition, changelog: Changelog) -> None:
    """Writes nothing but the last checkpoint's position: raises ``Fenced`` if it is not ours any more."""
    progress = Progress(partition.checkpointed, partition.restores, partition.begun)
    await changelog.write(partition.number, [(PROGRESS_KEY, kept.encode(progress))])


async def take_over(
    numbers: Collection[int], topic: str, factory: Factory, changelog: Changelog
) -> list[tuple[Partition, Mapping[str, bytes]]]:
    """The partitions as their last checkpoints left them, and the values still to be loaded.

    Raises ``CheckpointFailed`` when one cannot be restored.
    """
    # Fencing comes first: it ends the old owner's open transaction, which a restore that
    # came before would neither see nor, once it is committed, ever read.
    await changelog.fence(numbers)
    restored = await changelog.restore(numbers)
    extent = await changelog.extent(numbers)
    taken: list[tuple[Partition, Mapping[str, bytes]]] = []
    for number in sorted(numbers):
        values = dict(restored[number])
        partition = _partition(number, topic, factory, values.pop(PROGRESS_KEY, None), extent[number])
        # Counts this restore before anything is begun, and proves that the partition is ours.
        await touch(partition, changelog)
        taken.append((partition, values))
    return taken


def load(partition: Partition, values: Mapping[str, bytes]) -> None:
    """Fills the shard. Raises ``CheckpointFailed`` when a newer version wrote a value."""
    shard = partition.shard
    take = shard.load
    for key, value in values.items():
        take(key, value)
    # What was read is kept already; what deriving changes, such as a rule that fails, is not.
    shard.dirty.clear()
    shard.restored()


def _partition(
    number: int, topic: str, factory: Factory, value: bytes | None, extent: tuple[int, int]
) -> Partition:
    begin, end = extent
    progress = Progress(begin - 1) if value is None else kept.decode(value)
    position = progress.position
    if begin > position + 1:
        raise CheckpointFailed(
            f"{topic}[{number}] begins at offset {begin}, but only {position} was applied: records were "
            "deleted before they were read; lengthen the topic's retention, and empty the changelog to go on"
        )
    if end <= position:
        raise CheckpointFailed(
            f"{topic}[{number}] ends at offset {end}, but {position} was applied already: the topic was made "
            "anew or has lost records; empty its changelog too, or restore both"
        )
    restores = progress.restores + 1
    # Once is a restart. Twice at the same place: whoever was here before died within half a
    # second of reading on, and one of these records may be why.
    careful = restores > 1 or progress.begun is not None
    reach = max(position, progress.begun.last if progress.begun is not None else position)
    return Partition(
        number=number,
        topic=topic,
        shard=factory(number),
        position=position,
        checkpointed=position,
        restores=restores,
        begun=progress.begun,
        suspects=progress.begun,
        careful_until=reach + CAREFUL_RECORDS if careful else -1,
    )
