"""HTTP requests on behalf of playbooks.

Bounded in time and size, kept away from this machine, and silent about secrets.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from yarl import URL

from ..errors import ActionFailed
from .declaration import Context
from .egress import GuardedResolver, check_literal

TIMEOUT = 60.0
MAX_BODY = 5 * 1024 * 1024
MAX_REDIRECTS = 10
REDIRECTING = frozenset({301, 302, 303, 307, 308})
SUCCESS = range(200, 307)
SECRET_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "cookie",
        "x-auth-token",
        "x-subject-token",
        "x-api-key",
        "api-key",
    }
)
MASK = "***"
# A shorter secret would blank out half the words of an answer.
SHORTEST_SECRET = 4


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; ``auth`` is user and password, ``timeout`` seconds."""

    method: str
    url: str
    params: Mapping[str, Any] | str | None = None
    body: Any = None
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    auth: tuple[str, str] | None = None
    timeout: float | None = None
    redirects: bool = True
    verify: bool = True


async def perform(context: Context, request: Request) -> dict[str, Any]:
    """The answer as ``content``, ``headers`` and ``status``.

    Raises ``ActionFailed`` with the answer as its details when the status is no success,
    and ``ActionFailed`` when there is no answer. Neither shows a secret of the request.
    """
    secrets = secrets_of(request)
    status, headers, text = await _exchange(context, request, secrets)
    try:
        content = json.loads(text)
    except ValueError:
        content = text
    answer: dict[str, Any] = mask({"content": content, "headers": headers, "status": status}, secrets)
    if status not in SUCCESS:
        raise ActionFailed(f"{request.method} {shown(request.url)}: status {status}", details=answer)
    return answer


def session(context: Context) -> aiohttp.ClientSession:
    """The session that all actions of ``context`` share; opened at the first use."""

    def open_() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=GuardedResolver(context.allow), use_dns_cache=False, limit=0, limit_per_host=0
        )
        # Cookies of one playbook's requests are no other's.
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    opened: aiohttp.ClientSession = context.clients.get("http", open_)
    return opened


def secrets_of(request: Request) -> list[str]:
    """The texts of ``request`` that may appear nowhere else."""
    found = [value for name, value in request.headers.items() if name.lower() in SECRET_HEADERS]
    found += [value.split(" ", 1)[1] for value in list(found) if " " in value]
    found += request.cookies.values()
    for user, password in (request.auth or ["", ""], _userinfo(request.url)):
        found += [password, _basic(user, password)]
    # The longest first: one may be a part of another.
    return sorted({text for text in found if len(text) >= SHORTEST_SECRET}, key=len, reverse=True)


def mask(value: Any, secrets: Iterable[str]) -> Any:
    """``value`` with each of ``secrets`` blanked out wherever it stands in a text."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, MASK)
        return value
    if isinstance(value, dict):
        return {mask(key, secrets): mask(one, secrets) for key, one in value.items()}
    if isinstance(value, list):
        return [mask(one, secrets) for one in value]
    return value


def shown(url: str) -> str:
    """``url`` without user, password and query, which may be secrets."""
    try:
        return str(URL(url).with_user(None).with_query(None).with_fragment(None))
    except ValueError:
        return "(a URL that cannot be read)"


def _userinfo(url: str) -> tuple[str, str]:
    try:
        found = URL(url)
    except ValueError:
        return "", ""
    return found.user or "", found.password or ""


def _basic(user: str, password: str) -> str:
    return b64encode(f"{user}:{password}".encode()).decode()


async def _exchange(
    context: Context, request: Request, secrets: list[str]
) -> tuple[int, dict[str, str], str]:
    limit = request.timeout or TIMEOUT
    at = f"{request.method} {shown(request.url)}"
    try:
        async with asyncio.timeout(limit):
            return await _follow(context, request)
    except TimeoutError:
        raise ActionFailed(f"{at}: no answer within {limit:g} s{_doubt(request)}") from None
    except aiohttp.ClientConnectorError as error:
        why = error.os_error.strerror or str(error.os_error)
        raise ActionFailed(mask(f"{at}: cannot connect: {why}", secrets)) from None
    except aiohttp.ClientError as error:
        raise ActionFailed(mask(f"{at}: {type(error).__name__}: {error}{_doubt(request)}", secrets)) from None
    except (ValueError, OSError) as error:
        raise ActionFailed(mask(f"{at}: {error}", secrets)) from None


async def _follow(context: Context, request: Request) -> tuple[int, dict[str, str], str]:
    method, url = request.method, URL(request.url)
    headers = dict(request.headers)
    if request.auth is not None:
        headers["Authorization"] = f"Basic {_basic(*request.auth)}"
    arguments = _arguments(request)
    for _ in range(MAX_REDIRECTS + 1):
        if url.scheme not in ("http", "https") or not url.host or not url.port:
            raise ValueError("an http:// or https:// URL with a host is needed")
        check_literal(context.allow, url.host, url.port)
        # Redirects are followed here: the client's own would not look where they lead.
        async with session(context).request(
            method, url, headers=headers, allow_redirects=False, ssl=request.verify, **arguments
        ) as response:
            target = response.headers.get("Location")
            if not (request.redirects and response.status in REDIRECTING and target):
                return response.status, dict(response.headers), await _body(response)
        onward = url.join(URL(target))
        if onward.origin() != url.with_user(None).origin():
            headers = {name: value for name, value in headers.items() if name.lower() not in SECRET_HEADERS}
            arguments.pop("cookies", None)
        arguments.pop("params", None)
        if response.status == 303 or (response.status in (301, 302) and method == "POST"):
            method = "GET" if method != "HEAD" else method
            arguments.pop("data", None)
            arguments.pop("json", None)
        url = onward
    raise ValueError(f"more than {MAX_REDIRECTS} redirects")


def _arguments(request: Request) -> dict[str, Any]:
    arguments: dict[str, Any] = {"timeout": aiohttp.ClientTimeout(total=None)}
    if request.params:
        arguments["params"] = request.params if isinstance(request.params, str) else _query(request.params)
    if request.body is not None:
        arguments["data"] = request.body if isinstance(request.body, str) else json.dumps(request.body)
    elif request.json is not None:
        arguments["json"] = request.json
    if request.cookies:
        arguments["cookies"] = dict(request.cookies)
    return arguments


def _query(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in params.items():
        values = value if isinstance(value, list) else [value]
        pairs += [(name, str(one)) for one in values if one is not None]
    return pairs


async def _body(response: aiohttp.ClientResponse) -> str:
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > MAX_BODY:
            raise ValueError(f"the answer is larger than {MAX_BODY // 1024 // 1024} MiB")
        parts.append(part)
    content = b"".join(parts)
    try:
        return content.decode(response.charset or "utf-8", errors="replace")
    except LookupError:
        return content.decode(errors="replace")


def _doubt(request: Request) -> str:
    return "" if request.method in ("GET", "HEAD", "OPTIONS") else "; outcome unknown"
