"""A Faust agent that does no more than read, and produce as many records as it is told.

BOOTSTRAP GROUP LOG OUT (1|marks) DIR [COUNTFILE GOAL]
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

import faust
from confluent_kafka import Producer


async def main() -> None:
    bootstrap, group, log, out, shown, directory, *count = sys.argv[1:]
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
    )
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 2})
    topic = app.topic(log, key_serializer="raw", value_serializer="raw")
    seen = 0
    counter = Path(count[0]).open("w") if count else None  # noqa: ASYNC230, SIM115

    async def agent(stream: Any) -> None:
        nonlocal seen
        async for event in stream.events():
            seen += 1
            message = event.message
            if shown == "1":
                producer.produce(out, message.value, message.key)
                if seen % 64 == 0:
                    producer.poll(0)
            elif counter is not None and seen % 500 == 0:
                counter.seek(0)
                counter.write(str(seen))
                counter.flush()

    app.agent(topic, concurrency=1, name="bare")(agent)
    await app.start()
    await stop.wait()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
