"""Two correlate workers share eight domains, and either may die and come back in the middle."""

from __future__ import annotations

import time

from support.pipeline_load import Load
from support.pipeline_local import PARTITIONS, Pipeline, processes, until
from support.pipeline_records import domains

ALL = list(range(PARTITIONS))


def test_domains_move_between_workers_and_nothing_is_lost_or_doubled(pipeline: Pipeline) -> None:
    load = Load(pipeline, domains(PARTITIONS, "shared"), rate=400, number=600)
    load.start()
    until("the first worker to own all", lambda: _shares(pipeline) == [ALL], 60)
    pipeline.start_beside("correlate", "second")
    until("both to own some", lambda: _both(pipeline), 60)
    time.sleep(1)

    # The second dies and does not come back: its domains move.
    pipeline.kill_beside("second")
    until("the first to own all again", lambda: _shares(pipeline) == [ALL], 60)

    # It comes back under its name, and dies and comes back at once.
    pipeline.start_beside("correlate", "second")
    until("both to own some again", lambda: _both(pipeline), 60)
    pipeline.kill_beside("second")
    time.sleep(1)
    pipeline.start_beside("correlate", "second")
    time.sleep(1)

    # So does the first, whose supervisor starts it again.
    before = pipeline.kill("correlate")
    until("another process", lambda: pipeline.pid("correlate") not in (None, before), 30)
    until("both to own some once more", lambda: _both(pipeline), 60)
    time.sleep(1)

    # The second leaves in good order.
    assert processes.stop(pipeline.beside.pop("second"), 30)
    until("the first to own all at the end", lambda: _shares(pipeline) == [ALL], 60)
    load.stop()
    pipeline.settle(120)
    print(load.judge())


def _shares(pipeline: Pipeline) -> list[list[int]]:
    return sorted(share for share in pipeline.owned("correlate").values() if share)


def _both(pipeline: Pipeline) -> bool:
    shares = _shares(pipeline)
    return len(shares) == 2 and sorted(shares[0] + shares[1]) == ALL
