"""How commands speak to a running pipeline: on its Kafka, or through its API if only that is known."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import settings as configuration
from ..author import operator
from ..console.client import PATIENCE, Client
from ..errors import InvalidCall
from ..ids import identify
from ..local import instance as instances
from ..times import rfc3339
from .records import Record, send

COMMANDS = "workflow.commands"
CONTROLS = "controls"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags by which the pipeline is found."""
    configuration.add_arguments(parser, "data", "api", "token", "kafka")


def command(args: argparse.Namespace, record: Mapping[str, Any], *causes: object) -> None:
    """Sends a command to an execution; its id follows from ``causes``, else it is one of its own.

    Raises ``NotRunning`` when there is no pipeline, ``BrokerUnavailable`` when it does not answer.
    """
    time_ = now()
    id_ = identify(*(causes or ("operator", record["execution"], record["command"], time_, os.getpid())))
    value = {"id": id_, "time": time_, **record, "by": {"operator": operator()}}
    _send(args, COMMANDS, str(record["root"]), value, "/api/commands")


def operate(args: argparse.Namespace, record: Mapping[str, Any], wait: float) -> dict[str, Any] | None:
    """Sends a command to an execution that is there, under whatever root it runs.

    The API knows the root; without one, or when the root is said, the command goes to Kafka as it
    is. Returns what became of it within ``wait`` seconds, as the API tells; None where nobody could be
    asked. Raises as ``command`` does, also when the API knows no such execution.
    """
    settings = configuration.load(args)
    reachable = settings.api is not None or instances.read(settings.data) is not None
    if record["root"] or not reachable:
        command(args, {**record, "root": record["root"] or record["execution"]})
        return None
    asked = {name: value for name, value in record.items() if name != "root"} | {"wait": wait}
    asked["id"] = identify("operator", record["execution"], record["command"], now(), os.getpid())
    body = {**asked, "by": {"operator": operator()}}
    told = _post(instances.find(settings), "/api/commands", body, wait + 60)
    return told if isinstance(told, dict) else None


def control(args: argparse.Namespace, key: str, value: str) -> None:
    """Sets a switch that all workers follow. Raises as ``command`` does."""
    record = {key: value, "time": now(), "by": {"operator": operator()}}
    _send(args, CONTROLS, key, record, f"/api/{key}")


def mapping(text: str | None, what: str) -> dict[str, Any]:
    """The JSON object of ``text``, or of the file in ``@FILE``. Raises ``InvalidCall``."""
    value = document(text, what) if text is not None else {}
    if not isinstance(value, dict):
        raise InvalidCall(f'{what} must be a JSON object such as {{"vm_id": "vm-1"}}')
    return value


def document(text: str, what: str) -> Any:
    """The JSON of ``text``, or of the file in ``@FILE``. Raises ``InvalidCall``."""
    try:
        return json.loads(Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text)
    except OSError as error:
        raise InvalidCall(f"{what}: {text[1:]} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InvalidCall(f"{what} is no JSON: {error}") from None


def now() -> str:
    """The present time, as records carry it."""
    return rfc3339(time.time_ns() // 1000)


def _send(args: argparse.Namespace, topic: str, key: str, value: dict[str, Any], path: str) -> None:
    settings = configuration.load(args)
    if settings.kafka is not None and settings.api is None and instances.read(settings.data) is None:
        _produce(settings.kafka, topic, key, value)
        return
    instance = instances.find(settings)
    if instance.kafka:
        _produce(instance.kafka, topic, key, value)
    else:
        _post(instance, path, value)


def _produce(bootstrap: str, topic: str, key: str, value: dict[str, Any]) -> None:
    send(bootstrap, [Record(topic, key, json.dumps(value).encode(), [])])


def _post(instance: instances.Instance, path: str, value: dict[str, Any], patience: float = PATIENCE) -> Any:
    return Client(instance.api, instance.token).post(path, value, patience)
