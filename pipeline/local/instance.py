"""The running instance of a data directory: ``DIR/faultline.json``, and how commands find it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import AlreadyRunning, NotRunning
from ..settings import Settings
from . import processes

FILE = "faultline.json"


@dataclass(frozen=True, slots=True)
class Instance:
    """What a running pipeline tells those who want to talk to it."""

    pid: int
    version: str
    kafka: str
    api: str
    token: str


def write(directory: Path, instance: Instance) -> None:
    """Writes ``DIR/faultline.json`` at once and whole; only its owner may read it, for it holds the token."""
    fresh = directory / f".{FILE}.{os.getpid()}"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, 0o600)  # whatever the umask or an older file said
        json.dump(asdict(instance), file)
        file.flush()
        os.fsync(descriptor)
    fresh.replace(directory / FILE)


def remove(directory: Path) -> None:
    """Takes the file away, at a stop."""
    (directory / FILE).unlink(missing_ok=True)


def read(directory: Path) -> Instance | None:
    """The instance that runs on ``directory``; None without one, or when its process is gone."""
    try:
        value = json.loads((directory / FILE).read_text(encoding="utf-8"))
        instance = Instance(
            int(value["pid"]),
            str(value["version"]),
            str(value["kafka"]),
            str(value["api"]),
            str(value["token"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return instance if processes.exists(instance.pid) else None


def refuse_second(directory: Path) -> None:
    """Raises ``AlreadyRunning`` naming the process that already runs a pipeline on ``directory``."""
    running = read(directory)
    if running is not None:
        raise AlreadyRunning(
            f"a pipeline runs on {directory} already (pid {running.pid}, {running.api}); "
            "stop it with faultline down, or choose another --data directory"
        )


def find(settings: Settings) -> Instance:
    """The instance that a command talks to: the one of ``--api``, else that of the data directory.

    Raises ``NotRunning``.
    """
    local = read(settings.data)
    if settings.api is not None:
        token = settings.token or (local.token if local is not None and local.api == settings.api else "")
        kafka = settings.kafka or (local.kafka if local is not None and local.api == settings.api else "")
        return Instance(0, "", kafka, settings.api, token)
    if local is None:
        raise NotRunning(
            f"no pipeline runs on {settings.data}; start one with faultline up, "
            "or say which with --data or --api"
        )
    return local
