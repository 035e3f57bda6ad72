from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from pipeline.console import definitions
from pipeline.console.board import Board
from pipeline.console.status import Sight
from pipeline.errors import InvalidCall
from pipeline.ids import revision

OWN = revision("text")


def sight(*roles: dict[str, Any]) -> Sight:
    board = Board()
    for number, role in enumerate(roles):
        long_ago = 0.0 if role.get("alive") is False else time.time()
        board.take(f"role/{number}", json.dumps(role).encode(), long_ago)

    async def extents(topics: tuple[str, ...]) -> dict[str, dict[int, tuple[int, int]]]:
        return {topic: {0: (0, 0)} for topic in topics}

    return Sight(board, extents, dict)


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is sent; the topic holds one definition of each kind."""
    sent: list[dict[str, Any]] = []
    held = {
        f"{kind}/x": {
            "source": "operator",
            "time": "2026-01-05T10:00:00.000000Z",
            "by": {"operator": "ada"},
            "definition": {"kind": kind, "name": "x", "text": "text", "path": "/r/x.yaml"},
        }
        for kind in ("RULE", "VALUES", "WORKFLOW")
    }
    monkeypatch.setattr(definitions.topic, "held", lambda _: {**held, "RULE/avro": {}})
    monkeypatch.setattr(definitions.topic, "send", lambda _, records: sent.extend(records))
    return sent


class History:
    """A history in which one rule is in error."""

    def rows(self, sql: str) -> list[dict[str, Any]]:
        assert "rules_now" in sql
        return [{"name": "y", "revision": "1", "reason": "it fails"}]


def rule(**fields: Any) -> dict[str, Any]:
    return {"role": "correlate", "counters": {"rules": {"x": {"revision": OWN, "matches": 2, **fields}}}}


@pytest.mark.parametrize(
    ("roles", "state", "matches", "reason"),
    [
        ([], "PENDING", None, ""),
        ([rule()], "ACTIVE", 2, ""),
        ([rule(), rule(matches=3)], "ACTIVE", 5, ""),
        ([rule(revision="older")], "PENDING", 2, ""),
        ([rule(), rule(revision="older")], "PENDING", 4, ""),
        ([rule(), rule(reason="it fails", status="ERROR")], "ERROR", 4, "it fails"),
        ([{**rule(), "alive": False}], "PENDING", None, ""),
        ([{**rule(), "role": "workflow"}], "PENDING", None, ""),
    ],
)
def test_the_state_of_a_rule_is_what_all_workers_say_of_it(
    topic: list[Any], roles: list[dict[str, Any]], state: str, matches: int | None, reason: str
) -> None:
    [found] = asyncio.run(definitions.live("k", sight(*roles), "RULE", "x"))
    assert (found["state"], found["matches"], found["reason"]) == (state, matches, reason)
    assert (found["revision"], found["by"], found["path"]) == (OWN, "ada", "/r/x.yaml")
    assert (found["text"], found["parameters"]) == ("text", {})


def test_workflows_are_told_by_the_roles_that_run_them(topic: list[Any]) -> None:
    said = {"role": "workflow", "counters": {"definitions": {"x": {"revision": OWN, "error": ""}}}}
    [found] = asyncio.run(definitions.live("k", sight(said), "WORKFLOW"))
    assert (found["state"], found["matches"]) == ("ACTIVE", None)


def test_all_that_is_live_is_listed_also_what_somebody_else_wrote(topic: list[Any]) -> None:
    found = asyncio.run(definitions.live("k", sight()))
    assert [(one["kind"], one["name"]) for one in found] == [
        ("RULE", "avro"),
        ("RULE", "x"),
        ("VALUES", "x"),
        ("WORKFLOW", "x"),
    ]


def test_a_change_is_sent_with_who_made_it_and_errors_are_told(topic: list[Any]) -> None:
    change = {
        "op": "UPSERT",
        "definition": {"kind": "RULE", "name": "n", "text": "t", "parameters": {"a": "b"}},
    }
    gone = {"op": "DELETE", "definition": {"kind": "WORKFLOW", "name": "w", "text": "ignored"}}
    asked = {"changes": [change, gone], "by": {"operator": "ada"}, "wait": 1}
    told = asyncio.run(definitions.change("k", sight(), History(), asked))  # type: ignore[arg-type]
    assert [record["op"] for record in topic] == ["UPSERT", "DELETE"]
    assert topic[0]["definition"] == change["definition"]
    assert topic[1]["definition"] == {"kind": "WORKFLOW", "name": "w"}
    assert {record["source"] for record in topic} == {"operator"}
    assert topic[0]["by"] == {"operator": "ada"}
    assert told["settled"] is True
    assert told["errors"] == [{"name": "y", "revision": "1", "reason": "it fails"}]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"changes": []},
        {"changes": [4]},
        {"changes": [{"op": "PUT", "definition": {"kind": "RULE", "name": "n", "text": "t"}}]},
        {"changes": [{"op": "UPSERT", "definition": {"kind": "RULE", "name": "n"}}]},
        {"changes": [{"op": "UPSERT", "definition": {"kind": "LAW", "name": "n", "text": "t"}}]},
        {"changes": [{"op": "UPSERT", "definition": {"kind": "RULE", "name": "", "text": "t"}}]},
        {"changes": [{"op": "UPSERT"}]},
        {"changes": [{"op": "DELETE", "definition": {"kind": "RULE", "name": "n"}}], "wait": -1},
        {"changes": [{"op": "DELETE", "definition": {"kind": "RULE", "name": "n"}}], "wait": "long"},
    ],
)
def test_a_change_that_is_none_is_refused_and_nothing_is_sent(
    topic: list[Any], asked: dict[str, Any]
) -> None:
    with pytest.raises(InvalidCall):
        asyncio.run(definitions.change("k", sight(), History(), asked))  # type: ignore[arg-type]
    assert topic == []
