from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipeline.local import instance, processes
from pipeline.local.instance import Instance

pytestmark = [pytest.mark.broker, pytest.mark.slow]

ROLES = {"ingest", "correlate", "workflow", "executor", "history"}


@dataclass
class Local:
    """A pipeline on a data directory of its own, driven by the command as a user would."""

    data: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def command(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if name != "FAULTLINE_DATA"}
        return subprocess.run(
            [sys.executable, "-P", "-m", "pipeline", *arguments, "--data", str(self.data)],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            cwd=self.data.parent,
            env=environment,
        )

    def up(self, *arguments: str) -> Instance:
        command = [
            sys.executable,
            "-P",
            "-m",
            "pipeline",
            "up",
            "--data",
            self.data,
            "--partitions",
            "2",
            *arguments,
        ]
        process = processes.spawn(command, output=self.data.parent / "up.log", directory=self.data.parent)
        self.started.append(process)
        self.until(lambda: process.poll() is not None or instance.read(self.data) is not None, 90)
        running = instance.read(self.data)
        assert running is not None, processes.tail(self.data.parent / "up.log")
        return running

    def pids(self) -> dict[str, int]:
        """The process of each role that has been heard of lately; none while nobody can tell."""
        answer = self.command("status", "--json")
        roles = json.loads(answer.stdout)["roles"] if answer.returncode == 0 else []
        return {role["role"]: role["pid"] for role in roles if role["alive"]}

    def until(self, fulfilled: Callable[[], Any], seconds: float = 40) -> None:
        end = time.monotonic() + seconds
        while not fulfilled():
            assert time.monotonic() < end, processes.tail(self.data.parent / "up.log", 60)
            time.sleep(0.1)


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    (tmp_path / "d").mkdir()
    local = Local(tmp_path / "d")
    yield local
    for process in local.started:
        processes.stop(process, 40)


def children(pid: int) -> list[int]:
    """The processes that ``pid`` has started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append(int(entry.name))
    return found


def test_starts_all_roles_and_stops_without_a_trace(local: Local) -> None:
    running = local.up()
    assert (local.data / "faultline.json").stat().st_mode & 0o777 == 0o600
    assert set(local.pids()) == ROLES
    started = children(running.pid)
    assert len(started) == len(ROLES) + 1
    assert local.command("status", "--wait", "20").returncode == 0

    second = local.command("up")
    assert second.returncode == 1
    assert f"pid {running.pid}" in second.stderr

    assert local.command("down").returncode == 0
    assert not (local.data / "faultline.json").exists()
    assert not [pid for pid in [running.pid, *started] if processes.exists(pid)]
    again = local.command("down")
    assert (again.returncode, "no pipeline runs" in again.stderr) == (1, True)


def test_children_do_not_outlive_the_supervisor(local: Local) -> None:
    running = local.up()
    started = children(running.pid)
    os.kill(running.pid, signal.SIGKILL)
    local.started[0].wait()
    assert all(processes.wait_gone(pid, 10) for pid in started)
    # What it left behind counts as not running, and the next start has the same data.
    assert local.command("status").returncode == 1
    assert set(local.up() and local.pids()) == ROLES


def test_a_role_that_dies_is_started_again_and_so_is_the_broker(local: Local) -> None:
    running = local.up()
    before = local.pids()
    os.kill(before["ingest"], signal.SIGKILL)
    os.kill(before["history"], signal.SIGKILL)
    local.until(lambda: {"ingest", "history"} <= {r for r, p in local.pids().items() if p != before[r]}, 90)
    log = (local.data.parent / "up.log").read_text()
    assert "ingest ended (SIGKILL)" in log

    [broker] = [
        pid for pid in children(running.pid) if b"kafka.Kafka" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    os.kill(broker, signal.SIGKILL)
    local.until(
        lambda: "the Kafka broker is back at " + running.kafka in (local.data.parent / "up.log").read_text(),
        90,
    )
    local.until(lambda: local.command("status", "--wait", "5").returncode == 0, 90)
    # A role that gave up while the broker was away is a moment behind the others.
    local.until(lambda: set(local.pids()) == ROLES, 90)


def test_a_bad_file_is_named_and_the_rest_goes_on(local: Local) -> None:
    playbooks = local.data.parent / "playbooks"
    playbooks.mkdir()
    (playbooks / "good.yaml").write_text("version: '2.0'\ngood:\n  tasks:\n    a:\n      action: std.noop\n")
    (playbooks / "bad.yaml").write_text("version: '2.0'\nbad:\n  tasks:\n    a:\n      akshun: std.noop\n")
    (local.data.parent / "rules").mkdir()
    (local.data.parent / "rules" / "broken.yaml").write_text("metadata: [\n")
    local.up()
    log = (local.data.parent / "up.log").read_text()
    assert f"{playbooks / 'bad.yaml'}:5:" in log
    assert "broken.yaml:2:1: yaml" in log
    assert "sent: added WORKFLOW/good, VALUES/" in log
    assert local.command("status", "--wait", "20").returncode == 0


def test_a_broker_that_cannot_start_is_told_with_the_end_of_its_log(local: Local) -> None:
    (local.data / "broker" / "data").mkdir(parents=True)
    (local.data / "broker" / "data" / "meta.properties").write_text("version=1\ncluster.id=x\nnode.id=77\n")
    failed = local.command("up", timeout=90)
    assert failed.returncode == 1
    assert "ended while starting" in failed.stderr
    assert "meta.properties" in failed.stderr


def test_settings_that_contradict_what_is_there_are_refused(local: Local) -> None:
    local.up()
    assert local.command("down").returncode == 0
    refused = local.command("up", "--partitions", "3", timeout=90)
    assert refused.returncode == 1
    assert "topic graph.input has 2 partitions, expected 3" in refused.stderr
