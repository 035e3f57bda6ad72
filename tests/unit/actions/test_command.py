"""``std.command``: off unless allowed, without the executor's variables, and ended whole."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.actions import command as module
from pipeline.actions import registry
from pipeline.actions.declaration import Context
from pipeline.errors import ActionFailed, InvalidInput

SH = "/bin/sh"


async def run(*words: str, allow: tuple[str, ...] = (SH,), **given: Any) -> Any:
    return await registry.find("std.command").run(Context(commands=allow), {"command": list(words), **given})


def test_it_is_off_unless_the_program_is_allowed(go: Any) -> None:
    with pytest.raises(ActionFailed, match=r"/bin/sh may not be run.*command_allow"):
        go(run(SH, "-c", "true", allow=()))
    with pytest.raises(ActionFailed, match="command_allow"):
        go(run("sh", "-c", "true"))
    with pytest.raises(InvalidInput, match="a program and its arguments"):
        go(run())


def test_a_program_gets_its_arguments_and_input_and_no_shell(go: Any, tmp_path: Path) -> None:
    answer = go(run("/bin/cat", allow=("/bin/cat",), stdin="hello"))
    assert answer == {"status": 0, "stdout": "hello", "stderr": ""}
    said = go(run(SH, "-c", 'echo "$1" "$V"; pwd', "x", "$(id)", env={"V": "é"}, cwd=str(tmp_path)))
    assert said["stdout"] == f"$(id) é\n{tmp_path}\n"


def test_the_executor_s_variables_are_not_the_program_s(go: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAULTLINE_TOKEN", "hush-hush")
    monkeypatch.setenv("VAULT_KEY", "hush-hush")
    assert "hush" not in go(run(SH, "-c", "env"))["stdout"]


def test_another_status_is_an_error_that_carries_what_was_said(go: Any) -> None:
    with pytest.raises(ActionFailed, match="ended with status 3") as failed:
        go(run(SH, "-c", "echo out; echo err >&2; exit 3"))
    assert failed.value.details == {"status": 3, "stdout": "out\n", "stderr": "err\n"}
    with pytest.raises(ActionFailed, match="ended by signal 9"):
        go(run(SH, "-c", "kill -9 $$"))
    with pytest.raises(ActionFailed, match="cannot be run"):
        go(run("/no/such", allow=("/no/such",)))


def test_a_program_that_takes_too_long_is_ended_with_all_that_it_began(go: Any, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with pytest.raises(ActionFailed, match=r"within 0.5 s.*outcome unknown"):
        go(run(SH, "-c", f"sleep 60 & echo $! > {note}; wait", timeout=0.5))
    pid = int(note.read_text())
    end = time.monotonic() + 5
    while _alive(pid):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_cancelled_program_is_ended(go: Any, tmp_path: Path) -> None:
    note = tmp_path / "pid"

    async def body() -> None:
        running = asyncio.create_task(run(SH, "-c", f"echo $$ > {note}; exec sleep 60"))
        while not (note.exists() and note.read_text().strip()):  # noqa: ASYNC110 - it is a process
            await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    go(body())
    assert not _alive(int(note.read_text()))


def test_what_it_says_is_bounded_and_does_not_block_it(go: Any) -> None:
    said = go(run(SH, "-c", "head -c 3000000 /dev/zero | tr '\\0' x; echo end >&2"))
    assert len(said["stdout"]) < module.OUTPUT + 50
    assert said["stdout"].endswith("(cut at 256 KiB)")
    assert said["stderr"] == "end\n"


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
    finally:
        assert os.getpid() != pid
