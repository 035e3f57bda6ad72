"""The ``std.*`` actions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ActionFailed
from .declaration import PENDING, Context, Effect, Pending, action

READING = frozenset({"GET", "HEAD", "OPTIONS"})


@action("std.noop", "none")
async def noop(context: Context) -> None:
    """Does nothing."""


@action("std.async_noop", "none")
async def async_noop(context: Context) -> Pending:
    """Does nothing and does not end by itself: somebody completes it."""
    return PENDING


@action("std.echo", "none")
async def echo(context: Context, output: Any, delay: float = 0) -> Any:
    """Returns ``output``, after ``delay`` seconds."""
    if delay:
        await _sleep(context, delay)
    return output


@action("std.fail", "none")
async def fail(context: Context, error_data: Any = None) -> None:
    """Fails, with ``error_data`` as its error where given."""
    raise ActionFailed("std.fail was called", details=error_data)


@action("std.sleep", "none")
async def sleep(context: Context, seconds: float = 1) -> None:
    """Ends after ``seconds``."""
    await _sleep(context, seconds)


@action("std.test_dict", "none")
async def dictionary(context: Context, size: int = 0, key_prefix: str = "", val: Any = "") -> dict[str, Any]:
    """A dictionary of ``size`` keys, each ``val``."""
    return {f"{key_prefix}{index}": val for index in range(size)}


def _effect_of_http(given: Mapping[str, Any]) -> Effect:
    return "reads" if str(given.get("method") or "GET").upper() in READING else "changes"


@action("std.http", _effect_of_http)
async def http(
    context: Context,
    url: str,
    method: str = "GET",
    params: dict[str, Any] | str | None = None,
    body: Any = None,
    json: Any = None,
    headers: dict[str, Any] | None = None,
    cookies: dict[str, str] | None = None,
    auth: str | tuple[str, str] | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 - it is the action's input
    allow_redirects: bool | None = None,
    verify: bool | None = None,
) -> dict[str, Any]:
    """An HTTP request; the answer as ``content`` (parsed where it is JSON), ``headers`` and ``status``."""
    # aiohttp takes 0.2 s to import, and most commands never make a request.
    from .http import Request, perform

    request = Request(
        method=(method or "GET").upper(),
        url=url,
        params=params,
        body=body,
        json=json,
        headers={name: str(value) for name, value in (headers or {}).items()},
        cookies=cookies or {},
        auth=_credentials(auth),
        timeout=timeout,
        redirects=allow_redirects is not False,
        verify=verify is not False,
    )
    return await perform(context, request)


@action("std.mistral_http", "changes")
async def mistral_http(
    context: Context,
    url: str,
    method: str = "GET",
    params: dict[str, Any] | str | None = None,
    body: Any = None,
    json: Any = None,
    headers: dict[str, Any] | None = None,
    cookies: dict[str, str] | None = None,
    auth: str | tuple[str, str] | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 - it is the action's input
    allow_redirects: bool | None = None,
    verify: bool | None = None,
) -> Pending:
    """As ``std.http``, but ends when whom it asked, told by headers which call this is, completes it."""
    call = context.call
    told = {
        "Mistral-Workflow-Name": call.workflow,
        "Mistral-Workflow-Execution-Id": call.execution,
        "Mistral-Task-Id": call.task,
        "Mistral-Action-Execution-Id": call.action,
        "Mistral-Callback-URL": f"/v2/action_executions/{call.action}",
    }
    named = {**(headers or {}), **told}
    given = [context, url, method, params, body, json, named, cookies, auth, timeout, allow_redirects, verify]
    await http.function(*given)
    return PENDING


@action("std.tcp_check", "reads")
async def tcp_check(
    context: Context,
    host: str,
    port: int,
    timeout: float = 5,  # noqa: ASYNC109 - it is the action's input
    expect: str | None = None,
) -> dict[str, Any]:
    """Connects to ``host:port``; with ``expect``, what it says first must begin so."""
    from .egress import converse

    said = await converse(context.allow, host, port, timeout, listen=expect is not None)
    if expect is not None and not said.startswith(expect):
        raise ActionFailed(f"{host}:{port} answered {said!r}, which does not begin with {expect!r}")
    return {"host": host, "port": port, "answer": said}


def _credentials(auth: str | tuple[str, str] | None) -> tuple[str, str] | None:
    if isinstance(auth, str):
        user, _, password = auth.partition(":")
        return user, password
    return auth


async def _sleep(context: Context, seconds: float) -> None:
    if context.sleep is not None:
        await context.sleep(seconds)
        return
    import asyncio

    await asyncio.sleep(seconds)


ACTIONS = (noop, async_noop, echo, fail, sleep, dictionary, http, mistral_http, tcp_check)
