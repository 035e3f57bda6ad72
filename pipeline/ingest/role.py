"""The ingest role: one process that runs one worker."""

from __future__ import annotations

import threading

from ..codec import Codec
from ..errors import InvalidSetting
from ..kafka.registry import HttpRegistry
from ..settings import Settings
from .watch import Watch
from .worker import Worker


def run(settings: Settings, stop: threading.Event) -> None:
    """Ingests until ``stop`` is set.

    Raises ``DeliveryFailed``, ``Fenced`` or ``BrokerUnavailable`` when it cannot go on: the
    process must end and be started again, and nothing is lost.
    """
    if settings.kafka is None:
        raise InvalidSetting("a worker needs kafka: say --kafka BOOTSTRAP, or let faultline up start it")
    registry = HttpRegistry(settings.registry) if settings.registry else None
    watch = Watch(settings.kafka, settings.instance, Codec(registry), stop.is_set)
    failures: list[BaseException] = []

    def watching() -> None:
        try:
            watch.run()
        except BaseException as error:
            failures.append(error)
            stop.set()

    thread = threading.Thread(target=watching, name="triggers")
    thread.start()
    try:
        Worker(settings.kafka, settings.instance, Codec(registry), stop.is_set, lambda: watch.reached).run()
    finally:
        stop.set()
        thread.join()
    if failures:
        raise failures[0]
