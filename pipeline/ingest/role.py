"""The ingest role: one process that runs one worker."""

from __future__ import annotations

import threading

from ..codec import Codec
from ..errors import InvalidSetting
from ..kafka.registry import HttpRegistry
from ..settings import Settings
from .worker import Worker


def run(settings: Settings, stop: threading.Event) -> None:
    """Ingests until ``stop`` is set.

    Raises ``DeliveryFailed``, ``Fenced`` or ``BrokerUnavailable`` when it cannot go on: the
    process must end and be started again, and nothing is lost.
    """
    if settings.kafka is None:
        raise InvalidSetting("a worker needs kafka: say --kafka BOOTSTRAP, or let faultline up start it")
    registry = HttpRegistry(settings.registry) if settings.registry else None
    Worker(settings.kafka, settings.instance, Codec(registry), stop.is_set).run()
