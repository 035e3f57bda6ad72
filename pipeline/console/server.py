"""The HTTP API: history for everyone who cannot open it, and what operators ask of the pipeline."""

from __future__ import annotations

import asyncio
import functools
import hmac
import ipaddress
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from .. import __version__
from ..errors import (
    BrokerUnavailable,
    FaultlineError,
    HistoryUnavailable,
    InvalidCall,
    InvalidSetting,
    NotFound,
    QueryRefused,
)
from ..history import answers, queries
from ..history.reading import Reading
from ..kafka.outbox import KafkaOutbox
from . import callbacks, commands, definitions, status

log = logging.getLogger(__name__)

LARGEST = 4 * 2**20
LONGEST_WAIT = 3600.0
T = TypeVar("T")
_STATUS: tuple[tuple[type[FaultlineError], int], ...] = (
    (InvalidCall, 400),
    (QueryRefused, 400),
    (NotFound, 404),
    (HistoryUnavailable, 503),
    (BrokerUnavailable, 503),
)


@dataclass(frozen=True, slots=True)
class Api:
    """What requests are answered from."""

    history: Reading
    sight: status.Sight
    outbox: KafkaOutbox
    token: str | None
    kafka: str = ""


def application(api: Api) -> web.Application:
    """The routes. Every one but ``/api/health`` wants ``Authorization: Bearer TOKEN``."""
    app = web.Application(client_max_size=LARGEST, middlewares=[_errors, _authorization(api.token)])

    def get(path: str, answer: Callable[[web.Request], Awaitable[Any]]) -> None:
        async def handle(request: web.Request) -> web.Response:
            return _json(await answer(request))

        app.router.add_get(path, handle)

    def post(path: str, answer: Callable[[dict[str, Any]], Awaitable[Any]]) -> None:
        async def handle(request: web.Request) -> web.Response:
            return _json(await answer(await _body(request)))

        app.router.add_post(path, handle)

    history = api.history

    async def health(_: web.Request) -> Any:
        return {"ok": True, "version": __version__}

    async def show_status(request: web.Request) -> Any:
        wait = _seconds(request.query.get("wait"))
        settled = await status.settled(api.sight, wait) if wait is not None else {}
        return {**await status.overview(api.sight, history), **settled}

    async def role_status(_: web.Request) -> Any:
        return api.sight.board.roles()

    async def from_history(request: web.Request) -> Any:
        path = request.raw_path.partition("?")[0]
        return await _thread(answers.answer, history, path, request.query)

    async def ask_sql(asked: dict[str, Any]) -> Any:
        query = asked.get("query")
        if not isinstance(query, str):
            raise InvalidCall('send {"query": "SELECT ..."}')
        return await _thread(history.sql, query)

    async def root(identity: str) -> str:
        return await _thread(queries.root, history, identity)

    async def send_command(asked: dict[str, Any]) -> Any:
        wait = asked.get("wait")
        record = await commands.command(api.outbox, root, asked)
        if wait is None:
            return record
        return await commands.answer(api.sight, history, record, _seconds(str(wait)) or 0.0)

    async def complete(request: web.Request) -> web.Response:
        action = request.match_info["id"]
        holder = await _thread(queries.holder, history, action)
        told = callbacks.command(action, holder, await _body(request))
        await commands.command(api.outbox, root, told)
        return _json({"id": action, "state": told["state"], "output": told["result"]})

    async def set_effects(asked: dict[str, Any]) -> Any:
        return await commands.effects(api.outbox, asked)

    async def show_definitions(request: web.Request) -> Any:
        return await definitions.live(
            api.kafka, api.sight, request.query.get("kind"), request.query.get("name")
        )

    async def change_definitions(asked: dict[str, Any]) -> Any:
        return await definitions.change(api.kafka, api.sight, history, asked)

    get("/api/health", health)
    get("/api/definitions", show_definitions)
    post("/api/definitions", change_definitions)
    get("/api/status", show_status)
    get("/api/role-status", role_status)
    for path in (*answers.ANSWERS, answers.EXECUTION + "{id}"):
        get(path, from_history)
    post("/api/sql", ask_sql)
    post("/api/commands", send_command)
    post("/api/effects", set_effects)
    app.router.add_put(callbacks.PATH + "{id}", complete)
    return app


async def serve(app: web.Application, url: str) -> tuple[web.AppRunner, str]:
    """Listens at ``url`` (a port of 0 is any) and returns the runner and the URL.

    Raises ``InvalidSetting`` when the address is not this machine's own or is taken.
    """
    host, port = address(url)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        raise InvalidSetting(
            f"api: cannot listen at {url}: {error.strerror or error}; choose another port"
        ) from error
    name, bound = runner.addresses[0][:2]
    return runner, f"http://{f'[{name}]' if ':' in name else name}:{bound}"


def address(url: str) -> tuple[str, int]:
    """Host and port of ``url``. Raises ``InvalidSetting`` unless it is a loopback address."""
    parts = urlsplit(url)
    host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
    try:
        if ipaddress.ip_address(host).is_loopback:
            return host, parts.port or 0
    except ValueError:
        pass
    raise InvalidSetting(
        f"api: {url} is not on this machine alone; use http://127.0.0.1:PORT behind a proxy of yours"
    )


async def _thread(work: Callable[..., T], *arguments: Any, **named: Any) -> T:
    return await asyncio.to_thread(functools.partial(work, *arguments, **named))


def _authorization(token: str | None) -> Middleware:
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def authorize(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/api/health":
            return await handler(request)
        # Mistral's clients put the token into a header of their own.
        theirs = request.headers.get("X-Auth-Token")
        told = f"Bearer {theirs}" if theirs else request.headers.get("Authorization", "")
        given = told.encode("utf-8", "surrogateescape")
        if not token or not hmac.compare_digest(given, expected):
            return _json(
                {
                    "error": "no valid token",
                    "next": "send Authorization: Bearer TOKEN; it stands in DIR/faultline.json",
                },
                401,
            )
        return await handler(request)

    return authorize


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _json(
            {"error": error.reason, "next": "the routes are in the documentation of the API"}, error.status
        )
    except FaultlineError as error:
        code = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
        # Messages are written as "what is wrong; what to do".
        wrong, _, todo = str(error).partition("; ")
        return _json({"error": wrong, "next": todo, "kind": type(error).__name__}, code)
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return _json({"error": "an error of ours", "next": "the history role's log has it"}, 500)


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        return msgspec.json.decode(await request.read(), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise InvalidCall(f"the body must be a JSON object: {error}") from error


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_WAIT:
        raise InvalidCall(f"wait is a number of seconds up to {LONGEST_WAIT:.0f}")
    return seconds


def _json(value: Any, code: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=code, content_type="application/json")
