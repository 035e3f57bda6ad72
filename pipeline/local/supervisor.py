"""The whole pipeline on one machine: the broker and every role, kept running, stopped in order.

pipeline = start(settings)      # ready when it returns; DIR/faultline.json says where it is
run(pipeline, stopped)          # keeps everything alive until ``stopped()``
stop(pipeline)
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from .. import __version__
from ..errors import AlreadyRunning, BrokerUnavailable, FaultlineError
from ..kafka import topics
from ..settings import Settings
from . import broker as brokers
from . import children, definitions, instance, ports, processes, readiness
from .children import Child

log = logging.getLogger(__name__)

# Also the order of the stop: first who takes in, last who keeps.
ROLES = ("ingest", "correlate", "workflow", "executor", "history")
READY_WITHIN = 90.0
GIVE_UP_AFTER = 4
TICK = 0.1
STOP_TIMEOUTS = {"executor": 25.0}
STOP_TIMEOUT = 10.0


@dataclass(slots=True)
class Pipeline:
    """What runs: ``settings`` are those handed to the roles."""

    settings: Settings
    broker: brokers.Broker | None
    children: list[Child]
    lock: IO[str] | None = None
    show: bool = True
    findings: list[object] = field(default_factory=list)


class StartFailed(FaultlineError):
    """Raised when a role does not come up; the message has the end of its log."""


def start(
    settings: Settings,
    *,
    show: bool = True,
    prune: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> Pipeline:
    """Starts broker and roles, waits until all are ready, and writes ``DIR/faultline.json``.

    ``show``: copy the roles' log lines to standard error. ``prune``: take away definitions
    whose files are gone. Must be called from the main
    thread. Raises ``AlreadyRunning``, ``BrokerUnavailable``, ``TopicMismatch``, ``StartFailed``;
    nothing is left running then.
    """
    settings.data.mkdir(parents=True, exist_ok=True)
    pipeline = Pipeline(settings, None, [], _claim(settings.data), show)
    try:
        _start(pipeline, prune, stopped)
    except BaseException:
        _halt(pipeline)
        raise
    return pipeline


def run(pipeline: Pipeline, stopped: Callable[[], bool]) -> None:
    """Keeps everything alive until ``stopped()``: a role or broker that died is started again."""
    while not stopped():
        tend(pipeline)
        time.sleep(TICK)


def tend(pipeline: Pipeline) -> None:
    """Looks after everything once. Raises ``BrokerUnavailable`` when the broker cannot be restarted."""
    _mend_broker(pipeline)
    for child in pipeline.children:
        children.watch(child)
        if pipeline.show:
            children.show(child, sys.stderr)


def stop(pipeline: Pipeline, hurry: Callable[[], bool] = lambda: False) -> None:
    """Stops all in order and removes ``DIR/faultline.json``; when ``hurry()`` comes true, by force."""
    for child in pipeline.children:
        _stop_child(pipeline, child, hurry)
    _halt(pipeline)


def run_workers(settings: Settings, roles: Sequence[str]) -> int:
    """Several roles of a deployment under one parent, until SIGTERM or SIGINT. Returns the exit status."""
    with signals() as received:
        pipeline = Pipeline(settings, None, children.prepare(settings, roles, settings.data / "logs"))
        for child in pipeline.children:
            children.start(child)
        run(pipeline, lambda: bool(received))
        for child in pipeline.children:
            _stop_child(pipeline, child, lambda: len(received) > 1)
    return 0


@contextmanager
def signals() -> Iterator[list[int]]:
    """Collects SIGTERM, SIGINT and SIGHUP in a list instead of ending the process."""
    received: list[int] = []
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, lambda got, _: received.append(got)) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start(pipeline: Pipeline, prune: bool, stopped: Callable[[], bool]) -> None:
    began = time.monotonic()
    given = pipeline.settings
    if given.kafka is None:
        pipeline.broker = brokers.start(given.data / "broker")
        log.info("Kafka broker at %s after %.1f s", pipeline.broker.bootstrap, time.monotonic() - began)
    bootstrap = given.kafka or (pipeline.broker.bootstrap if pipeline.broker else "")
    topics.ensure(bootstrap, partitions=given.partitions)
    settings = pipeline.settings = replace(
        given,
        kafka=bootstrap,
        api=given.api or f"http://127.0.0.1:{ports.free()}",
        token=given.token or secrets.token_urlsafe(24),
    )
    pipeline.children = children.prepare(settings, ROLES, settings.data / "logs")
    for child in pipeline.children:
        children.start(child)
    # While the roles load: reading and checking the files costs as long as that.
    found = definitions.collect(given)
    pipeline.findings = [*found.findings]
    for finding in found.findings:
        log.error("%s", finding)
    differences = definitions.publish(bootstrap, found, prune=prune)
    told = f": {differences}" if differences.sent else ""
    log.info("%d definitions, %d sent%s", len(found.definitions), differences.sent, told)
    if differences.left:
        names = definitions.shortened(differences.left)
        log.warning("live, though their files are gone: %s; --prune removes them", names)

    def check() -> None:
        if stopped():
            raise StartFailed("stopped before everything was ready")
        tend(pipeline)
        for child in pipeline.children:
            if len(child.ended) >= GIVE_UP_AFTER:
                raise StartFailed(
                    f"{_failed(child)} {len(child.ended)} times; the end of its log:\n{_tail(child)}"
                )

    def pids() -> dict[str, int | None]:
        return {child.role: child.pid for child in pipeline.children}

    late = readiness.wait(bootstrap, settings.api, pids, check, READY_WITHIN)
    if late:
        tails = [f"{child.log}:\n{_tail(child)}" for child in pipeline.children if child.role in late]
        raise StartFailed(f"not ready within {READY_WITHIN:.0f} s: {', '.join(late)}\n" + "\n".join(tails))
    instance.write(
        settings.data,
        instance.Instance(os.getpid(), __version__, bootstrap, settings.api or "", settings.token or ""),
    )
    log.info("ready after %.1f s: %s", time.monotonic() - began, settings.api)


def _failed(child: Child) -> str:
    return f"{child.role} ended ({', '.join(sorted({processes.describe(code) for code in child.ended}))})"


def _tail(child: Child) -> str:
    return processes.tail(child.log, 30) or "(it said nothing)"


def _mend_broker(pipeline: Pipeline) -> None:
    broker = pipeline.broker
    if broker is None or broker.alive():
        return
    log.warning(
        "the Kafka broker ended (%s); starting it again", processes.describe(broker.process.returncode)
    )
    # The same port, for everybody knows that address.
    try:
        pipeline.broker = brokers.start(broker.directory, port=broker.port)
    except BrokerUnavailable as error:
        log.error("%s", error)
        time.sleep(1.0)
        return
    log.info("the Kafka broker is back at %s", pipeline.broker.bootstrap)


def _stop_child(pipeline: Pipeline, child: Child, hurry: Callable[[], bool]) -> None:
    if child.process is None:
        return
    child.process.terminate()
    end = time.monotonic() + STOP_TIMEOUTS.get(child.role, STOP_TIMEOUT)
    while child.process.poll() is None and time.monotonic() < end and not hurry():
        if pipeline.show:
            children.show(child, sys.stderr)
        time.sleep(0.02)
    if child.process.poll() is None:
        log.warning("%s did not stop in time and was killed", child.role)
    children.kill(child)
    if pipeline.show:
        children.show(child, sys.stderr)


def _halt(pipeline: Pipeline) -> None:
    for child in pipeline.children:
        children.kill(child)
    if pipeline.broker is not None:
        pipeline.broker.stop()
    if pipeline.lock is not None:
        instance.remove(pipeline.settings.data)
        pipeline.lock.close()
        pipeline.lock = None


def _claim(directory: Path) -> IO[str]:
    """Locks ``directory`` for this process, also while it is not ready yet. Raises ``AlreadyRunning``."""
    instance.refuse_second(directory)
    file = (directory / "up.lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip()
        file.close()
        raise AlreadyRunning(
            f"a pipeline is being started or stopped on {directory} (pid {holder}); wait for it, "
            "or choose another --data directory"
        ) from None
    file.seek(0)
    file.truncate()
    file.write(str(os.getpid()))
    file.flush()
    return file
