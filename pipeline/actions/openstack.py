"""Calls of OpenStack's APIs, and actions made from a table of them.

The calls are made here, in the event loop and past the egress guard; openstacksdk is asked only for
tokens and addresses (``cloud``). Names and inputs of the actions are those that Mistral generates from
the clients' methods; each also takes ``cloud``, the name of the cloud that it is for.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ..errors import ActionFailed
from .declaration import Action, Context, Effect
from .table import REQUIRED, tabled

Json = dict[str, Any]
Build = Callable[[Json], Any]

# Which path a service's address goes on with when the catalog names no version.
VERSIONS = {"compute": "/v2.1", "network": "/v2.0", "block-storage": "/v3", "image": "/v2", "identity": "/v3"}
UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class Call:
    """One request; ``version`` is a microversion where the service's default will not do."""

    service: str
    method: str
    path: str
    query: Mapping[str, Any] | None = None
    body: Any = None
    version: str | None = None
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One action: ``takes`` names its inputs with their types, one that may be None need not be given.

    ``path`` holds inputs in braces. ``query`` and ``body``, and where need be ``path`` and ``version``, are
    made of the inputs; ``answer`` names the field of the answer that is the result, "" is the whole of it,
    None is no result. ``reads``: nothing changes, although the method is none that reads.
    """

    name: str
    method: str
    path: str | Build
    takes: Mapping[str, Any]
    answer: str | None
    summary: str
    body: Build | None = None
    query: Build | None = None
    version: str | Build | None = None
    content_type: str | None = None
    reads: bool = False


def made(service: str, rows: tuple[Row, ...]) -> tuple[Action, ...]:
    """The actions that ``rows`` describe."""
    return tuple(_made(service, row) for row in rows)


async def send(context: Context, cloud: str | None, call: Call) -> Any:
    """The answer's content. Raises ``ActionFailed`` with the service's own words."""
    from . import cloud as clouds

    access = await clouds.access(context, cloud, call.service)
    answer = await _send(context, access, call)
    if answer.get("status") == UNAUTHORIZED and access.renewable:
        # A token may be withdrawn before its time; what was refused so has done nothing.
        clouds.forget(context, cloud)
        answer = await _send(context, await clouds.access(context, cloud, call.service), call)
    if "error" in answer:
        raise ActionFailed(answer["error"])
    return answer["content"]


def part(text: str) -> str:
    """``text`` as one part of a path."""
    return quote(text, safe="")


def given(values: Mapping[str, Any], *names: str) -> Json:
    """Those of ``names`` that have a value."""
    return {name: values[name] for name in names or values if values.get(name) is not None}


async def _send(context: Context, access: Any, call: Call) -> Json:
    from .http import Request, perform

    headers = {"X-Auth-Token": access.token, "Accept": "application/json"}
    if call.version:
        service = "volume" if call.service == "block-storage" else call.service
        headers["OpenStack-API-Version"] = f"{service} {call.version}"
    if call.content_type:
        headers["Content-Type"] = call.content_type
    base = access.url.rstrip("/")
    if not re.search(r"/v\d", base):
        base += VERSIONS[call.service]
    request = Request(
        method=call.method, url=base + call.path, params=call.query, json=call.body, headers=headers
    )
    try:
        return await perform(context, request)
    except ActionFailed as error:
        if not isinstance(error.details, dict):
            raise
        status, said = error.details["status"], _reason(error.details.get("content"))
        return {"status": status, "error": f"{call.method} {call.path}: {status}: {said}"}


def _reason(content: Any) -> str:
    # The APIs wrap their messages: {"itemNotFound": {"code": 404, "message": "..."}}
    if isinstance(content, dict):
        for value in content.values():
            if isinstance(value, dict) and "message" in value:
                return str(value["message"])
    return str(content)[:500]


def _made(service: str, row: Row) -> Action:
    async def perform(context: Context, cloud: str | None = None, **inputs: Any) -> Any:
        places = {name: part(str(value)) for name, value in inputs.items() if value is not None}
        call = Call(
            service=service,
            method=row.method,
            path=(row.path(inputs) if callable(row.path) else row.path).format(**places),
            query=row.query(inputs) if row.query else None,
            body=row.body(inputs) if row.body else None,
            version=row.version(inputs) if callable(row.version) else row.version,
            content_type=row.content_type,
        )
        content = await send(context, cloud, call)
        if row.answer is None:
            return None
        return content if row.answer == "" else _field(content, row.answer)

    takes = {name: (hint, None if _may_be_none(hint) else REQUIRED) for name, hint in row.takes.items()}
    effect: Effect = "reads" if row.reads or row.method in ("GET", "HEAD") else "changes"
    return tabled(row.name, effect, row.summary, {**takes, "cloud": (str | None, None)}, perform)


def _field(answer: Any, name: str) -> Any:
    if not isinstance(answer, dict) or name not in answer:
        raise ActionFailed(f"the cloud's answer has no `{name}`; is its address that of this service?")
    return answer[name]


def _may_be_none(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType) and type(None) in typing.get_args(hint)
