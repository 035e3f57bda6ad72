"""Counts over a relationship: how many paths are up, whether all members are down."""

from __future__ import annotations

import itertools

import pytest
from support.lab import Lab

HEAD = """
metadata: {version: 3, name: rule}
entities:
  v: {type: volume}
  path: {type: path}
  up: {type: path, state: up}
  down: {type: path, aggregated_state: DOWN}
  alarm: {category: ALARM, type: nagios}
  other: {type: host}
scenarios:
"""
RAISE = "  actions: [{raise_alarm: {target: v, alarm_name: d, severity: CRITICAL}}]\n"


def having(*entries: str, condition: str = "v") -> str:
    lines = "".join("  - " + entry.replace(", ", "\n    ") + "\n" for entry in entries)
    return f"{HEAD}- condition: {condition}\n  having:\n{lines}{RAISE}"


def lab_with(text: str, paths: str = "") -> Lab:
    """A volume with a path for each letter: u is up, d is down, ? was never described."""
    lab = Lab()
    lab.rule(text)
    assert not lab.shard.rules.rules["rule"].error
    lab.entity("volume/v")
    for number, letter in enumerate(paths):
        lab.relate("volume/v", "has", f"path/{number}")
        if letter != "?":
            lab.entity(f"path/{number}", state={"u": "up", "d": "down"}[letter])
    return lab


@pytest.mark.parametrize(
    ("entry", "holds", "not_"),
    [
        ("of: v [has] up, at_most: 1", ["", "d", "ud", "u", "u?"], ["uu", "uud"]),
        ("of: v [has] up, at_least: 2", ["uu", "uuu", "duu"], ["", "u", "udd"]),
        ("of: v [has] path, at_least: 1, at_most: 2", ["u", "ud"], ["", "?", "udu"]),
        ("of: v [has] path, at_most: 0", ["", "?"], ["u", "d"]),
        ("all: v [has] path, are: down", ["d", "dd", "d?"], ["", "u", "du", "?"]),
        ("all: v [has] path, are: down, at_least: 2", ["dd"], ["d", "ddu"]),
    ],
)
def test_counts(entry: str, holds: list[str], not_: list[str]) -> None:
    for paths in holds:
        assert lab_with(having(entry), paths).deduced() == {"d@volume/v": "CRITICAL"}, paths
    for paths in not_:
        assert lab_with(having(entry), paths).deduced() == {}, paths


def test_a_member_that_changes_recounts_its_group_only() -> None:
    lab = lab_with(having("of: v [has] up, at_most: 1"), "uuu")
    lab.entity("volume/w")
    assert lab.deduced() == {"d@volume/w": "CRITICAL"}
    lab.entity("path/0", state="down")
    assert lab.deduced().keys() == {"d@volume/w"}
    visited = lab.shard.engine.search.visited
    lab.entity("path/1", state="down")
    assert lab.announced() == [("d@volume/v", "ACTIVE", "CRITICAL")]
    assert lab.shard.engine.search.visited - visited <= 2
    lab.shard = lab.restored()
    assert lab.deduced().keys() == {"d@volume/v", "d@volume/w"}
    lab.entity("path/1", state="up")
    assert lab.deduced().keys() == {"d@volume/w"}


def test_edges_and_members_come_and_go() -> None:
    lab = lab_with(having("all: v [has] path, are: down"), "d")
    assert lab.deduced()
    lab.relate("volume/v", "has", "path/x")
    assert lab.deduced(), "what was never described is no path yet"
    lab.entity("path/x", state="up")
    assert not lab.deduced()
    lab.part("volume/v", "has", "path/x")
    assert lab.deduced()
    lab.relate("volume/v", "has", "path/x")
    assert not lab.deduced()
    lab.delete("path/x")
    assert lab.deduced()
    lab.delete("path/0")
    assert not lab.deduced()


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_order_of_records_is_nothing(order: tuple[int, ...]) -> None:
    lab = Lab()
    lab.rule(having("all: v [has] path, are: down"))
    records = [
        lambda: lab.entity("volume/v"),
        lambda: lab.entity("path/1", state="down"),
        lambda: lab.entity("path/2", state="down"),
        lambda: lab.relate("volume/v", "has", "path/1"),
    ]
    for number in order:
        records[number]()
    lab.relate("volume/v", "has", "path/2")
    assert lab.deduced() == {"d@volume/v": "CRITICAL"}


def test_states_that_rules_set_are_counted_and_alarms_too() -> None:
    lab = lab_with(having("all: v [has] path, are: down"), "uu")
    lab.rule(
        "metadata: {version: 3, name: below}\nentities:\n  a: {category: ALARM, type: nagios}\n"
        "  p: {type: path}\nscenarios:\n- condition: a [on] p\n"
        "  actions: [{set_state: {target: p, state: DOWN}}]\n",
        name="below",
    )
    lab.alarm("x", "path/0")
    assert not lab.deduced()
    lab.alarm("x", "path/1")
    assert lab.announced() == [("d@volume/v", "ACTIVE", "CRITICAL")]
    lab.clear("x", "path/0")
    assert not lab.deduced()
    lab.rule(having("of: alarm [on] v, at_least: 2"))
    lab.alarm("x", "volume/v")
    assert not lab.deduced()
    lab.alarm("y", "volume/v")
    assert lab.deduced() == {"d@volume/v": "CRITICAL"}


def test_a_count_that_feeds_itself_is_refused() -> None:
    lab = Lab()
    text = having("of: v [has] up, at_most: 1").replace(
        "type: path, state: up", "type: path, aggregated_state: UP"
    )
    text = text.replace("condition: v\n", "condition: v [has] path\n")
    text = text.replace(RAISE, "  actions: [{set_state: {target: path, state: UP}}]\n")
    lab.rule(text)
    assert "feeds itself" in lab.shard.rules.rules["rule"].error
