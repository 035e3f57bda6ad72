"""One owned partition: its shard, how far it has come, and one record through it.

No Kafka client and no event loop: Faust's agent and the simulator run this same code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ..errors import CheckpointFailed, FaultlineError, InvalidRecord
from ..events import Output
from ..times import rfc3339
from .changelog import CAREFUL_CHUNK, LIMIT, Begun
from .deadletter import DeadLetter
from .shard import Shard


class Batch:
    """The outputs produced between two snapshots of one partition, until they are acknowledged.

    A count over all outputs would not do: acknowledgements of several destinations overtake
    one another, so that "as many as were produced" can be reached by later ones.
    """

    __slots__ = ("error", "pending")

    def __init__(self) -> None:
        self.pending = 0
        self.error: str | None = None


class Record(NamedTuple):
    """One record of the log; ``timestamp`` is the broker's append time in microseconds."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int


class Outbox(Protocol):
    """Where outputs go; every one of them is counted in a batch until Kafka has it."""

    def send(self, outputs: list[Output], batch: Batch) -> None:
        """Produces all or none: raises ``InvalidRecord`` before the first when one cannot be."""

    def set_aside(self, letter: DeadLetter, batch: Batch) -> None:
        """Produces a dead letter."""

    async def settled(self, batch: Batch) -> None:
        """Returns when all of ``batch`` is acknowledged; ``CheckpointFailed`` if one never will be."""


class Poisoned(FaultlineError):
    """Raised when a record has spoiled the state in memory: it must be restored without that record."""

    def __init__(self, partition: int, offset: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.partition = partition
        self.offset = offset
        self.reason = reason


@dataclass(slots=True)
class Partition:
    """What a host holds of one partition that it owns.

    ``position`` is the last offset applied, ``checkpointed`` the one in the changelog.
    ``begun`` is the note in the changelog, ``suspects`` the one an earlier owner left there.
    """

    number: int
    topic: str
    shard: Shard
    position: int
    checkpointed: int
    restores: int = 0
    begun: Begun | None = None
    suspects: Begun | None = None
    careful_until: int = -1
    batch: Batch = field(default_factory=Batch)
    applied: int = 0
    repeated: int = 0
    letters: int = 0

    @property
    def careful(self) -> bool:
        """Whether owners have died here, so that what is begun is written down first."""
        return self.position < self.careful_until


def apply(partition: Partition, record: Record, outbox: Outbox) -> None:
    """Takes one record through the shard; an offset already applied is counted and skipped.

    Raises ``CheckpointFailed`` at a gap, ``Poisoned`` when the record must be taken back.
    """
    offset = record.offset
    if is_repeated(partition, offset):
        return
    try:
        if record.value is None:
            raise InvalidRecord("null", "the record has no value")
        outputs = partition.shard.step(record.value, offset, record.timestamp)
    except InvalidRecord as error:
        set_aside(partition, record, error.reason, str(error), outbox)
    except MemoryError:
        raise  # The process is at its end; the record need not be the cause.
    except Exception as error:
        # A core that stumbles over a record has left its state untouched, by contract.
        set_aside(partition, record, "step-failed", f"{type(error).__name__}: {error}", outbox)
    else:
        if outputs:
            try:
                outbox.send(outputs, partition.batch)
            except InvalidRecord as error:
                raise Poisoned(partition.number, offset, error.reason, str(error)) from error
        partition.applied += 1
    partition.position = offset


def is_repeated(partition: Partition, offset: int) -> bool:
    """Whether ``offset`` is applied already. Raises ``CheckpointFailed`` at a gap."""
    expected = partition.position + 1
    if offset == expected:
        return False
    if offset < expected:
        # Faust repeats events at every rebalance: it forgets acknowledgements when it revokes.
        partition.repeated += 1
        return True
    # Going on would lose what lies between; the log has neither transactions nor compaction.
    raise CheckpointFailed(
        f"{partition.topic}[{partition.number}] jumped from offset {partition.position} to {offset}; "
        "the worker restarts from its checkpoint"
    )


def set_aside(partition: Partition, record: Record, reason: str, error: str, outbox: Outbox) -> None:
    """Sends the record to ``dead.letters`` and goes past it, the state untouched."""
    letter = DeadLetter(
        record.value,
        record.key,
        reason,
        error,
        partition.topic,
        partition.number,
        record.offset,
        rfc3339(record.timestamp),
    )
    outbox.set_aside(letter, partition.batch)
    partition.letters += 1
    partition.position = record.offset


def condemned(partition: Partition, offset: int) -> Begun | None:
    """The note that condemns ``offset``: begun alone ``LIMIT`` times, never with a checkpoint after it."""
    suspects = partition.suspects
    if suspects is not None and suspects.first == suspects.last == offset and suspects.times >= LIMIT:
        return suspects
    return None


def note_before(partition: Partition, offset: int) -> Begun | None:
    """What a careful owner writes down before it begins ``offset``; None when nothing need be.

    A suspect is begun alone, so that the next owner knows it if it kills again. All others
    go in chunks, so that being careful costs two transactions in many records.
    """
    suspects = partition.suspects
    if suspects is not None and offset <= suspects.last:
        if offset < suspects.first:
            return None  # These were applied without harm before the suspects were begun.
        return Begun(offset, offset, suspects.times + 1, suspects.reason)
    begun = partition.begun
    if begun is not None and begun is not suspects and offset <= begun.last:
        return None
    return Begun(offset, offset + CAREFUL_CHUNK - 1, 1)
