"""Asks the HTTP API of a running pipeline, with nothing but the standard library: quick to load."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import ProxyHandler, Request, build_opener

from ..errors import FaultlineError, HistoryUnavailable, InvalidCall, NotFound, NotRunning, QueryRefused

PATIENCE = 60.0
_KINDS: dict[str, type[FaultlineError]] = {
    kind.__name__: kind for kind in (InvalidCall, QueryRefused, NotFound, HistoryUnavailable)
}


@dataclass(frozen=True, slots=True)
class Client:
    """One pipeline's API; asking raises ``NotRunning`` when nobody answers, else what the API says."""

    api: str
    token: str

    def get(self, path: str, patience: float = PATIENCE, **query: Any) -> Any:
        """What ``GET path?query`` answers; parameters that are None are left out."""
        given = {name: value for name, value in query.items() if value is not None}
        return self._ask(f"{path}?{urlencode(given)}" if given else path, None, patience)

    def post(self, path: str, body: dict[str, Any], patience: float = PATIENCE) -> Any:
        """What ``POST path`` with ``body`` answers."""
        return self._ask(path, json.dumps(body).encode(), patience)

    def _ask(self, path: str, body: bytes | None, patience: float) -> Any:
        request = Request(
            self.api.rstrip("/") + path,
            body,
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            # The API is on this machine: a proxy of the environment has no part in it.
            with build_opener(ProxyHandler({})).open(request, timeout=patience) as response:
                return json.load(response)
        except HTTPError as error:
            with error:
                raise _refusal(error) from None
        except (URLError, OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise NotRunning(
                f"the pipeline at {self.api} does not answer ({reason}); look at its history role's log"
            ) from None


def segment(name: str) -> str:
    """``name`` as one segment of a path."""
    return quote(name, safe="")


def _refusal(error: HTTPError) -> FaultlineError:
    try:
        answer = json.load(error)
        message = "; ".join(filter(None, (str(answer["error"]), str(answer.get("next", "")))))
    except (ValueError, KeyError, TypeError):
        return FaultlineError(f"the pipeline answers {error.code} {error.reason}; is --api its address?")
    return _KINDS.get(str(answer.get("kind")), FaultlineError)(message)
