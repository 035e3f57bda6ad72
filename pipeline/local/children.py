"""The roles as child processes: started, watched, started again when they die, stopped."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from ..settings import Settings
from ..settings import environment as settings_environment
from . import processes

log = logging.getLogger(__name__)

# How long to wait before a role that died is started again, by how often it died in a row.
BACKOFF = (0.1, 0.5, 1.0, 2.0, 5.0)
STEADY = 30.0
"""After so many seconds of life, earlier deaths are forgotten."""
LARGEST_LOG = 20_000_000


@dataclass(slots=True)
class Child:
    """One role's process."""

    role: str
    log: Path
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    due: float = 0.0
    shown: int = 0
    ended: list[int] = field(default_factory=list)

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self.process.pid if self.process is not None else None


def prepare(settings: Settings, roles: Sequence[str], directory: Path) -> list[Child]:
    """Children for ``roles`` whose logs lie in ``directory``; none is started yet."""
    directory.mkdir(parents=True, exist_ok=True)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FAULTLINE_")}
    if cache := os.environ.get("FAULTLINE_CACHE"):
        inherited["FAULTLINE_CACHE"] = cache
    environment = {**inherited, **settings_environment(settings), "PYTHONUNBUFFERED": "1"}
    return [Child(role, directory / f"{role}.log", environment) for role in roles]


def start(child: Child) -> None:
    """Starts its process; must be called from the main thread (see ``processes.spawn``)."""
    _trim(child.log)
    if child.process is None and not child.ended:
        child.shown = child.log.stat().st_size if child.log.exists() else 0
    # -P: a directory called pipeline where the user stands must not be taken for the program.
    command = [sys.executable, "-P", "-m", "pipeline", "worker", "--role", child.role, "--topics-checked"]
    child.process = processes.spawn(command, output=child.log, environment=child.environment)
    child.started = time.monotonic()


def watch(child: Child) -> bool:
    """Starts it again when it has died and its pause is over. True when it was found dead just now."""
    now = time.monotonic()
    if child.process is None:
        if now >= child.due:
            start(child)
            log.info("%s started again, pid %s", child.role, child.pid)
        return False
    code = child.process.poll()
    if code is None:
        return False
    child.deaths = 0 if now - child.started > STEADY else child.deaths
    pause = BACKOFF[min(child.deaths, len(BACKOFF) - 1)]
    child.deaths += 1
    child.due = now + pause
    child.ended.append(code)
    child.process = None
    log.warning("%s ended (%s); starting it again in %.1f s", child.role, processes.describe(code), pause)
    return True


def stop(child: Child, timeout: float) -> None:
    """Asks it to end, kills it at the time-out."""
    if child.process is None:
        return
    if not processes.stop(child.process, timeout):
        log.warning("%s did not stop within %.0f s and was killed", child.role, timeout)
    child.process = None


def kill(child: Child) -> None:
    """Ends it at once."""
    if child.process is not None:
        child.process.kill()
        child.process.wait()
        child.process = None


def show(child: Child, out: TextIO) -> None:
    """Copies to ``out`` what its log has got since the last call, whole lines only."""
    try:
        size = child.log.stat().st_size
        if size < child.shown:
            child.shown = 0
        if size == child.shown:
            return
        with child.log.open("rb") as file:
            file.seek(child.shown)
            text = file.read(1_000_000)
    except OSError:
        return
    whole = text[: text.rfind(b"\n") + 1]
    if not whole:
        return
    child.shown += len(whole)
    out.write(whole.decode("utf-8", errors="replace"))
    out.flush()
    if child.shown > LARGEST_LOG:
        _trim(child.log)
        child.shown = 0


def _trim(path: Path) -> None:
    # The writer appends, so that the file can be emptied under it.
    try:
        if path.stat().st_size > LARGEST_LOG:
            shutil.copyfile(path, path.with_suffix(".log.1"))
            os.truncate(path, 0)
    except OSError:
        return
