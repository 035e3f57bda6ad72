"""The roles ``correlate`` and ``workflow``, as ``faultline worker`` runs them."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Literal

from ..codec import Codec
from ..errors import BrokerUnavailable
from ..kafka.registry import HttpRegistry
from ..settings import Settings
from .worker import Role, Worker, work

Name = Literal["correlate", "workflow"]


def role(name: Name) -> Role:
    """What ``name`` reads, keeps and computes."""
    if name == "correlate":
        shard = import_module("pipeline.rules.shard").GraphShard
        return Role(name, "graph.input", "correlate.changelog", shard, timers=False)
    shard = import_module("pipeline.workflow.shard").WorkflowShard
    return Role(name, "workflow.commands", "workflow.changelog", shard, timers=True)


async def run(settings: Settings, stop: asyncio.Event, name: Name) -> None:
    """Runs one worker of ``name`` until ``stop`` is set; ends the process at any error but a record's.

    Raises ``BrokerUnavailable`` when no Kafka is set, ``CheckpointFailed`` when the last
    outputs cannot be delivered.
    """
    if settings.kafka is None:
        raise BrokerUnavailable("no Kafka is set: give --kafka HOST:PORT, or use `faultline up`")
    codec = Codec(HttpRegistry(settings.registry) if settings.registry else None)
    directory = settings.data / "streams" / name
    directory.mkdir(parents=True, exist_ok=True)
    worker = Worker(settings.kafka, settings.instance, directory, codec.encode)
    await work(role(name), worker, stop)
