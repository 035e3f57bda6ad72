"""What figures were measured on: the machine, the versions, the command."""

from __future__ import annotations

import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("faust-streaming", "confluent-kafka", "aiokafka", "chdb")


def facts(command: str, measured: str = "") -> list[str]:
    """Lines of a Markdown list; ``command`` is the script that measures, ``measured`` the packages and
    versions that figure, where that is not the whole pipeline."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    load = " ".join(_lines("/proc/loadavg")[0].split()[:3]) if _lines("/proc/loadavg") else "unknown"
    packages = measured or ", ".join(
        ["Apache Kafka 4.3.1 (local broker)", *(f"{name} {version(name)}" for name in PACKAGES)]
    )
    return [
        f"- {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, {cores()} cores of {model}, "
        f"load {load} at the end",
        f"- Python {platform.python_version()}, {packages}",
        f"- `{' '.join(['python', command, *sys.argv[1:]])}`",
    ]


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
