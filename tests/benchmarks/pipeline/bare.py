"""A Faust agent that only reads, and produces as many records as it is told.

BOOTSTRAP GROUP TOPIC OUT OUTPUTS DIR
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from typing import Any

import faust
from confluent_kafka import Producer


async def main() -> None:
    bootstrap, group, source, out, outputs, directory = sys.argv[1:]
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    app = faust.App(
        group,
        broker=f"kafka://{bootstrap}",
        datadir=directory,
        value_serializer="raw",
        key_serializer="raw",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_recovery_delay=0.0,
        worker_redirect_stdouts=False,
        consumer_auto_offset_reset="earliest",
    )
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "linger.ms": 2,
            "enable.idempotence": True,
            "compression.type": "lz4",
        }
    )
    number = int(outputs)

    async def agent(stream: Any) -> None:
        seen = 0
        async for event in stream.events():
            seen += 1
            message = event.message
            for _ in range(number):
                producer.produce(out, message.value, message.key)
            if seen % 64 == 0:
                producer.poll(0)

    topic = app.topic(source, key_serializer="raw", value_serializer="raw")
    app.agent(topic, concurrency=1, name="bare")(agent)
    await app.start()
    await stop.wait()
    producer.flush(5)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
