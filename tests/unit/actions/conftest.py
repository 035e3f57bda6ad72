"""A web server on this machine that says what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

Serve = Callable[..., Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
def serve() -> Serve:
    """``async with serve({"/path": handler}) as port``: serves on a free port of 127.0.0.1."""

    @asynccontextmanager
    async def run(routes: dict[str, Handler]) -> AsyncIterator[int]:
        app = web.Application()
        for path, handler in routes.items():
            app.router.add_route("*", path, handler)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()

    return run


@pytest.fixture
def go() -> Callable[[Awaitable[Any]], Any]:
    """Runs a coroutine to its end."""

    def run(work: Awaitable[Any]) -> Any:
        async def body() -> Any:
            return await work

        return asyncio.run(body())

    return run
