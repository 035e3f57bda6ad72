from __future__ import annotations

from typing import Any

import pytest

from pipeline.errors import DeliveryFailed
from pipeline.ingest.progress import Progress

P = ("alarms.raw", 0)


class Report:
    def topic(self) -> str:
        return "graph.input"

    def partition(self) -> int:
        return 3


def produced(progress: Progress, number: int) -> Any:
    progress.epoch.pending += number
    return progress.epoch


def test_positions_wait_for_every_record_of_their_epoch() -> None:
    progress = Progress()
    first = produced(progress, 2)
    progress.close({P: 2})
    assert progress.settled() is None
    first.delivered(None, Report())
    assert (progress.settled(), progress.pending) == (None, 1)
    first.delivered(None, Report())
    assert (progress.settled(), progress.pending) == ({P: 2}, 0)
    assert progress.settled() is None


def test_a_later_epochs_acknowledgements_move_nothing_before_the_earlier_ones() -> None:
    progress = Progress()
    first = produced(progress, 1)
    progress.close({P: 1})
    second = produced(progress, 1)
    progress.close({P: 2})
    second.delivered(None, Report())
    assert progress.settled() is None
    first.delivered(None, Report())
    assert progress.settled() == {P: 2}


def test_positions_are_those_of_the_close() -> None:
    progress = Progress()
    positions = {P: 1}
    progress.close(positions)
    positions[P] = 9
    assert progress.settled() == {P: 1}


@pytest.mark.parametrize("closed", [True, False])
def test_a_record_that_was_not_delivered_ends_it(closed: bool) -> None:
    progress = Progress()
    epoch = produced(progress, 1)
    if closed:
        progress.close({P: 1})
    epoch.delivered("too large", Report())
    with pytest.raises(DeliveryFailed, match=r"graph\.input\[3\]: too large"):
        progress.settled()
