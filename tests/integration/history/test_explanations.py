"""Explanations out of a data directory, as they are asked for when nothing runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

TESTS = Path(__file__).resolve().parents[2]
DOWN = "nagios/DOWN@nova.host/h"
CUT_OFF = "vitrage/cut off@nova.instance/"
APP_DOWN = "vitrage/app down@nova.instance/"


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "FAULTLINE_CONFIG": ""}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, env=environment
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("story")
    done = python(str(TESTS / "support" / "story.py"), str(directory))
    assert done.returncode == 0, done.stderr
    return directory


@pytest.fixture
def shown(data: Path) -> Any:
    """What a command prints."""

    def run(*arguments: str, status: int = 0) -> str:
        done = python("-m", "pipeline", *arguments, "--data", str(data))
        assert done.returncode == status, done.stderr
        return done.stdout if status == 0 else done.stderr

    return run


@pytest.fixture
def told(shown: Any) -> Any:
    """What a command answers to programs."""
    return lambda *arguments: json.loads(shown(*arguments, "--json"))


def test_an_alarm_that_has_cleared_is_explained_by_the_rule_as_it_held_then(told: Any) -> None:
    found = told("explain", APP_DOWN + "v")
    rule = found["rule"]
    assert (rule["name"], rule["scenario"], rule["condition"]) == ("hosts", 1, "cut_off [on] vm")
    assert rule["excerpt"].startswith("- condition: cut_off [on] vm\n  actions:")
    assert "down [on] host" not in rule["excerpt"]
    # It has been changed since.
    assert "name: DOWN}" in rule["text"]
    assert rule["live"] != rule["revision"]
    assert (rule["path"], rule["live_since"]) == ("hosts.yaml", "2026-01-05T10:00:01.000000Z")
    assert [(one["element"], one["key"]) for one in found["match"]] == [
        ("cut_off", CUT_OFF + "v"), ("vm", "nova.instance/v")
    ]  # fmt: skip
    assert found["match"][0]["alarm"]["severity"] == "CRITICAL"
    assert found["match"][1]["wants"] == {"category": "RESOURCE", "type": "nova.instance"}
    assert found["match"][1]["entity"]["state"] == "available"


def test_each_record_is_named_with_where_it_came_from(told: Any) -> None:
    raised, cleared = told("explain", CUT_OFF + "v")["records"]
    assert (raised["what"], raised["record"], raised["said"]) == ("ACTIVE", "r17", f"ALARM RAISED {DOWN}")
    assert raised["origin"] == {"topic": "alarms.raw", "partition": 0, "offset": 1}
    assert raised["log"] == {"topic": "graph.input", "partition": 0, "offset": 17}
    assert raised["told"]["topic"] == "alarms.deduced"
    assert cleared["what"] == "CLEARED"
    assert cleared["said"] == "RELATIONSHIP DELETE nova.host/h contains nova.instance/v"
    assert cleared["origin"]["topic"] == "topology.changes"


def links(node: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Each link of a chain: what stands below, as which element, under what."""
    name = node.get("alarm") or node["entity"]
    return [
        link
        for below in node["from"]
        for link in [(below.get("alarm") or below["entity"], below["as"], name), *links(below)]
    ]


def test_the_chain_goes_down_to_what_was_reported(told: Any) -> None:
    chain = told("explain", APP_DOWN + "w")["chain"]
    assert links(chain) == [
        (CUT_OFF + "w", "cut_off", APP_DOWN + "w"),
        (DOWN, "down", CUT_OFF + "w"),
    ]
    leaf = chain["from"][0]["from"][0]
    assert (leaf["deduced"], leaf["record"], leaf["severity"]) == (False, "r17", "MAJOR")
    assert leaf["origin"] == {"topic": "alarms.raw", "partition": 0, "offset": 1}


def test_the_chain_leads_through_a_state_that_a_rule_set(told: Any) -> None:
    chain = told("explain", "vitrage/host is broken@nova.host/h")["chain"]
    assert links(chain) == [
        ("nova.host/h", "broken", "vitrage/host is broken@nova.host/h"),
        (DOWN, "down", "nova.host/h"),
    ]
    assert (chain["from"][0]["state"], chain["from"][0]["rule"]) == ("ERROR", "hosts")


def test_a_reported_alarm_is_explained_by_its_reports(told: Any, shown: Any) -> None:
    found = told("explain", DOWN)
    assert (found["rule"], found["match"], found["chain"]) == (None, [], None)
    assert [(one["what"], one["severity"], one["record"]) for one in found["records"]] == [
        ("RAISED", "MAJOR", "r17"), ("CHANGED", "CRITICAL", "r19")
    ]  # fmt: skip
    assert found["repeated"] == {"count": 1, "last": "2026-01-05T10:00:18.000000Z"}
    assert "said again once" in shown("explain", DOWN)


def test_an_alarm_as_it_was_at_a_time(told: Any, shown: Any) -> None:
    at = told("explain", CUT_OFF + "v", "--at", "2026-01-05T10:00:18Z")
    assert [one["what"] for one in at["records"]] == ["ACTIVE"]
    early = shown("explain", CUT_OFF + "v", "--at", "2026-01-05T10:00:05Z", status=1)
    assert "its latest life began at 2026-01-05T10:00:17" in early
    assert "RFC 3339" in shown("explain", CUT_OFF + "v", "--at", "yesterday", status=2)


@pytest.mark.parametrize(
    ("entity", "starts", "missing", "miss"),
    [
        ("nova.host/calm", {"host"}, {0: "down [on] host", 1: "nova.host/calm", 2: "down [on] host"},
         (DOWN, "it is on nova.host/h")),
        ("nova.host/h", {"host"}, {0: None, 1: "nova.host/h", 2: None}, None),
        ("nova.instance/v", {"vm"},
         {0: "host [contains] vm", 1: "cut_off [on] vm", 2: "nova.instance/v"},
         None),
        (DOWN, {"down"}, {0: None, 1: DOWN, 2: None}, None),
    ],
)  # fmt: skip
def test_why_a_rule_does_not_hold(
    told: Any, entity: str, starts: set[str], missing: dict[int, str | None], miss: tuple[str, str] | None
) -> None:
    found = told("explain", "--why-not", "hosts", entity)
    assert {walk["scenario"]: walk["missing"] for walk in found["walks"]} == missing
    assert found["holds"] == (None in missing.values())
    assert {walk["start"] for walk in found["walks"]} - {""} == starts
    if miss is not None:
        first = found["walks"][0]["elements"][-1]["misses"][0]
        assert (first["key"], first["why"]) == miss


def test_an_alarm_that_cleared_is_a_near_miss(told: Any) -> None:
    walk = told("explain", "--why-not", "hosts", "nova.instance/v")["walks"][1]
    nearest = walk["elements"][-1]["misses"][0]
    assert nearest == {"key": CUT_OFF + "v", "why": "it cleared at 2026-01-05T10:00:20.000000Z"}


def test_people_read_what_is_wrong_with_their_question(shown: Any) -> None:
    assert "did you mean 'hosts'" in shown("explain", "--why-not", "host", "nova.host/h", status=1)
    assert "did you mean 'nova.host/h'" in shown("explain", "--why-not", "hosts", "host/h", status=1)
    assert "did you mean" in shown("explain", "cut off@nova.instance/v", status=1)
    assert "say which ALARM" in shown("explain", status=2)
    assert "say which ALARM" in shown("explain", DOWN, "--why-not", "hosts", "nova.host/h", status=2)


def test_people_read_trees_and_tables(shown: Any) -> None:
    text = shown("explain", APP_DOWN + "v")
    for words in (
        "changed since, to revision",
        "alarms.raw[0]@1",
        "└── down: ▲ SEVERE",
        "cut_off",
        "to 2026",
    ):
        assert words in text
    assert "set_state" not in text
    assert "set_state" in shown("explain", APP_DOWN + "v", "--text")
    text = shown("explain", "--why-not", "hosts", "nova.host/calm")
    for words in ("hosts does not hold for nova.host/calm", "✗ down [on] host  finds no partner", "it is on",
                  "scenario 1 says nothing of a nova.host"):  # fmt: skip
        assert words in text


def test_impact_ranks_what_is_hit_with_the_way_there(told: Any, shown: Any) -> None:
    found = told("impact", "nova.host/h")
    assert [(one["key"], one["affected"], one["distance"]) for one in found["entities"]] == [
        ("nova.instance/w", True, 1),
        ("heat.stack/shop", False, 2),
    ]
    assert [(one["key"], one["caused"]) for one in found["alarms"]] == [
        (DOWN, False), (CUT_OFF + "w", True), ("vitrage/host is broken@nova.host/h", False),
        (APP_DOWN + "w", True),
    ]  # fmt: skip
    way = found["entities"][1]["path"]
    assert [(step["key"], step["label"]) for step in way] == [
        ("nova.host/h", ""), ("nova.instance/w", "contains"), ("heat.stack/shop", "part of")
    ]  # fmt: skip
    # The instance is on the host no longer, but its alarm was caused from there.
    ended = told("impact", "nova.host/h", "--ended")["entities"]
    assert {one["key"] for one in ended} == {"nova.instance/w", "nova.instance/v", "heat.stack/shop"}
    text = shown("impact", "nova.zone/z")
    assert "4 entities depend on it, 2 showing a fault" in text
    assert "nova.zone/z → contains nova.host/h → contains nova.instance/w" in text


def test_causes_come_from_rules_first_and_then_from_the_topology(told: Any, shown: Any) -> None:
    found = told("rca", APP_DOWN + "w")
    assert [one["path"] for one in found["roots"]] == [[DOWN, CUT_OFF + "w", APP_DOWN + "w"]]
    assert [(one["alarm"]["key"], one["distance"]) for one in found["suspects"]] == [("snmp/FAN@switch/s", 2)]
    text = shown("rca", DOWN)
    assert "no rule knows a cause of it" in text
    assert "switch/s → attached nova.host/h" in text


def test_edges_count_that_stood_at_any_time_of_a_life(tmp_path: Path) -> None:
    script = """
        import sys
        from pathlib import Path
        from pipeline.history.causality import causal
        from pipeline.history.database import local, migrate
        from pipeline.history.reading import Reading
        from pipeline.history.rows import MAPPERS, Place, empty
        from pipeline.history.writer import Writer
        import json

        database = local(Path(sys.argv[1]))
        client = database.client()
        migrate(client)
        rows = empty()
        at = "2026-01-05T10:{:02d}:00.000000Z".format
        for offset, (minute, op, source, target) in enumerate([
            (0, "ADDED", "long", "b"), (1, "ADDED", "before", "b"), (2, "REMOVED", "before", "b"),
            (5, "ADDED", "within", "b"), (6, "REMOVED", "within", "b"), (9, "ADDED", "after", "b"),
            (9, "REMOVED", "long", "b"),
        ]):
            change = {"kind": "CAUSE", "op": op, "source": source, "target": target, "rule": "r"}
            record = {"id": str(offset), "time": at(minute), "changes": [change], "position": [0, offset]}
            place = Place("graph.journal", "i", 0, offset, 0, 0)
            MAPPERS["graph.journal"](place, b"", json.dumps(record).encode(), [], rows)
        Writer(client).write(rows, "all")
        history = Reading(database)
        def causes(window):
            return {one for one, _ in causal(history, "default", ["b"], window, upward=True).edges}
        assert causes(None) == {"after"}, causes(None)
        assert causes((at(4), at(8))) == {"long", "within"}, causes((at(4), at(8)))
        assert causes((at(4), None)) == {"long", "within", "after"}
        assert causes((at(1), at(1))) == {"long", "before"}
    """
    done = python("-c", dedent(script), str(tmp_path))
    assert done.returncode == 0, done.stderr
