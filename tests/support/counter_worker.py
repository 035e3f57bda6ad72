"""A worker of counter shards, as a process to be killed: BOOTSTRAP GROUP LOG CHANGELOG OUT INSTANCE DIR."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from functools import partial
from pathlib import Path

from counter import CounterShard

from pipeline.events import Output
from pipeline.kafka.outbox import as_json
from pipeline.streams.worker import Role, Worker, work


class Deadly(CounterShard):
    """Dies of a record that says so."""

    def step(self, value: bytes, position: int, timestamp: int) -> list[Output]:
        if b'"kill"' in value:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().step(value, position, timestamp)


async def main() -> None:
    bootstrap, group, log, changelog, out, instance, directory = sys.argv[1:]
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    role = Role(group, log, changelog, partial(Deadly, topic=out), timers=False)
    await work(role, Worker(bootstrap, instance, Path(directory), as_json), stop)


if __name__ == "__main__":
    asyncio.run(main())
