"""A real schema registry that speaks Confluent's API, for one test."""

from __future__ import annotations

import signal
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from pipeline.local import java, processes
from pipeline.resources import shipped

START_TIMEOUT = 90.0


@contextmanager
def registry(directory: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Runs one in ``directory``, its schemas in memory; gives its URL and its process."""
    (archive,) = java.jars(shipped("infra") / "registry" / "jars.lock")
    with tarfile.open(archive) as packed:
        packed.extractall(directory, filter="data")
    (runner,) = directory.glob("*-runner.jar")
    port = free_port()
    command = [
        *(java.runtime(), "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
        *("-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={port}", "-jar", runner),
    ]
    process = processes.spawn(command, output=directory / "registry.log", directory=directory)
    try:
        url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
        wait(process, url, directory / "registry.log")
        yield url, process
    finally:
        process.send_signal(signal.SIGCONT)
        processes.stop(process, 10.0)


def wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            with urlopen(f"{url}/subjects", timeout=2):
                return
        except (URLError, OSError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the registry did not start:\n{processes.tail(log)}") from error
            time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
