"""The broker goes away under load, in every way that a broker can, and nobody intervenes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest
from support.pipeline_load import Load
from support.pipeline_local import Pipeline, until
from support.pipeline_records import domains

AWAY = 10.0


def stopped(pipeline: Pipeline) -> None:
    """It stands still, its connections open, and goes on."""
    pid = pipeline.kill("broker", signal.SIGSTOP)
    try:
        time.sleep(AWAY)
    finally:
        os.kill(pid, signal.SIGCONT)


def ended(pipeline: Pipeline) -> None:
    """It ends in good order; its supervisor starts it again."""
    _gone(pipeline, pipeline.kill("broker", signal.SIGTERM))


def killed(pipeline: Pipeline) -> None:
    """It ends at once; its supervisor starts it again."""
    _gone(pipeline, pipeline.kill("broker", signal.SIGKILL))


@pytest.mark.parametrize("blow", [stopped, ended, killed])
def test_the_broker_goes_away(pipeline: Pipeline, blow: Callable[[Pipeline], None]) -> None:
    load = Load(pipeline, domains(8, f"broker-{blow.__name__}"), rate=400, number=200)
    load.start()
    time.sleep(2)
    blow(pipeline)
    time.sleep(3)
    load.stop()
    pipeline.settle(120)
    print(blow.__name__, load.judge())


def _gone(pipeline: Pipeline, pid: int) -> None:
    until("another broker", lambda: pipeline.pid("broker") not in (None, pid), 60)
