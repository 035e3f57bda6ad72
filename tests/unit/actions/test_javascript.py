"""``std.js``: what scripts see and return, and that nothing in one harms anything else."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

import pytest

from pipeline.actions import javascript, registry
from pipeline.actions.declaration import Context
from pipeline.errors import ActionFailed, InvalidInput


async def run(script: str, given: Any = None, seconds: float = 5, context: Context | None = None) -> Any:
    own = context or Context()
    try:
        return await registry.find("std.js").run(
            own, {"script": script, "context": given, "timeout": seconds}
        )
    finally:
        if context is None:
            await own.close()


@pytest.mark.parametrize(
    ("script", "given", "expected"),
    [
        ("return $.a + $.b", {"a": 1, "b": 2}, 3),
        ("return $.map(x => x * 2) // a comment", [1, 2], [2, 4]),
        ("return 'é😀' + $", "ü\n", "é😀ü\n"),
        ("var x = 1", None, None),
        ("return $", None, None),
        ("return {d: new Date(0), n: NaN}", None, {"d": "1970-01-01T00:00:00.000Z", "n": None}),
        # Its own environment is the script's to spoil.
        ("JSON.stringify = () => 'no'; $ = 5; return {a: 1}", None, {"a": 1}),
        (
            "return [typeof require, typeof std, typeof os, typeof fetch]",
            None,
            ["undefined"] * 4,
        ),
    ],
)
def test_a_script_is_a_function_of_its_context(go: Any, script: str, given: Any, expected: Any) -> None:
    assert go(run(script, given)) == expected


def test_both_of_mistral_s_names_are_the_same(go: Any) -> None:
    async def body() -> Any:
        context = Context()
        try:
            return await registry.find("std.javascript").run(context, {"script": "return 7"})
        finally:
            await context.close()

    assert go(body()) == 7


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("throw new Error('boo')", "the script failed: Error: boo"),
        ("return nothing", "'nothing' is not defined|nothing is not defined"),
        ("return 1; }}{{", "SyntaxError"),
        ("let x = {}; x.x = x; return x", "circular"),
        ("function f() { return f() } return f()", "call stack"),
        ("return 'x'.repeat(1000000)", "larger than 900000 characters"),
        ("while (true) {}", "the script failed: it did not end within 0.3 s"),
        ("return /^(a+)+$/.test('a'.repeat(50) + 'b')", "did not end within 0.3 s"),
        ("return 'x'.repeat(1e9).length", "more memory than 64 MiB"),
        ("return new Uint8Array(80e6).length", "more memory than 64 MiB|RangeError"),
        ("return new Array(1e8).fill(0).map(x => x + 1).length", "more memory than 64 MiB|within 0.3 s"),
    ],
)
def test_a_script_that_fails_or_meets_a_limit_says_so(go: Any, script: str, message: str) -> None:
    with pytest.raises(ActionFailed, match=message):
        go(run(script, seconds=0.3))


def test_other_actions_go_on_while_a_script_spins(go: Any) -> None:
    async def body() -> float:
        spinning = asyncio.create_task(run("while (true) {}", seconds=0.5))
        longest, last = 0.0, time.monotonic()
        while not spinning.done():
            await asyncio.sleep(0.005)
            now = time.monotonic()
            longest, last = max(longest, now - last), now
        assert isinstance(spinning.exception(), ActionFailed)
        return longest

    # It spins for half a second and more; on the event loop nothing else would have had its turn.
    assert go(body()) < 0.4


def test_one_process_serves_many_scripts_and_none_sees_another(go: Any) -> None:
    async def body() -> None:
        context = Context()
        try:
            await run("globalThis.left = 5; Array.prototype.map = null; return 1", context=context)
            first = context.clients.opened["javascript"].idle[0].pid
            assert await run("return [typeof left, typeof [].map]", context=context) == [
                "undefined",
                "function",
            ]
            assert context.clients.opened["javascript"].idle[0].pid == first
            with pytest.raises(ActionFailed):
                await run("while (true) {}", seconds=0.1, context=context)
            assert context.clients.opened["javascript"].idle == []
            assert await run("return 3", context=context) == 3
        finally:
            idle = [child.pid for child in context.clients.opened["javascript"].idle]
            await context.close()
        for pid in idle:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)

    go(body())


def test_a_cancelled_script_ends_with_its_process(go: Any) -> None:
    async def body() -> None:
        context = Context()
        running = asyncio.create_task(run("while (true) {}", seconds=60, context=context))
        await asyncio.sleep(0.3)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert context.clients.opened["javascript"].idle == []
        assert await run("return 1", context=context) == 1
        await context.close()

    go(body())


def test_a_host_of_virtual_time_needs_no_event_loop() -> None:
    async def sleep(_: float) -> None: ...

    work = registry.find("std.js").run(Context(sleep=sleep), {"script": "return $ + 1", "context": 1})
    with pytest.raises(StopIteration) as end:
        work.send(None)  # type: ignore[attr-defined]
    assert end.value.value == 2


def test_an_engine_that_ignores_its_limits_is_ended_from_outside(
    go: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    stubborn = tmp_path / "child.py"
    stubborn.write_text("import sys, time\nsys.stdin.readline()\ntime.sleep(60)\n")
    monkeypatch.setattr(javascript, "CHILD", stubborn)
    monkeypatch.setattr(javascript, "STARTING", 0.2)
    with pytest.raises(ActionFailed, match=r"did not end within 0.1 s"):
        go(run("return 1", seconds=0.1))
    stubborn.write_text("import sys\nsys.stdin.readline()\n")
    with pytest.raises(ActionFailed, match="ended before it had a result"):
        go(run("return 1"))


@pytest.mark.parametrize("timeout", [0, -1, 61])
def test_the_limit_has_limits(go: Any, timeout: float) -> None:
    with pytest.raises(InvalidInput, match="`timeout`"):
        go(run("return 1", seconds=timeout))
