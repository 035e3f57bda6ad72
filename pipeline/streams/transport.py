"""Faust's way from its fetcher to an agent, without four asyncio tasks for every record.

Faust hands each record over in a race against a rebalance, which costs more than all else
it does with the record. The race is only needed where handing over can block; here it
cannot, since the queue is watched and waited for beforehand.
"""

from __future__ import annotations

import asyncio
from typing import Any

from faust.transport.drivers import aiokafka

YIELD_EVERY = 100
HIGH = 1_000
LOW = 300
PAUSE = 0.001


class Consumer(aiokafka.Consumer):  # type: ignore[misc]
    """Faust's consumer but for how it hands records over."""

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                await asyncio.sleep(0)
                await self._hand_over(fetcher)
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise

    async def _hand_over(self, fetcher: Any) -> None:
        """Gives one fetch to the agents, in order, and no faster than they take it."""
        deliver, read, flow = self.callback, self._read_offset, self.app.flow_control
        channels = self.app.topics._tp_index
        count = 0
        async for tp, message in self.getmany(timeout=1.0):
            known = read[tp]
            if known is not None and message.offset < known:
                continue  # A seek made the fetcher go back.
            queues = [channel.queue for channel in channels[tp]]
            count += 1
            if count % YIELD_EVERY == 0:
                await asyncio.sleep(0)
            if any(queue.qsize() > HIGH for queue in queues):
                # The queue tells nobody that it has emptied.
                while self._flows(fetcher) and any(queue.qsize() > LOW for queue in queues):  # noqa: ASYNC110
                    await asyncio.sleep(PAUSE)
            if self._flows(fetcher) and flow.is_active():
                await deliver(message)
            else:
                # A rebalance has begun: the record is dropped with the rest, and read again.
                await self.wait_first(deliver(message), self.suspend_flow.wait())
            read[tp] = message.offset

    def _flows(self, fetcher: Any) -> bool:
        return bool(self.flow_active and not self.should_stop and not fetcher.should_stop)


class Transport(aiokafka.Transport):  # type: ignore[misc]
    """Faust's transport with that consumer."""

    Consumer = Consumer
