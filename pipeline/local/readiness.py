"""When a role is ready: it has said so on ``roles.status``, and the API answers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.request import ProxyHandler, build_opener

from confluent_kafka import Consumer, TopicPartition

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
    end = time.monotonic() + timeout
    with _listening(bootstrap) as voices:
        while True:
            check()
            voices.hear()
            left = [role for role, pid in pids().items() if not voices.ready(role, pid)]
            if not left and (api is None or _healthy(api)):
                return []
            if time.monotonic() > end:
                return left or ["history"]


def heard(
    bootstrap: str, roles: Collection[str], check: Callable[[], None], timeout: float
) -> dict[str, int]:
    """The process ids of ``roles`` once all have spoken and are ready; at the time-out those so far."""
    end = time.monotonic() + timeout
    with _listening(bootstrap) as voices:
        while True:
            check()
            voices.hear()
            found = {role: said.pid for role, said in voices.last.items() if voices.ready(role, said.pid)}
            if set(roles) <= set(found) or time.monotonic() > end:
                return found


@dataclass(frozen=True, slots=True)
class _Said:
    pid: int
    assigned: bool
    since: float


@dataclass(slots=True)
class _Voices:
    """The last that each role said."""

    consumer: Consumer
    last: dict[str, _Said] = field(default_factory=dict)

    def hear(self) -> None:
        for message in self.consumer.consume(200, 0.1):
            value = message.value()
            if message.error() is not None or not value:
                continue
            with suppress(ValueError, KeyError, TypeError):
                record = json.loads(value)
                role, pid = record["role"], int(record["pid"])
                before = self.last.get(role)
                since = before.since if before is not None and before.pid == pid else time.monotonic()
                self.last[role] = _Said(pid, bool(record.get("partitions")) or role not in ASSIGNED, since)

    def ready(self, role: str, pid: int | None) -> bool:
        said = self.last.get(role)
        if said is None or said.pid != pid:
            return False
        return said.assigned or time.monotonic() - said.since > UNASSIGNED_AFTER


@contextmanager
def _listening(bootstrap: str) -> Iterator[_Voices]:
    consumer = Consumer(client.reader(bootstrap, "faultline-readiness"))
    try:
        consumer.assign([TopicPartition(TOPIC, 0, client.extent(consumer, TOPIC, 0)[0])])
        yield _Voices(consumer)
    finally:
        consumer.close()


def _healthy(api: str) -> bool:
    with suppress(OSError), _direct.open(f"{api}/api/health", timeout=2) as response:
        return bool(response.status == 200)
    return False
