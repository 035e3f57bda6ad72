"""The changelog on Kafka: a transactional producer for each owned partition, and the restore."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException, Producer

from ..errors import CheckpointFailed, Fenced
from . import client, reader
from .checkpoint import Restored, Values

T = TypeVar("T")
PATIENCE = 45.0
"""How long a transaction waits for a broker that is away, before the process ends and starts anew."""

_FENCED = frozenset(
    code
    for code in (
        getattr(KafkaError, name, None)
        for name in ("_FENCED", "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH", "INVALID_PRODUCER_ID_MAPPING")
    )
    if code is not None
)


@dataclass(slots=True)
class KafkaChangelog:
    """The changelog of ``role``'s log ``source``. Blocking calls run in threads of its own."""

    bootstrap: str
    role: str
    source: str
    topic: str
    producers: dict[int, Producer] = field(default_factory=dict)
    threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(max_workers=16, thread_name_prefix="changelog")
    )

    async def fence(self, partitions: Collection[int]) -> None:
        """Raises ``Fenced`` or ``CheckpointFailed``."""
        # In parallel: each takes some 60 ms, most of them waiting for the broker.
        producers = await asyncio.gather(*[self._run(partial(self._fence, number)) for number in partitions])
        self.producers.update(zip(partitions, producers, strict=True))

    async def restore(self, partitions: Collection[int]) -> Restored:
        return await self._run(partial(reader.table, self.bootstrap, self.topic, partitions, self.role))

    async def extent(self, partitions: Collection[int]) -> Mapping[int, tuple[int, int]]:
        return await self._run(partial(reader.extent, self.bootstrap, self.source, partitions, self.role))

    async def write(self, partition: int, values: Values) -> None:
        """Raises ``Fenced`` or ``CheckpointFailed``."""
        producer = self.producers[partition]
        await self._run(partial(transact, producer, self.topic, partition, values))

    def release(self, partitions: Collection[int]) -> None:
        """Forgets the producers of partitions that are given up."""
        for number in partitions:
            self.producers.pop(number, None)

    def close(self) -> None:
        self.producers.clear()
        self.threads.shutdown(wait=False, cancel_futures=True)

    def _fence(self, partition: int) -> Producer:
        producer = transactional(self.bootstrap, f"faultline-{self.role}-{partition}")
        initialize(producer)
        return producer

    async def _run(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.threads, function)


def transactional(bootstrap: str, transactional_id: str) -> Producer:
    """A producer for the transactions of one partition's owner.

    One a partition, never one a worker: a worker that was thought dead must be shut out from
    exactly the partitions that others have taken over.
    """
    return Producer(
        client.common(bootstrap, transactional_id)
        | {
            "transactional.id": transactional_id,
            "transaction.timeout.ms": 60_000,
            "linger.ms": 0,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": 1_048_576,
            "message.max.bytes": client.MAX_RECORD,
        }
    )


def initialize(producer: Producer) -> None:
    """Shuts earlier owners out and ends their open transaction. Raises ``Fenced``, ``CheckpointFailed``."""
    deadline = time.monotonic() + PATIENCE
    _patiently(partial(producer.list_topics, timeout=5.0), deadline, "cannot reach the broker")
    # Asking for the topics first has the connections up: 0.06 s instead of 0.5 s.
    _patiently(partial(producer.init_transactions, 15.0), deadline, "cannot take the partition over")


def transact(producer: Producer, topic: str, partition: int, values: Values) -> None:
    """Writes ``values`` in one transaction. Raises ``Fenced`` or ``CheckpointFailed``."""
    deadline = time.monotonic() + PATIENCE
    try:
        producer.begin_transaction()
        for key, value in values:
            while True:
                try:
                    producer.produce(topic, value, key, partition)
                    break
                except BufferError:
                    producer.poll(0.01)
    except KafkaException as error:
        raise _failure(error, f"cannot write to {topic}[{partition}]") from error
    _patiently(partial(producer.commit_transaction, 15.0), deadline, f"cannot commit to {topic}[{partition}]")


def _patiently(call: Callable[[], object], deadline: float, what: str) -> None:
    while True:
        try:
            call()
            return
        except KafkaException as error:
            cause = error.args[0]
            # Both calls may be repeated after a time-out: they resume where they were.
            if not (_passes(cause) and time.monotonic() < deadline):
                raise _failure(error, what) from error
            time.sleep(0.05)


def _passes(error: KafkaError) -> bool:
    if error.fatal() or error.txn_requires_abort():
        return False
    return error.retriable() or error.code() in (KafkaError._TRANSPORT, KafkaError._TIMED_OUT)


def _failure(error: KafkaException, what: str) -> Fenced | CheckpointFailed:
    cause = error.args[0]
    if cause.code() in _FENCED:
        return Fenced(f"{what}: another worker has taken the partition over ({cause.str()})")
    return CheckpointFailed(f"{what}: {cause.name()}: {cause.str()}; the worker starts again")
