"""Where a reading command gets its answers: the running pipeline, or the data directory when nothing runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import NotRunning
from ..local import instance
from ..settings import Settings
from .client import Client

if TYPE_CHECKING:
    from ..history.reading import Reading


class Source(Protocol):
    """Answers as the API does, and raises what it says is wrong."""

    def get(self, path: str, **query: Any) -> Any:
        """What ``GET path?query`` answers; parameters that are None are left out."""

    def sql(self, query: str) -> dict[str, Any]:
        """``columns`` and ``rows`` of an analyst's query; each row is an object."""


class Running:
    """A pipeline that runs."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def get(self, path: str, **query: Any) -> Any:
        return self._client.get(path, **query)

    def sql(self, query: str) -> dict[str, Any]:
        found: dict[str, Any] = self._client.post("/api/sql", {"query": query})
        return found


class Opened:
    """History that this process has opened."""

    def __init__(self, history: Reading) -> None:
        self._history = history

    def get(self, path: str, **query: Any) -> Any:
        from ..history.answers import answer

        return answer(
            self._history, path, {name: str(value) for name, value in query.items() if value is not None}
        )

    def sql(self, query: str) -> dict[str, Any]:
        return self._history.sql(query)


@contextmanager
def source(settings: Settings) -> Iterator[Source]:
    """The running pipeline of ``settings``, else its ClickHouse or data directory.

    Raises ``NotRunning`` when there is neither, ``HistoryUnavailable`` when it cannot be opened.
    """
    try:
        running = instance.find(settings)
    except NotRunning:
        if settings.clickhouse is None and not (settings.data / "clickhouse").is_dir():
            raise
    else:
        yield Running(Client(running.api, running.token))
        return
    # Only now: loading ClickHouse takes longer than most questions.
    from ..history.database import Database, local
    from ..history.reading import opened

    history = opened(Database(settings.clickhouse) if settings.clickhouse else local(settings.data))
    try:
        yield Opened(history)
    finally:
        history.close()
