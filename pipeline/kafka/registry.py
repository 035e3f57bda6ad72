"""A schema registry that speaks Confluent's API: schemas by id, and ours put there."""

from __future__ import annotations

import time
from base64 import b64encode
from contextlib import suppress
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlsplit
from urllib.request import Request, urlopen

import msgspec

from ..errors import InvalidRecord, RegistryUnavailable, SchemaRefused

CONTENT = "application/vnd.schemaregistry.v1+json"
TIMEOUT = 3.0
#: For so long an unknown id is not asked for again, nor a registry that is away: a flood of
#: frames must not become a flood of requests, nor each of them a time-out, while a schema put
#: there a moment too late is still found.
FORGET_AFTER = 1.0
LARGEST_ID = 2**31 - 1


class HttpRegistry:
    """The registry at ``url``, with user and password in it where it wants them.

    It keeps for a moment that an id is unknown or that there is no answer; ``pipeline.codec`` keeps schemas.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        self._url = f"{parts.scheme}://{host}{parts.path.rstrip('/')}"
        self._headers = {"Accept": CONTENT, "Content-Type": CONTENT}
        if parts.username:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
        self._unknown: dict[int, float] = {}
        self._away: tuple[float, str] = (0.0, "")

    def schema(self, identity: int) -> str:
        """As ``pipeline.codec.Registry``."""
        missing = InvalidRecord("unknown-schema", f"schema {identity}: the registry has none of that id")
        if identity > LARGEST_ID or self._unknown.get(identity, 0.0) > time.monotonic():
            raise missing
        status, answer = self._ask("GET", f"/schemas/ids/{identity}")
        if status == 404:
            self._forget()
            self._unknown[identity] = time.monotonic() + FORGET_AFTER
            raise missing
        kind = answer.get("schemaType", "AVRO")
        if status != 200 or kind != "AVRO" or not isinstance(answer.get("schema"), str):
            what = f"is {kind}; only Avro is read" if kind != "AVRO" else f"cannot be had: {_message(answer)}"
            raise InvalidRecord("unknown-schema", f"schema {identity}: {what}")
        return str(answer["schema"])

    def register(self, subject: str, schema: str) -> int:
        """As ``pipeline.codec.Registry``."""
        body = msgspec.json.encode({"schema": schema})
        status, answer = self._ask("POST", f"/subjects/{quote(subject, safe='')}/versions", body)
        if status != 200 or not isinstance(answer.get("id"), int):
            raise SchemaRefused(
                f"the registry refuses our schema for {subject} ({status}: {_message(answer)}); "
                "compare its versions there with schemas/ here"
            )
        return int(answer["id"])

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, Any]]:
        until, problem = self._away
        if until > time.monotonic():
            raise RegistryUnavailable(problem)
        request = Request(self._url + path, body, self._headers, method=method)
        try:
            with urlopen(request, timeout=TIMEOUT) as response:
                return response.status, _decoded(response.read())
        except HTTPError as error:
            with error:
                problem = f"{error.code} {error.reason}"
                with suppress(msgspec.MsgspecError, ValueError, OSError, HTTPException):
                    answer = _decoded(error.read())
                    # The registry itself refuses with a code; a proxy's or a login's page has none.
                    if error.code < 500 and "error_code" in answer and error.code not in (401, 403, 429):
                        return error.code, answer
        except (URLError, OSError, HTTPException) as error:
            problem = str(error)
        except (msgspec.MsgspecError, ValueError) as error:
            problem = f"an answer that is no JSON: {error}"
        problem = f"the schema registry at {self._url} does not answer: {problem}"
        self._away = (time.monotonic() + FORGET_AFTER, problem)
        raise RegistryUnavailable(problem)

    def _forget(self) -> None:
        if len(self._unknown) >= 10_000:
            self._unknown.clear()


def _decoded(body: bytes) -> dict[str, Any]:
    answer = msgspec.json.decode(body) if body else {}
    if not isinstance(answer, dict):
        raise ValueError("expected an object")
    return answer


def _message(answer: dict[str, Any]) -> str:
    return str(answer.get("message") or answer.get("title") or "no reason given")
