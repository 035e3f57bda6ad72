from __future__ import annotations

import pytest

from pipeline.errors import CheckpointFailed
from pipeline.kafka.changelog import Begun, Progress, decode, encode


def test_what_is_written_is_read() -> None:
    for progress in (Progress(-1), Progress(7, 2), Progress(7, 1, Begun(8, 39, 1))):
        found = decode(encode(progress))
        assert (found.position, found.restores, found.begun) == (
            progress.position,
            progress.restores,
            progress.begun,
        )


def test_stored_samples_are_read() -> None:
    # As version 1 wrote them; a later version keeps reading these bytes.
    assert decode(b'{"position":41,"v":1}').position == 41
    found = decode(b'{"position":41,"restores":2,"begun":[42,42,2,"never-finished"],"v":1}')
    assert found.begun == Begun(42, 42, 2)


@pytest.mark.parametrize(
    ("value", "word"),
    [(b'{"position":1,"v":2}', "newer"), (b"{", "damaged"), (b'{"position":"x","v":1}', "damaged")],
)
def test_what_cannot_be_read_stops_the_worker(value: bytes, word: str) -> None:
    with pytest.raises(CheckpointFailed, match=word):
        decode(value)
