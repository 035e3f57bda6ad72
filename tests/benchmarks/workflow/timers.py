"""How late timers are when thousands are pending, with a worker that lives and with one that is killed."""

from __future__ import annotations

import time
from dataclasses import dataclass

from loads import Bench

from pipeline.times import micros

SETTLE = 12.0
"""Seconds between the last timer set and the first that falls due: a killed worker is back by then."""


@dataclass(frozen=True, slots=True)
class Lateness:
    """Seconds after each timer's time at which its task was begun."""

    late: list[float]
    pending: int


def measure(bench: Bench, number: int, spread: float, kill: bool) -> Lateness:
    """``number`` timers, all pending at one time, that fall due over ``spread`` seconds.

    ``kill``: the worker is killed when the last is set, and comes back with all of them.
    """
    # Setting takes a while itself: the first must not fall due before the last is set.
    setting = number / 400
    began = time.monotonic()
    waits: dict[str, float] = {}
    due: dict[str, int] = {}
    begun: dict[str, float] = {}
    first = setting + SETTLE
    pending = 0

    def take(timeout: float) -> None:
        for seen in bench.steps(timeout):
            step = seen.value
            if step["kind"] != "TASK" or step["root"] not in waits:
                continue
            if step["state"] == "DELAYED":
                due[step["root"]] = micros(step["time"]) + round(waits[step["root"]] * 1e6)
            elif step["state"] == "RUNNING":
                # Sent twice after a kill: the first counts.
                begun.setdefault(step["root"], seen.time / 1e6)

    for index in range(number):
        wanted = began + first + spread * index / number
        wait = round(wanted - time.monotonic(), 3)
        waits[bench.start("later", {"seconds": wait})] = wait
        if index % 50 == 0:
            take(max(0.0, began + setting * index / number - time.monotonic()))
    bench.producer.flush()
    while len(due) < number:
        take(0.1)
    pending = len(due) - len(begun)
    if kill:
        bench.pipeline.kill("workflow")
    while len(begun) < number:
        take(0.1)
    return Lateness([begun[root] - due[root] / 1e6 for root in due], pending)
