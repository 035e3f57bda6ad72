"""Whether another worker goes by the name that this one was given.

Two of one name would shut each other out of their group for ever: each, started again, takes the
place of the other.
"""

from __future__ import annotations

import os
import socket
import time
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaException, TopicPartition

from ..errors import NameTaken
from . import client

STATUS = "roles.status"
LATELY = 3.0
"""Seconds within which whoever lives has said so, several times over."""
LISTEN = 1.5
PATIENCE = 10.0


def here() -> dict[str, Any]:
    """Who this process is, as it says with each heartbeat."""
    return {"pid": os.getpid(), "host": socket.gethostname()}


def refuse_second(bootstrap: str, role: str, instance: str) -> None:
    """Raises ``NameTaken`` when a worker of ``role`` that lives is called ``instance`` already.

    One that spoke a moment ago may have died since: it counts once it speaks again.
    """
    name = f"{role}/{instance}"
    consumer = Consumer(client.reader(bootstrap, f"faultline-{name}-presence"))
    try:
        place = TopicPartition(STATUS, 0, int((time.time() - LATELY) * 1000))
        # As long as records are there; at a quiet topic's end the answer is "the end".
        try:
            [begin] = consumer.offsets_for_times([place], timeout=PATIENCE)
            end = consumer.get_watermark_offsets(TopicPartition(STATUS, 0), timeout=PATIENCE)[1]
        except KafkaException:
            return  # Kafka is away, and whoever lives waits for it too: the role says so by its own means.
        if not 0 <= begin.offset < end:
            return
        consumer.assign([begin])
        last: dict[str, Any] | None = None
        limit = time.monotonic() + PATIENCE
        listening = False
        while time.monotonic() < limit:
            for message in consumer.consume(500, 0.05):
                if message.error() is not None:
                    continue
                if message.key() == name.encode():
                    last = msgspec.json.decode(message.value()) if message.value() else None
                    if listening and last is not None and not _is_over(last):
                        raise NameTaken(
                            f"another {role} worker is called {instance!r} (pid {last.get('pid')} on "
                            f"{last.get('host')}): give this one a name of its own with --instance, "
                            "or stop the other"
                        )
                if message.offset() >= end - 1 and not listening:
                    if last is None or _is_over(last):
                        return
                    listening, limit = True, time.monotonic() + LISTEN
    finally:
        consumer.close()


def _is_over(said: dict[str, Any]) -> bool:
    """Whether the process that said this cannot live any more, as far as can be seen from here."""
    if said.get("host") != socket.gethostname():
        return False
    pid = int(said["pid"])
    # In a container every life has the same number.
    if pid == os.getpid():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass
    return False
