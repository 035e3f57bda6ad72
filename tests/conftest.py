"""What every kind of test may ask for: a real broker, and names of its own on it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pipeline.local.broker import Broker

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One real Kafka broker for the whole run. A test that stops brokers starts one of its own."""
    from pipeline.local import broker as local

    running = local.start(tmp_path_factory.mktemp("broker"))
    yield running
    running.stop()


@pytest.fixture
def unique() -> Callable[[str], str]:
    """Makes a name that no other test uses: ``unique("alarms")`` gives ``alarms-4711-3``."""
    return lambda name: f"{name}-{os.getpid()}-{next(_numbers)}"


@pytest.fixture
def topic(broker: Broker, unique: Callable[[str], str]) -> Callable[..., str]:
    """Makes a topic: ``topic("log", partitions=2, **{"cleanup.policy": "compact"})`` gives its name."""
    from confluent_kafka.admin import AdminClient, NewTopic

    def make(name: str, partitions: int = 1, **config: str) -> str:
        own = unique(name)
        client = AdminClient({"bootstrap.servers": broker.bootstrap})
        created = client.create_topics([NewTopic(own, partitions, 1, config=config)])
        created[own].result(20)
        return own

    return make


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what needs the broker, so that ``-m 'not broker'`` leaves it out."""
    for item in items:
        if "broker" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.broker)


@pytest.fixture
def checkout() -> Path:
    """The root of the source tree."""
    return Path(__file__).resolve().parent.parent
