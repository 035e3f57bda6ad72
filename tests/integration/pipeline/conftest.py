"""One running pipeline for all tests of this directory: each uses domains and names of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.pipeline_local import Pipeline, running
from support.pipeline_records import write_rules


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "pipeline" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.broker)
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="package")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """``faultline up``, as a process of its own."""
    directory = tmp_path_factory.mktemp("pipeline")
    with running(directory, rules=write_rules(directory)) as made:
        yield made


@pytest.fixture
def pipeline(shared: Pipeline) -> Iterator[Pipeline]:
    """The running pipeline; workers that a test started beside it end with the test."""
    yield shared
    shared.stop_beside()
