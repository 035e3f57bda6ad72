"""``std.command``: a program of the executor's machine, if the settings name it."""

from __future__ import annotations

import os
import signal
from typing import Any

from ..errors import ActionFailed, InvalidInput
from .declaration import Context, action

SECONDS = 60.0
OUTPUT = 256 * 1024
# What programs need to find their like; the executor's own variables hold its credentials.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")


@action("std.command", "changes")
async def command(
    context: Context,
    command: list[str],
    stdin: str | None = None,
    env: dict[str, str] | None = None,
    cwd: str | None = None,
    timeout: float = SECONDS,  # noqa: ASYNC109 - it is the action's input
) -> dict[str, Any]:
    """Runs a program of this machine, without a shell; ``stdout``, ``stderr`` and ``status`` of it.

    Raises ``ActionFailed`` with these when the status is not 0.
    """
    import asyncio
    from asyncio.subprocess import DEVNULL, PIPE

    program = _permitted(context, command)
    if "\0" in "".join([*command, *(env or {}), *(env or {}).values()]):
        raise InvalidInput("std.command: an argument or a variable holds a zero byte")
    variables = {name: os.environ[name] for name in INHERITED if name in os.environ} | (env or {})
    try:
        # A group of its own, so that what it starts ends with it.
        child = await asyncio.create_subprocess_exec(
            program, *command[1:], stdin=DEVNULL if stdin is None else PIPE, stdout=PIPE, stderr=PIPE,
            env=variables, cwd=cwd or "/", start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise ActionFailed(f"{program} cannot be run: {error.strerror}") from None
    try:
        async with asyncio.timeout(timeout):
            _, stdout, stderr = await asyncio.gather(
                _feed(child, stdin), _head(child.stdout), _head(child.stderr)
            )
            status = await child.wait()
    except TimeoutError:
        raise ActionFailed(
            f"{program} did not end within {timeout:g} s and was ended; outcome unknown"
        ) from None
    finally:
        _end_group(child.pid)
        if child.returncode is None:
            await child.wait()
    said = {"status": status, "stdout": stdout, "stderr": stderr}
    if status:
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        raise ActionFailed(f"{program} {how}", details=said)
    return said


def _permitted(context: Context, command: list[str]) -> str:
    if not command:
        raise InvalidInput("std.command: input `command`: a program and its arguments, as a list")
    if command[0] not in context.commands:
        raise ActionFailed(
            f"{command[0]} may not be run on the executor's machine; "
            f"list its full path under command_allow in the settings to allow it"
        )
    return command[0]


async def _feed(child: Any, text: str | None) -> None:
    if text is None:
        return
    try:
        child.stdin.write(text.encode())
        await child.stdin.drain()
        child.stdin.close()
    except ConnectionError:
        # It does not want to read: its own business.
        return


async def _head(stream: Any) -> str:
    """The beginning of what is said; the rest is read too, or the program would wait for its reader."""
    kept = bytearray()
    cut = False
    while part := await stream.read(65_536):
        cut = cut or len(kept) + len(part) > OUTPUT
        kept += part[: OUTPUT - len(kept)]
    text = kept.decode(errors="replace")
    return f"{text}\n(cut at {OUTPUT // 1024} KiB)" if cut else text


def _end_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


ACTIONS = (command,)
