"""The roles ``correlate`` and ``workflow``, as ``faultline worker`` runs them."""

from __future__ import annotations

import asyncio
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from .worker import Role, work

Name = Literal["correlate", "workflow"]


def role(name: Name) -> Role:
    """What ``name`` reads, keeps and computes."""
    if name == "correlate":
        shard = import_module("pipeline.rules.shard").GraphShard
        return Role(name, "graph.input", "correlate.changelog", shard, timers=False)
    shard = import_module("pipeline.workflow.shard").WorkflowShard
    return Role(name, "workflow.commands", "workflow.changelog", shard, timers=True)


async def run(settings: Any, stop: asyncio.Event, name: Name, instance: str = "0") -> None:
    """Runs one worker of ``name`` until ``stop`` is set."""
    directory = Path(settings.data) / "streams" / name
    await work(role(name), settings.kafka, instance, directory, stop)
