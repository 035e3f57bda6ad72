"""Child processes that cannot outlive the process that started them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
# Looked up before any fork: a child of a threaded process may not load libraries.
_prctl = getattr(ctypes.CDLL(None), "prctl", None) if sys.platform == "linux" else None


def spawn(
    command: Sequence[str | Path],
    *,
    output: Path,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    keep: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Starts ``command`` in a session of its own, what it prints appended to ``output``.

    The kernel kills it when the thread that called this ends, so call it from a thread
    that lives as long as the process (the main one). Its own session keeps a Ctrl-C
    at the terminal from reaching it: whoever started it decides the order of the stop.
    ``keep``: file descriptors that it inherits (a lock that it holds while it lives).
    """
    parent = os.getpid()

    def tie() -> None:
        if _prctl is not None:
            _prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
            if os.getppid() != parent:  # the parent died before the tie was made
                os._exit(1)

    with output.open("ab") as file:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=dict(environment) if environment is not None else None,
            cwd=directory,
            start_new_session=True,
            pass_fds=keep,
            preexec_fn=tie,
        )


def stop(process: subprocess.Popen[bytes], timeout: float) -> bool:
    """Asks ``process`` to end and waits; kills it at the time-out. Whether it ended by itself."""
    if process.poll() is not None:
        return True
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    return True


def exists(pid: int) -> bool:
    """Whether a process with this id lives (one that has ended but was not waited for does not)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return not Path("/proc/self").exists()
    return state not in ("Z", "X")


def wait_gone(pid: int, timeout: float) -> bool:
    """Waits until no process has the id ``pid``; False at the time-out."""
    end = time.monotonic() + timeout
    while exists(pid):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def describe(returncode: int) -> str:
    """How a process ended, in words: ``exit status 3`` or ``SIGKILL``."""
    if returncode >= 0:
        return f"exit status {returncode}"
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"signal {-returncode}"


def tail(path: Path, lines: int = 20) -> str:
    """The last ``lines`` of a log, for an error's message; empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 65536))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
