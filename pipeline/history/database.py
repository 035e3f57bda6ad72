"""ClickHouse, in process or over HTTP, as separate clients for writing, reading and analysts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from ..errors import HistoryUnavailable
from ..resources import shipped

DATABASE = "faultline"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Database:
    """Where ClickHouse is: ``chdb:///PATH`` runs it in this process, ``http(s)://`` reaches a server.

    Each client has a connection and settings of its own, so a long query holds up no insert.
    One process at a time may open a ``chdb`` path.
    """

    dsn: str

    @property
    def embedded(self) -> bool:
        return self.dsn.startswith("chdb:")

    def client(self, database: str | None = None, **settings: Any) -> Client:
        """A new client, for one thread at a time. Raises ``HistoryUnavailable``."""
        # Queries of one client over HTTP must be able to overlap retries: no session.
        options: dict[str, Any] = {} if self.embedded else {"autogenerate_session_id": False}
        try:
            return clickhouse_connect.get_client(
                dsn=self.dsn, database=database, settings=settings, **options
            )
        except Exception as error:
            raise HistoryUnavailable(_advice(self, error)) from error

    def analyst(self, *, seconds: int, rows: int, **settings: Any) -> Client:
        """A client that can change nothing and whose queries end after ``seconds`` or ``rows``.

        Raises ``HistoryUnavailable``.
        """
        return self.client(
            DATABASE,
            **settings,
            max_execution_time=seconds,
            max_result_rows=rows,
            result_overflow_mode="throw",
            max_memory_usage=1_000_000_000,
            # Last, because nothing can be set after it.
            readonly=1,
        )


def local(data: Path) -> Database:
    """The database in process whose files are under the data directory ``data``."""
    path = data.resolve() / "clickhouse"
    path.mkdir(parents=True, exist_ok=True)
    return Database(f"chdb://{path}")


def attempt(action: Callable[[], T]) -> T:
    """What ``action`` returns. Raises ``HistoryUnavailable`` for what ClickHouse refuses or cannot do."""
    try:
        return action()
    except (ClickHouseError, OSError) as error:
        raise HistoryUnavailable(f"ClickHouse: {reason(error)}") from error


def reason(error: BaseException) -> str:
    """The first line of ClickHouse's message, without its stack."""
    return str(error).strip().split("\n", 1)[0][:1000]


def migrate(client: Client, directory: Path | None = None) -> list[str]:
    """Applies the numbered migrations that are not recorded yet, in order, and returns their names.

    Raises ``HistoryUnavailable`` when one fails or when one that was applied has been altered since.
    """

    def apply() -> list[str]:
        client.command(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
        client.command(
            f"CREATE TABLE IF NOT EXISTS {DATABASE}.migrations"
            " (name String, sum String, applied_at DateTime DEFAULT now()) ENGINE = MergeTree ORDER BY name"
        )
        applied = dict(client.query(f"SELECT name, sum FROM {DATABASE}.migrations").result_rows)
        done = []
        for path in sorted((directory or shipped("infra") / "clickhouse").glob("[0-9]*.sql")):
            text = path.read_text()
            digest = sha256(text.encode()).hexdigest()
            if path.name in applied:
                if applied[path.name] != digest:
                    raise HistoryUnavailable(
                        f"{path.name} was altered after it was applied; put it back and add another"
                    )
                continue
            # Each statement can be run again, so a migration that was cut off starts over.
            for statement in statements(text):
                client.command(statement)
            client.command(
                f"INSERT INTO {DATABASE}.migrations (name, sum) VALUES ({{name:String}}, {{sum:String}})",
                parameters={"name": path.name, "sum": digest},
            )
            done.append(path.name)
        return done

    return attempt(apply)


def statements(text: str) -> Sequence[str]:
    """The statements of a migration: each ends with a semicolon at the end of a line."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    parts = "\n".join(lines).split(";\n")
    return [part.strip().rstrip(";") for part in parts if part.strip().rstrip(";")]


def _advice(database: Database, error: BaseException) -> str:
    if not database.embedded:
        return (
            f"cannot reach ClickHouse: {reason(error)}; check the clickhouse setting and that the server runs"
        )
    return (
        f"cannot open {database.dsn.removeprefix('chdb://')}: {reason(error)}; "
        "one process at a time can: is a pipeline running on this data directory (faultline status)?"
    )
