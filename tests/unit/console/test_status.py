from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from pipeline.console.board import Board
from pipeline.console.offsets import Extents
from pipeline.console.status import Sight, behind, settled
from pipeline.errors import BrokerUnavailable


def word(role: str, instance: str = "0", **positions: dict[str, int]) -> tuple[str, bytes, float]:
    value = {
        "role": role, "instance": instance,
        "positions": {topic.replace("_", "."): found for topic, found in positions.items()},
    }  # fmt: skip
    return f"{role}/{instance}", json.dumps(value).encode(), time.time()


class World:
    """Topics that end somewhere, roles that come on by themselves each time one looks at them."""

    def __init__(self) -> None:
        self.board = Board()
        self.ends: dict[str, int] = {}
        self.first: dict[str, int] = {}
        self.kept: dict[str, dict[str, int]] = {}
        self.asked: list[tuple[str, ...]] = []
        self.when_asked: dict[str, Any] = {}

    async def extents(self, topics: tuple[str, ...]) -> Extents:
        self.asked.append(topics)
        for topic in topics:
            if topic in self.when_asked:
                self.when_asked[topic]()
        return {
            topic: {0: (self.first.get(topic, 0), self.ends[topic])} for topic in topics if topic in self.ends
        }

    @property
    def sight(self) -> Sight:
        return Sight(self.board, self.extents, lambda: self.kept)


def test_what_retention_removed_is_not_waited_for() -> None:
    ends: Extents = {"a": {0: (5, 5), 1: (5, 9)}, "b": {0: (0, 3)}}
    assert behind(ends, {"a": {1: 9}, "b": {0: 1}}) == {"b": {0: 2}}
    assert behind(ends, {}) == {"a": {1: 4}, "b": {0: 3}}


def test_it_is_settled_when_each_stage_has_come_to_the_end_it_had_when_the_one_before_was_done() -> None:
    world = World()
    world.ends = {"alarms.raw": 3, "graph.input": 10, "workflow.commands": 2, "graph.journal": 5}
    world.board.take(*word("ingest", alarms_raw={"0": 3}))
    world.board.take(*word("correlate", graph_input={"0": 10}))
    world.board.take(*word("workflow", workflow_commands={"0": 2}))
    world.kept = {"graph.journal": {"0": 5}}
    found = asyncio.run(settled(world.sight, 0))
    assert found == {"settled": True, "lagging": None, "detail": ""}
    assert [topics[0] for topics in world.asked] == [
        "topology.changes", "graph.input", "workflow.commands", "graph.journal"
    ]  # fmt: skip


def test_what_a_stage_derived_meanwhile_is_waited_for() -> None:
    world = World()
    world.ends = {"alarms.raw": 1, "graph.input": 1, "graph.journal": 0}
    world.board.take(*word("ingest", alarms_raw={"0": 1}))
    world.board.take(*word("correlate", graph_input={"0": 1}))
    # As correlate would have: by the time history's end is asked for, the journal has grown.
    world.when_asked["graph.journal"] = lambda: world.ends.update({"graph.journal": 1})
    world.kept = {"graph.journal": {"0": 0}}
    found = asyncio.run(settled(world.sight, 0))
    assert (found["settled"], found["lagging"]) == (False, "history")


def test_the_role_that_lags_is_named_and_whether_it_is_heard_of() -> None:
    world = World()
    world.ends = {"alarms.raw": 1, "graph.input": 7}
    world.board.take(*word("ingest", alarms_raw={"0": 1}))
    found = asyncio.run(settled(world.sight, 0))
    assert found["lagging"] == "correlate"
    assert found["detail"] == (
        "correlate is 7 records behind on graph.input and has not been heard of lately: is it running?"
    )
    world.board.take(*word("correlate", graph_input={"0": 4}))
    assert asyncio.run(settled(world.sight, 0))["detail"] == "correlate is 3 records behind on graph.input"


def test_a_broker_that_is_away_is_waited_for_until_the_time_is_over() -> None:
    world = World()
    world.ends = {"alarms.raw": 0}
    answers: list[Exception | None] = [BrokerUnavailable("away"), None]

    def fail() -> None:
        if answers and (error := answers.pop(0)) is not None:
            raise error

    world.when_asked["alarms.raw"] = fail
    assert asyncio.run(settled(world.sight, 0)) == {"settled": False, "lagging": "ingest", "detail": "away"}
    answers[:] = [BrokerUnavailable("away"), None]
    assert asyncio.run(settled(world.sight, 5))["settled"] is True


def test_positions_of_all_instances_count_and_never_go_back() -> None:
    board = Board()
    board.take(*word("correlate", "a", graph_input={"0": 5, "1": 7}))
    board.take(*word("correlate", "b", graph_input={"1": 9}))
    assert board.positions("correlate") == {"graph.input": {0: 5, 1: 9}}
    assert board.positions("ingest") == {}
    board.take("correlate/b", None, time.time())
    assert board.positions("correlate") == {"graph.input": {0: 5, 1: 7}}
    board.take("correlate/a", b"not json", time.time())
    assert [role["instance"] for role in board.roles()] == ["a"]


def test_a_role_that_says_nothing_is_silent() -> None:
    board = Board()
    key, value, _ = word("workflow")
    board.take(key, value, time.time() - 60)
    assert not board.alive("workflow")
    assert board.roles()[0]["alive"] is False
    assert board.roles()[0]["age"] >= 60


def test_those_who_watch_for_triggers_are_waited_for() -> None:
    world = World()
    world.ends = {"definitions.changes": 2, "orders": 5}

    def says(**watching: dict[str, int]) -> None:
        positions = {"definitions.changes": {"0": 2}}
        value = {"role": "ingest", "positions": positions, "watching": positions | watching}
        world.board.take("ingest/0", json.dumps(value).encode(), time.time())

    world.kept = {"definitions.changes": {"0": 2}}
    says()
    assert asyncio.run(settled(world.sight, 0.2))["settled"] is True
    says(orders={"0": 3})
    told = asyncio.run(settled(world.sight, 0.2))
    assert (told["settled"], told["lagging"], told["detail"]) == (
        False, "triggers", "triggers is 2 records behind on orders"
    )  # fmt: skip
    # A topic that nobody has been given yet is at its beginning.
    says(orders={})
    assert asyncio.run(settled(world.sight, 0.2))["lagging"] == "triggers"
    says(orders={"0": 5})
    assert asyncio.run(settled(world.sight, 0.2))["settled"] is True
