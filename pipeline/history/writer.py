"""Puts batches of rows into the tables, each once, and remembers how far each topic has come."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DataError
from clickhouse_connect.driver.insert import InsertContext

from ..errors import HistoryUnavailable
from ..ids import identify
from .database import DATABASE, attempt, reason
from .rows import COLUMNS, OFFSET, PARTITION, TOPIC, TOPIC_ID, Row, Rows

_UNFIT = (DataError, TypeError, ValueError, OverflowError, AttributeError, struct.error)
_POSITIONS = ("topic", "topic_id", "partition", "epoch", "next")


class Log(NamedTuple):
    """One partition of one life of a topic."""

    topic: str
    topic_id: str
    partition: int


@dataclass(frozen=True, slots=True)
class Unfit:
    """A row that cannot be turned into its table's columns."""

    table: str
    row: Row
    error: str


class Writer:
    """The one writer of the tables.

    ``next`` is the first offset of each log that the tables do not hold, and ``epochs``
    the number of each life of a topic: 0 for the first that was seen.
    """

    def __init__(self, client: Client) -> None:
        """Asks the tables how far they are. Raises ``HistoryUnavailable``."""
        self._client = client
        self._contexts: dict[str, InsertContext] = {}
        self.next: dict[Log, int] = {}
        self.epochs: dict[tuple[str, str], int] = {}
        for topic, topic_id, partition, epoch, position in self._query(
            "SELECT topic, topic_id, `partition`, max(epoch), max(next)"
            f" FROM {DATABASE}.positions GROUP BY ALL"
        ):
            self.next[Log(topic, topic_id, partition)] = position
            self.epochs[topic, topic_id] = epoch
        self._ahead = {table: found for table in COLUMNS if (found := self._beyond(table))}

    def begin(self, topic: str, topic_id: str) -> None:
        """Numbers this life of ``topic``, unless it has been. Raises ``HistoryUnavailable``."""
        if (topic, topic_id) in self.epochs:
            return
        epoch = 1 + max((e for (name, _), e in self.epochs.items() if name == topic), default=-1)
        # Before any row of it, so that a restart counts the same.
        self._insert("positions", _POSITIONS, [(topic, topic_id, 0, epoch, 0)], f"{topic}:{topic_id}")
        self.epochs[topic, topic_id] = epoch

    def write(self, rows: Rows, batch: str) -> list[Unfit]:
        """Inserts all ``rows`` and returns those that no table can take; ``settle`` completes it.

        ``batch`` names the rows: trying again with the same name after an error repeats
        nothing. Raises ``HistoryUnavailable``; then some tables may have their rows.
        """
        unfit: list[Unfit] = []
        for table, found in rows.items():
            if table in self._ahead:
                # Cut off between two tables of a batch: this one is further than the others.
                ahead = self._ahead[table]
                found = [row for row in found if row[OFFSET] > ahead.get(_log(row), -1)]
            if found:
                self._fit(table, found, f"{batch}:{table}", unfit)
        return unfit

    def settle(self, reached: dict[Log, int]) -> None:
        """Writes down that everything before ``reached`` is in. Raises ``HistoryUnavailable``."""
        lines = [(*log, self.epochs[log.topic, log.topic_id], position) for log, position in reached.items()]
        if lines:
            self._insert("positions", _POSITIONS, lines, name(reached))
        self.next.update(reached)
        for table in list(self._ahead):
            ahead = {log: last for log, last in self._ahead[table].items() if last >= self.next.get(log, 0)}
            if ahead:
                self._ahead[table] = ahead
            else:
                del self._ahead[table]

    def _fit(self, table: str, rows: list[Row], token: str, unfit: list[Unfit]) -> None:
        try:
            self._insert(table, COLUMNS[table], rows, token)
        except _UNFIT as error:
            if len(rows) == 1:
                unfit.append(Unfit(table, rows[0], f"{type(error).__name__}: {reason(error)}"))
                return
            half = len(rows) // 2
            self._fit(table, rows[:half], f"{token}<", unfit)
            self._fit(table, rows[half:], f"{token}>", unfit)

    def _insert(self, table: str, columns: Iterable[str], rows: list[Row], token: str) -> None:
        try:
            context = self._contexts.get(table)
            if context is None:
                context = self._contexts[table] = self._client.create_insert_context(
                    table, list(columns), database=DATABASE, column_oriented=True
                )
            context.data = list(zip(*rows, strict=True))
            # A server that gathers inserts of its own accord would not look at the token.
            context.settings = {"insert_deduplication_token": token, "async_insert": 0}
            self._client.insert(context=context)
        except _UNFIT:
            self._contexts.pop(table, None)
            raise
        except (ClickHouseError, OSError) as error:
            self._contexts.pop(table, None)
            raise HistoryUnavailable(f"ClickHouse did not take rows of {table}: {reason(error)}") from error

    def _beyond(self, table: str) -> dict[Log, int]:
        """The greatest offset of each log that is in ``table`` although its batch was never settled."""
        found = self._query(
            f"SELECT topic, topic_id, `partition`, max(`offset`) FROM {DATABASE}.{table} GROUP BY ALL"
        )
        logs = {Log(topic, topic_id, partition): last for topic, topic_id, partition, last in found}
        return {log: last for log, last in logs.items() if last >= self.next.get(log, 0)}

    def _query(self, sql: str) -> list[tuple[Any, ...]]:
        return attempt(lambda: list(self._client.query(sql).result_rows))


def name(reached: dict[Log, int]) -> str:
    """A name for the batch that ends at ``reached``."""
    return identify("batch", *[":".join(map(str, (*log, end))) for log, end in sorted(reached.items())])


def _log(row: Row) -> Log:
    return Log(row[TOPIC], row[TOPIC_ID], row[PARTITION])
