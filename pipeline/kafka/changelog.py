"""What a partition's changelog holds beside the table: how far the log has been applied."""

from __future__ import annotations

import msgspec

from ..errors import CheckpointFailed

PROGRESS_KEY = "#progress"
"""The changelog key of ``Progress``; no table key starts with ``#``."""

VERSION = 1
LIMIT = 3
"""How often a record is begun alone without a checkpoint before it is set aside."""

CAREFUL_CHUNK = 32
CAREFUL_RECORDS = 10_000
"""How far beyond its restore a careful owner stays careful: more than is begun between two checkpoints."""


class Begun(msgspec.Struct, frozen=True, array_like=True):
    """A note that offsets ``first`` to ``last`` were begun, ``times`` times without a checkpoint."""

    first: int
    last: int
    times: int
    reason: str = "never-finished"


class Progress(msgspec.Struct, frozen=True, omit_defaults=True):
    """The last applied offset; how often it was restored from without getting further."""

    position: int
    restores: int = 0
    begun: Begun | None = None
    v: int = -1


def encode(progress: Progress) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(progress, v=VERSION))


def decode(value: bytes) -> Progress:
    """Raises ``CheckpointFailed`` when a newer version wrote it, or when it is damaged."""
    try:
        progress = msgspec.json.decode(value, type=Progress)
    except msgspec.MsgspecError as error:
        raise CheckpointFailed(f"the changelog's progress record is damaged: {error}") from error
    if progress.v > VERSION:
        raise CheckpointFailed(
            f"the changelog was written by a newer Faultline (progress format {progress.v}, this one reads "
            f"{VERSION}); start the newer version again, or empty the changelog and replay the log"
        )
    return progress
