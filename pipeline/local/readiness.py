"""When a role is ready: it has said so on ``roles.status``, and the API answers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from urllib.request import ProxyHandler, build_opener

from confluent_kafka import Consumer, KafkaException, TopicPartition

from ..errors import BrokerUnavailable
from ..kafka import client

TOPIC = "roles.status"
# Roles that do nothing before they are given partitions.
ASSIGNED = ("correlate", "workflow", "executor")
UNASSIGNED_AFTER = 10.0
_direct = build_opener(ProxyHandler({}))


def wait(
    bootstrap: str,
    api: str | None,
    pids: Callable[[], Mapping[str, int | None]],
    check: Callable[[], None],
    timeout: float,
) -> list[str]:
    """Waits until every role of ``pids`` is ready; returns those that are not at the time-out.

    ``pids`` tells each role's process id of the moment; ``check`` is called often and may
    raise to give up. A worker that gets no partition since others have them all counts as
    ready after ten seconds.
    """
    heard: dict[str, tuple[int, bool, float]] = {}
    end = time.monotonic() + timeout
    consumer = Consumer(client.reader(bootstrap, "faultline-readiness"))
    try:
        consumer.assign([TopicPartition(TOPIC, 0, _first(consumer))])
        while True:
            check()
            for message in consumer.consume(200, 0.1):
                if message.error() is None and message.value():
                    _note(heard, message.value())
            left = [role for role, pid in pids().items() if not _ready(heard.get(role), pid)]
            if not left and (api is None or _healthy(api)):
                return []
            if time.monotonic() > end:
                return left or ["history"]
    finally:
        consumer.close()


def _first(consumer: Consumer) -> int:
    try:
        first, _ = consumer.get_watermark_offsets(TopicPartition(TOPIC, 0), timeout=15)
        return int(first)
    except KafkaException as error:
        raise BrokerUnavailable(f"{TOPIC} cannot be read: {error.args[0].str()}") from error


def _note(heard: dict[str, tuple[int, bool, float]], value: bytes) -> None:
    with suppress(ValueError, KeyError, TypeError):
        record = json.loads(value)
        role, pid = record["role"], int(record["pid"])
        before = heard.get(role)
        since = before[2] if before is not None and before[0] == pid else time.monotonic()
        heard[role] = (pid, bool(record.get("partitions")) or role not in ASSIGNED, since)


def _ready(heard: tuple[int, bool, float] | None, pid: int | None) -> bool:
    if heard is None or pid is None or heard[0] != pid:
        return False
    return heard[1] or time.monotonic() - heard[2] > UNASSIGNED_AFTER


def _healthy(api: str) -> bool:
    with suppress(OSError), _direct.open(f"{api}/api/health", timeout=2) as response:
        return bool(response.status == 200)
    return False
