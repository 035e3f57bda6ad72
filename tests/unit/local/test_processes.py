from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from pipeline.local import ports, processes


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def test_what_it_prints_is_appended(tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.write_text("before\n")
    processes.spawn(python("print('said')"), output=output).wait()
    assert output.read_text() == "before\nsaid\n"


def test_it_has_a_session_of_its_own(tmp_path: Path) -> None:
    process = processes.spawn(python("import time; time.sleep(60)"), output=tmp_path / "out")
    assert os.getsid(process.pid) == process.pid
    assert processes.stop(process, 10)
    assert process.returncode == -signal.SIGTERM


def test_what_does_not_end_is_killed(tmp_path: Path) -> None:
    program = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    )
    process = processes.spawn(python(program), output=tmp_path / "out")
    while "up" not in (tmp_path / "out").read_text():
        assert process.poll() is None
    assert not processes.stop(process, 0.1)
    assert process.returncode == -signal.SIGKILL


def test_one_that_ended_but_was_not_waited_for_does_not_exist(tmp_path: Path) -> None:
    process = processes.spawn(python(""), output=tmp_path / "out")
    assert processes.wait_gone(process.pid, 10)
    process.wait()
    assert processes.exists(os.getpid())


@pytest.mark.parametrize(
    ("code", "words"), [(0, "exit status 0"), (3, "exit status 3"), (-9, "SIGKILL"), (-99, "signal 99")]
)
def test_an_end_in_words(code: int, words: str) -> None:
    assert processes.describe(code) == words


def test_the_end_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"x\n" * 50_000 + b"\xff one\ntwo\n")
    assert processes.tail(log, 2) == "\ufffd one\ntwo"
    assert processes.tail(tmp_path / "none") == ""


def test_a_port_that_is_not_for_clients() -> None:
    port = ports.free()
    assert port < int(ports.RANGE.read_text().split()[0])
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))
        server.listen()
        assert not ports.is_free(port)
    assert ports.is_free(port)
