"""Vitrage 15.0.1 and ours on the same work, in rounds that take turns."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import records
from core import Core

PACKAGES = ("vitrage==15.0.1", "networkx==3.4.2")
CACHE = Path(__file__).resolve().parents[3] / ".cache" / "vitrage"


def python() -> Path:
    """The Python of an environment that holds Vitrage, made the first time."""
    found = CACHE / "bin" / "python"
    made = CACHE / "made"
    if not made.exists():
        print(f"installing {' and '.join(PACKAGES)} in {CACHE}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", CACHE], check=True)
        subprocess.run([found, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        made.touch()
    return found


class Vitrage:
    """Vitrage's evaluator in a process of its own (``upstream.py``).

    ``as_shipped``: with its log, garbage collection and the turns that events take; seconds are then
    those of the clock.
    """

    def __init__(self, as_shipped: bool = False) -> None:
        script = Path(__file__).with_name("upstream.py")
        self.process = subprocess.Popen(
            [python(), "-W", "ignore", script, *(["--as-shipped"] if as_shipped else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if as_shipped else None,
            text=True,
        )

    def __enter__(self) -> Vitrage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)

    def build(self, instances: int, templates: int, patched: bool) -> None:
        """A graph and templates, the first of which matches."""
        texts = [records.template(records.name_of(number)) for number in range(templates)]
        self._do("build", instances=instances, templates=texts, patched=patched)

    def alarms(self, name: str, type_: str, targets: list[str]) -> dict[str, Any]:
        """Seconds of raising an alarm on each target and of clearing them, and what stood between."""
        return dict(self._do("alarms", name=name, type_=type_, targets=targets))

    def refresh(self, count: int) -> float:
        """Seconds of as many snapshots of instances that bring nothing new."""
        return float(self._do("refresh", count=count))

    def _do(self, kind: str, **arguments: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": kind, **arguments}) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("Vitrage ended; its standard error says why")
        return json.loads(answer)


def host_alarm(vitrage: Vitrage, templates: int, patched: bool, rounds: int) -> dict[str, float]:
    """Seconds of one alarm on a host of 20 instances, raised and cleared, by either; the least of the
    rounds. Raises ``ValueError`` when the two do not derive the same."""
    instances, hosts = 1000, [f"host-{number}" for number in range(10)]
    vitrage.build(instances, templates, patched)
    ours = Core(instances, templates)
    found: dict[str, float] = {}
    for _ in range(rounds):
        few = hosts if patched or templates == 1 else hosts[:2]
        theirs = vitrage.alarms(records.MATCHING, "nova.host", few)
        _least(found, "vitrage raised", theirs["raised"] / len(few))
        _least(found, "vitrage cleared", theirs["cleared"] / len(few))
        for _ in range(3):
            step, encode = ours.alarms(records.MATCHING, "nova.host", hosts)
            standing = ours.standing()
            _least(found, "raised", step / len(hosts))
            _least(found, "raised encoded", (step + encode) / len(hosts))
            step, encode = ours.alarms(records.MATCHING, "nova.host", hosts, cleared=True)
            _least(found, "cleared", step / len(hosts))
            _least(found, "cleared encoded", (step + encode) / len(hosts))
        each = {name: count // len(few) for name, count in theirs["standing"].items()}
        if (
            each != {name: count // len(hosts) for name, count in standing.items()}
            or sum(each.values()) != 61
        ):
            raise ValueError(f"not the same work: {each} and {standing} of {len(hosts)}")
    return found


def as_shipped(vitrage: Vitrage, templates: int, rounds: int) -> dict[str, float]:
    """Alarms a second by the clock, by either: of 61 changes each, and that no template reads; the best
    of the rounds."""
    vitrage.build(1000, templates, False)
    ours = Core(1000, templates)
    found: dict[str, float] = {}
    for _ in range(rounds):
        for what, name, type_, targets in (
            ("61 changes", records.MATCHING, "nova.host", [f"host-{number}" for number in range(10)]),
            ("unread", records.NOBODY, "nova.instance", [f"vm-{number}" for number in range(200)]),
        ):
            few = targets if templates < 50 else targets[:20]
            _most(found, f"vitrage {what}", len(few) / vitrage.alarms(name, type_, few)["raised"])
            for _ in range(3):
                began = time.perf_counter()
                ours.alarms(name, type_, targets)
                _most(found, f"ours {what}", len(targets) / (time.perf_counter() - began))
                ours.alarms(name, type_, targets, cleared=True)
    return found


def no_op(vitrage: Vitrage | None, templates: int, patched: bool, rounds: int) -> dict[str, float]:
    """Seconds of one refresh of an instance and its place on a host that changes nothing."""
    ours = Core(1000, templates)
    found: dict[str, float] = {}
    if vitrage is not None:
        vitrage.build(1000, templates, patched)
    for _ in range(rounds):
        if vitrage is not None:
            few = 200 if patched or templates < 50 else 5 if templates < 1000 else 1
            _least(found, "vitrage", vitrage.refresh(few) / few)
        _least(found, "ours", ours.refresh(1000) / 1000)
    return found


def nothing(vitrage: Vitrage, size: int, templates: int, patched: bool, rounds: int) -> dict[str, float]:
    """Seconds of one alarm on an instance that no template reads."""
    vitrage.build(size, templates, patched)
    ours = Core(size, templates)
    found: dict[str, float] = {}
    for turn in range(rounds):
        targets = [f"vm-{number + 500 * turn}" for number in range(200)]
        few = targets if patched or templates < 50 else targets[:40]
        _least(found, "vitrage", vitrage.alarms(records.NOBODY, "nova.instance", few)["raised"] / len(few))
        _least(found, "ours", ours.alarms(records.NOBODY, "nova.instance", targets)[0] / len(targets))
        ours.alarms(records.NOBODY, "nova.instance", targets, cleared=True)
    return found


def _least(found: dict[str, float], name: str, seconds: float) -> None:
    found[name] = min(seconds, found.get(name, seconds))


def _most(found: dict[str, float], name: str, rate: float) -> None:
    found[name] = max(rate, found.get(name, 0))
