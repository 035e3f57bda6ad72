"""Asks the tables and gives plain values, one question at a time on each client."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from ..errors import HistoryUnavailable, QueryRefused
from .database import DATABASE, Database, migrate, reason
from .guard import check

#: How values travel: times as everywhere else, whole numbers as numbers.
FORMAT: dict[str, Any] = {
    "date_time_output_format": "iso",
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_quote_denormals": 1,
    "output_format_json_validate_utf8": 1,
}
SECONDS = 30
ROWS = 100_000
Rows = list[dict[str, Any]]


class _Asker:
    """One client that several threads share by turns, replaced once a query of it has failed."""

    def __init__(self, make: Callable[[], Client]) -> None:
        self._make = make
        self._client = make()
        self._lock = threading.Lock()

    def ask(self, sql: str, form: str, parameters: Mapping[str, Any]) -> bytes:
        with self._lock:
            try:
                return bytes(self._client.raw_query(sql, fmt=form, parameters=dict(parameters) or None))
            except ClickHouseError:
                # In process, what a failed query had answered so far would come before the next answer.
                self._client.close()
                self._client = self._make()
                raise

    def close(self) -> None:
        self._client.close()


class Reading:
    """Reads what the sink wrote; used by several threads, which wait for one another.

    Analysts' queries have a client of their own, which can change nothing, so that a long
    one holds up neither the sink nor the commands.
    """

    def __init__(self, database: Database, *, seconds: int = SECONDS, rows: int = ROWS) -> None:
        """Raises ``HistoryUnavailable``."""
        self._own = _Asker(lambda: database.client(DATABASE, **FORMAT))
        self._analyst = _Asker(lambda: database.analyst(seconds=seconds, rows=rows, **FORMAT))

    def rows(self, sql: str, **parameters: Any) -> Rows:
        """The rows of ``sql``, with ``{name:Type}`` in it bound. Raises ``HistoryUnavailable``."""
        try:
            answer = self._own.ask(sql, "JSONEachRow", parameters)
        except (ClickHouseError, OSError) as error:
            raise HistoryUnavailable(f"ClickHouse: {reason(error)}") from error
        return msgspec.json.decode(b"[" + b",".join(answer.splitlines()) + b"]", type=Rows)

    def sql(self, query: str) -> dict[str, Any]:
        """``columns`` (name, type) and ``rows`` (objects) of an analyst's query. Raises ``QueryRefused``."""
        query = check(query)
        try:
            answer = self._analyst.ask(query, "JSON", {})
            found = msgspec.json.decode(answer)
        except (ClickHouseError, OSError) as error:
            raise QueryRefused(explain(reason(error))) from error
        except msgspec.DecodeError as error:
            raise QueryRefused("leave FORMAT out: the answer's form is faultline sql's own") from error
        return {"columns": found["meta"], "rows": found["data"]}

    def close(self) -> None:
        """Closes the clients; the files are then free for another process."""
        self._own.close()
        self._analyst.close()


def opened(database: Database) -> Reading:
    """Reads ``database``, with its tables made if they are not there. Raises ``HistoryUnavailable``."""
    writer = database.client()
    try:
        migrate(writer)
        return Reading(database)
    finally:
        writer.close()


def explain(message: str) -> str:
    """ClickHouse's message with what to do about it."""
    if "(READONLY)" in message:
        return f"history can be read, not changed: {message}"
    if "(TOO_MANY_ROWS_OR_BYTES)" in message:
        return f"more than {ROWS} rows; add a LIMIT or aggregate: {message}"
    if "(TIMEOUT_EXCEEDED)" in message:
        return f"more than {SECONDS} s; narrow the query, for instance by event_time: {message}"
    if "(UNKNOWN_TABLE)" in message:
        return f"{message} (SHOW TABLES FROM faultline lists them)"
    return message
