"""The questions that are answered from history alone, by the path under which the API has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from ..errors import InvalidCall, NotFound
from ..times import normalize
from . import causality, changes, explanation, impact, missing, queries
from .reading import Reading

Query = Mapping[str, str]
EXECUTION = "/api/executions/"

ANSWERS: dict[str, Callable[[Reading, Query], Any]] = {
    "/api/alarms": lambda history, query: queries.alarms(history, every=_yes(query, "all")),
    "/api/topology": lambda history, _: queries.topology(history),
    "/api/rca": lambda history, query: causality.root_causes(
        history, _wanted(query, "alarm"), query.get("domain"), ended=_yes(query, "ended")
    ),
    "/api/impact": lambda history, query: impact.impact(
        history, _wanted(query, "entity"), query.get("domain"), ended=_yes(query, "ended")
    ),
    "/api/explain": lambda history, query: explanation.explain(
        history, _wanted(query, "alarm"), query.get("domain"), _time(query, "at")
    ),
    "/api/why-not": lambda history, query: missing.missing(
        history, _wanted(query, "rule"), _wanted(query, "entity"), query.get("domain")
    ),
    "/api/history": lambda history, query: queries.past(
        history, _wanted(query, "key"), limit=_limit(query, 200)
    ),
    "/api/definitions/history": lambda history, query: changes.definitions(
        history, _wanted(query, "kind"), query.get("name")
    ),
    "/api/shadow": lambda history, _: changes.shadow(history),
    "/api/executions": lambda history, query: queries.executions(history, limit=_limit(query, 100)),
}


def answer(history: Reading, path: str, query: Query) -> Any:
    """What ``GET path?query`` answers.

    Raises ``NotFound``, ``InvalidCall`` and ``HistoryUnavailable``.
    """
    if path.startswith(EXECUTION):
        return queries.execution(history, unquote(path.removeprefix(EXECUTION)))
    if path not in ANSWERS:
        raise NotFound(f"no {path}; there is {', '.join(ANSWERS)}")
    return ANSWERS[path](history, query)


def _wanted(query: Query, name: str) -> str:
    value = query.get(name)
    if not value:
        raise InvalidCall(f"say which with ?{name}=")
    return value


def _yes(query: Query, name: str) -> bool:
    return query.get(name, "").lower() in ("1", "true", "yes")


def _time(query: Query, name: str) -> str | None:
    text = query.get(name)
    if not text:
        return None
    try:
        return normalize(text)
    except ValueError as error:
        raise InvalidCall(f"{name}: {error}") from error


def _limit(query: Query, default: int) -> int:
    text = query.get("limit", str(default))
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 10_000:
        raise InvalidCall("limit is a number from 1 to 10000")
    return int(text)
