"""Log lines on standard error, for people or for machines.

A line about a record carries where the record stands, one about an execution its id:

    log.warning("older than what is known", extra=about("alarms.raw", 0, 42))
    log.info("paused", extra=execution("3f2a..."))
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from typing import Any

FIELDS = ("role", "topic", "partition", "offset", "execution")
# Libraries that tell at INFO what nobody asked; aiokafka at DEBUG costs a tenth of the throughput.
QUIET = (
    *("aiokafka", "faust", "mode", "aiohttp.access", "asyncio", "urllib3", "clickhouse_connect"),
    *("asyncssh", "keystoneauth", "kubernetes", "openstack"),
)

CLIENTS = ("librdkafka", "aiokafka", "pipeline.ingest.outbound.client")
SELDOM = 10.0


def about(topic: str, partition: int, offset: int) -> dict[str, Any]:
    """The ``extra`` of a line about one record."""
    return {"topic": topic, "partition": partition, "offset": offset}


def execution(id_: str) -> dict[str, Any]:
    """The ``extra`` of a line about one execution."""
    return {"execution": id_}


def configure(level: str = "info", style: str = "text", role: str | None = None) -> None:
    """Sends all log lines to standard error. ``role`` is named in each line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(role) if style == "json" else TextFormatter(role))
    if level != "debug":
        handler.addFilter(Seldom())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    # It warns of everything that it then mends itself, such as a coordinator that is still loading.
    logging.getLogger("librdkafka").setLevel(
        max(logging.ERROR, root.level) if level != "debug" else logging.DEBUG
    )


class Seldom(logging.Filter):
    """Lets a line of a Kafka client through once in ten seconds: while a broker is away it
    says the same of every connection, dozens of times a second."""

    def __init__(self) -> None:
        super().__init__()
        self.said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(CLIENTS):
            return True
        # What differs between two such lines: who, when, how long.
        key = re.sub(r"\[[^]]*\]|\d+", "", record.getMessage())
        if record.created - self.said.get(key, 0.0) < SELDOM:
            return False
        if len(self.said) > 1_000:
            self.said.clear()
        self.said[key] = record.created
        return True


class TextFormatter(logging.Formatter):
    """``TIME LEVEL [role] message topic=... partition=... offset=...``."""

    def __init__(self, role: str | None) -> None:
        super().__init__()
        self.role = role

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%H:%M:%S", time.localtime(record.created))
        parts = [f"{moment}.{int(record.msecs):03d}", f"{record.levelname:<7}"]
        if self.role:
            parts.append(f"[{self.role}]")
        parts.append(record.getMessage())
        parts += [f"{name}={value}" for name, value in _facts(record).items()]
        text = " ".join(parts)
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, role: str | None) -> None:
        super().__init__()
        self.role = role

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if self.role:
            line["role"] = self.role
        line.update(_facts(record))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name in FIELDS if (value := getattr(record, name, None)) is not None}
