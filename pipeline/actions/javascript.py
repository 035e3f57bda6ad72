"""``std.js``: a script in an embedded engine, in a process beside this one that dies with its limits.

The engine's own limits stop a script that loops or allocates. That it runs in a process of its own
means that a fault of the engine, or what its limits do not see, takes nothing else down either. A
process serves one script after another, each in a new engine, until one of them meets a limit.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ActionFailed, InvalidInput
from .declaration import Context, action

ENGINE = "quickjs"
CHILD = Path(__file__).with_name("javascript_child.py")
SECONDS = 5.0
MOST_SECONDS = 60.0
MEMORY = 64 * 1024 * 1024
RESULT = 900_000
# More at a time would only make each of them slower, and its time limit is one of wall time too.
AT_A_TIME = 4
STARTING = 5.0


@dataclass(frozen=True, slots=True)
class Script:
    """What the child is given; ``$`` is ``context`` in the script."""

    command: list[str]
    given: bytes
    seconds: float

    @property
    def patience(self) -> float:
        """When the process is ended from outside; sooner the engine should have ended it itself."""
        return self.seconds + STARTING


async def javascript(
    host: Context,
    /,
    script: str,
    context: Any = None,
    timeout: float | None = None,  # noqa: ASYNC109 - it is the action's input
) -> Any:
    """The value that a JavaScript function with the body ``script`` returns; ``context`` is its ``$``.

    Raises ``ActionFailed`` with the script's own error, or with the limit that it met.
    """
    made = _prepare(script, context, timeout)
    if host.sleep is not None:
        # A host of virtual time has no event loop to wait in; nothing else runs meanwhile.
        return _answer(_run(made), made)
    return _answer(await _run_beside(host, made), made)


def _prepare(script: str, value: Any, seconds: float | None) -> Script:
    from importlib.util import find_spec

    limit = SECONDS if seconds is None else seconds
    if not 0 < limit <= MOST_SECONDS:
        raise InvalidInput(f"std.js: input `timeout`: more than 0 and up to {MOST_SECONDS:g} seconds")
    spec = find_spec(ENGINE)
    if spec is None or not spec.submodule_search_locations:
        raise ActionFailed("std.js needs the package quickjs-ng, which is not installed here")
    given = {"script": script, "context": value, "seconds": limit, "memory": MEMORY, "result": RESULT}
    # Isolated from the environment, and without the site's start-up work, which takes half the time.
    package = str(Path(spec.submodule_search_locations[0]).parent)
    command = [sys.executable, "-I", "-S", "-X", "utf8", str(CHILD), package]
    return Script(command, json.dumps(given).encode() + b"\n", limit)


def _run(script: Script) -> bytes:
    import subprocess

    try:
        done = subprocess.run(
            script.command, input=script.given, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=script.patience, check=False, env={}, cwd="/",
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise _late(script) from None
    return done.stdout


@dataclass(slots=True)
class Children:
    """The processes that wait for a script, and how many may run one."""

    turns: Any
    idle: list[Any] = field(default_factory=list)

    async def take(self, command: list[str]) -> Any:
        while self.idle:
            child = self.idle.pop()
            if child.returncode is None:
                return child
        import asyncio
        from asyncio.subprocess import DEVNULL, PIPE

        return await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env={}, cwd="/", limit=8 * RESULT
        )

    async def close(self) -> None:
        while self.idle:
            await _end(self.idle.pop())


async def _run_beside(context: Context, script: Script) -> bytes:
    import asyncio

    children = context.clients.get("javascript", lambda: Children(asyncio.Semaphore(AT_A_TIME)))
    async with children.turns:
        child = await children.take(script.command)
        said = b""
        try:
            async with asyncio.timeout(script.patience):
                child.stdin.write(script.given)
                await child.stdin.drain()
                said = bytes(await child.stdout.readline())
        except (TimeoutError, ConnectionError, ValueError) as error:
            raise _late(script) if isinstance(error, TimeoutError) else _ended(script) from None
        finally:
            if said.startswith(b'{"value"'):
                children.idle.append(child)
            else:
                await _end(child)
    return said


async def _end(child: Any) -> None:
    if child.returncode is None:
        child.kill()
    await child.wait()


def _answer(said: bytes, script: Script) -> Any:
    try:
        answer = json.loads(said)
    except ValueError:
        raise _ended(script) from None
    if "error" in answer:
        raise ActionFailed(f"the script failed: {answer['error']}")
    return answer["value"]


def _ended(script: Script) -> ActionFailed:
    limits = f"{script.seconds:g} s and {MEMORY // 1024 // 1024} MiB"
    return ActionFailed(f"the script's process ended before it had a result; its limits are {limits}")


def _late(script: Script) -> ActionFailed:
    return ActionFailed(f"the script did not end within {script.seconds:g} s")


# Two names of Mistral's for the same.
ACTIONS = tuple(action(name, "none")(javascript) for name in ("std.js", "std.javascript"))
