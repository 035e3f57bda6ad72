"""Plays the demo while a seeded hand kills its roles, and tells what came of it."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.local import watch

ROLES = ("ingest", "correlate", "workflow", "executor", "history")
# Longer calls than a person would like to watch, so that blows can meet them.
PACE = 2.0
PATIENCE = 400.0


@dataclass(frozen=True, slots=True)
class Blow:
    """Kill ``role`` ``delay`` seconds after the ``action``-th action was given out, or after the start."""

    role: str
    action: int | None
    delay: float


@dataclass(slots=True)
class Played:
    """One demo: its exit status and outcome, and the blows that it got."""

    status: int
    outcome: dict[str, Any]
    blows: list[str] = field(default_factory=list)
    in_flight: int = 0
    story: str = ""


def draw(chance: random.Random, number: int) -> list[Blow]:
    """``number`` blows for one demo, half of them at an action in flight."""
    roles = chance.sample(ROLES, len(ROLES))
    blows = []
    for index in range(number):
        if index % 2 == 0:
            # The 3rd blow of a role within seconds would only try its restart.
            action = 1 + index * 4 + chance.randrange(4)
            blows.append(Blow(roles[index % len(roles)], action, chance.uniform(0.0, 0.25)))
        else:
            blows.append(Blow(roles[index % len(roles)], None, chance.uniform(1.0, 20.0)))
    return blows


def play(directory: Path, blows: list[Blow]) -> Played:
    """Runs ``faultline demo --json`` on ``directory`` and deals out ``blows``."""
    directory.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-P", "-m", "pipeline", "demo", "--json", "--pace", str(PACE)]
    output, story = directory / "outcome.json", directory / "story.txt"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FAULTLINE_")}
    if cache := os.environ.get("FAULTLINE_CACHE"):
        environment["FAULTLINE_CACHE"] = cache
    with output.open("wb") as out, story.open("wb") as err:
        demo = subprocess.Popen(
            [*command, "--data", str(directory / "data")],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=environment,
            cwd=directory,
        )
        played = Played(-1, {})
        try:
            _deal(demo, directory / "data", list(blows), played)
            played.status = demo.wait(PATIENCE)
        finally:
            if demo.poll() is None:
                demo.kill()
                demo.wait()
    played.story = story.read_text(encoding="utf-8", errors="replace")
    with suppress(ValueError):
        played.outcome = json.loads(output.read_text(encoding="utf-8"))
    return played


def comparable(outcome: dict[str, Any]) -> dict[str, Any]:
    """The facts of an outcome without the ports that the system chose."""
    text = json.dumps(outcome.get("facts", {}), sort_keys=True)
    found: dict[str, Any] = json.loads(re.sub(r"(port |:|', )\d{4,5}", r"\g<1>PORT", text))
    return found


def unknown_outcomes(facts: dict[str, Any]) -> set[str]:
    """The inputs of executions that met an action whose outcome nobody knows."""
    return {given for given, _, state, info in facts.get("tasks", []) if "outcome unknown" in info}


def without(facts: dict[str, Any], inputs: set[str]) -> dict[str, Any]:
    """The facts without what depends on how the executions with ``inputs`` went on."""
    instances = {json.loads(given)["vm_id"] for given in inputs}

    def about(row: list[Any]) -> bool:
        return any(str(cell).endswith(f"/{one}") or cell in inputs for cell in row for one in instances)

    return {
        name: [row for row in part if not about(row)] if isinstance(part, list) else part
        for name, part in facts.items()
        if name not in ("published", "hosts")
    }


def _deal(demo: subprocess.Popen[bytes], data: Path, blows: list[Blow], played: Played) -> None:
    kafka = _bootstrap(demo, data)
    if kafka is None:
        return
    reader = watch.open_at_end(kafka, "chaos", ("workflow.actions", "workflow.commands"))
    began = time.monotonic()
    given: dict[str, float] = {}
    answered: set[str] = set()
    try:
        while blows and demo.poll() is None:
            for one in watch.read(reader, 0.01):
                if one.topic == "workflow.actions":
                    given.setdefault(one.value["id"], time.monotonic())
                elif one.value.get("command") == "RESULT":
                    answered.add(one.value["action"])
            for blow in list(blows):
                if _due(blow, began, list(given.values())):
                    flying = len(given.keys() - answered)
                    pid = _kill(demo.pid, blow.role)
                    if pid is None:
                        continue
                    blows.remove(blow)
                    played.in_flight += bool(flying)
                    played.blows.append(
                        f"{time.monotonic() - began:.2f} s: {blow.role} (pid {pid}), {flying} in flight"
                    )
    finally:
        reader.close()


def _due(blow: Blow, began: float, given: list[float]) -> bool:
    if blow.action is None:
        return time.monotonic() >= began + blow.delay
    return len(given) >= blow.action and time.monotonic() >= given[blow.action - 1] + blow.delay


def _bootstrap(demo: subprocess.Popen[bytes], data: Path) -> str | None:
    while demo.poll() is None:
        with suppress(OSError, ValueError, KeyError):
            found = json.loads((data / "faultline.json").read_text(encoding="utf-8"))
            return str(found["kafka"])
        time.sleep(0.02)
    return None


def _kill(parent: int, role: str) -> int | None:
    for pid, arguments in _children(parent):
        if "--role" in arguments and arguments[arguments.index("--role") + 1] == role:
            os.kill(pid, signal.SIGKILL)
            return pid
    return None  # it was killed a moment ago and is not back yet


def _children(parent: int) -> Iterator[tuple[int, list[str]]]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError, IndexError, ValueError):
            if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                arguments = (entry / "cmdline").read_bytes().decode().split("\0")
                yield int(entry.name), [one for one in arguments if one]
