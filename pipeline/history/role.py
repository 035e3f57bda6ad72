"""The role ``history``: the sink, and the HTTP API for those who cannot open ClickHouse themselves."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from dataclasses import asdict
from typing import Any

from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

from ..codec import Codec
from ..console import server
from ..console.board import STATUS, Board, follow
from ..console.offsets import Extents, extents
from ..console.status import KEPT, Sight
from ..errors import InvalidSetting
from ..kafka.client import common as client_common
from ..kafka.outbox import KafkaOutbox, producer
from ..kafka.partition import Batch
from ..kafka.presence import here
from ..kafka.reader import consumer
from ..kafka.registry import HttpRegistry
from ..settings import Settings
from ..times import rfc3339
from .database import Database, local, migrate
from .feed import Feed
from .letters import Letters
from .reading import Reading
from .sink import Sink
from .writer import Writer

log = logging.getLogger(__name__)

STATUS_EVERY = 0.5
DEFAULT_API = "http://127.0.0.1:0"


def database(settings: Settings) -> Database:
    """The ClickHouse that ``settings`` name: a server, or the one in the data directory."""
    return Database(settings.clickhouse) if settings.clickhouse else local(settings.data)


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Runs the role until ``stop`` is set.

    Raises ``HistoryUnavailable`` when ClickHouse cannot be opened, ``InvalidSetting`` when
    the API cannot listen, and whatever ends the sink.
    """
    if settings.kafka is None:
        raise InvalidSetting(
            "history needs kafka, the bootstrap servers; faultline up starts a broker of its own"
        )
    bootstrap = settings.kafka
    where = database(settings)
    client = await asyncio.to_thread(where.client)
    for name in await asyncio.to_thread(migrate, client):
        log.info("history: applied %s", name)
    reading = await asyncio.to_thread(Reading, where)
    writer = await asyncio.to_thread(Writer, client)
    admin = AdminClient(client_common(bootstrap, "faultline-history"))
    board = Board()
    halt = threading.Event()
    with consumer(bootstrap, "faultline-history", patient=True) as reader:
        sink = assemble(reader, admin, writer, bootstrap, settings.registry)

        async def ends(topics: tuple[str, ...]) -> Extents:
            return await asyncio.to_thread(extents, admin, topics)

        outbox = KafkaOutbox(producer(bootstrap, f"faultline-history-{settings.instance}"), "history")
        api = server.Api(reading, Sight(board, ends, sink.positions), outbox, settings.token, bootstrap)
        runner, url = await server.serve(server.application(api), settings.api or DEFAULT_API)
        log.info("history: the API is at %s", url)
        work = asyncio.create_task(asyncio.to_thread(sink.run, halt))
        watch = asyncio.create_task(asyncio.to_thread(follow, board, bootstrap, halt))
        beat = asyncio.create_task(_announce(outbox, settings.instance, sink))
        stopped = asyncio.create_task(stop.wait())
        tasks = (work, watch, beat, stopped)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            halt.set()
            beat.cancel()
            stopped.cancel()
            await runner.cleanup()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        outbox.announce(STATUS, f"history/{settings.instance}", None, Batch())
        await asyncio.to_thread(outbox.close)
    reading.close()
    client.close()
    for result in ended:
        if isinstance(result, Exception):
            raise result


def assemble(
    reader: Consumer, admin: AdminClient, writer: Writer, bootstrap: str, registry: str | None = None
) -> Sink:
    """A sink of all the topics that history keeps."""
    feed = Feed(reader, admin, KEPT, lambda place: writer.next.get(place, 0))
    return Sink(feed, writer, Codec(HttpRegistry(registry) if registry else None), Letters(bootstrap).send)


async def _announce(outbox: KafkaOutbox, instance: str, sink: Sink) -> None:
    status = Batch()
    while True:
        beat: dict[str, Any] = {
            "role": "history",
            "instance": instance,
            **here(),
            "time": rfc3339(time.time_ns() // 1000),
            "positions": sink.positions(),
            "partitions": [],
            "counters": asdict(sink.counts),
        }
        outbox.announce(STATUS, f"history/{instance}", beat, status)
        outbox.poll()
        await asyncio.sleep(STATUS_EVERY)
