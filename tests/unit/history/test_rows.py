from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pipeline.history.rows import (
    COLUMNS,
    Headers,
    Mapper,
    Place,
    Rows,
    dead_letter,
    deduced,
    definition,
    empty,
    journal,
    step,
)
from pipeline.ids import revision

RESOURCE = {"type": "nova.host", "id": "host-1"}
ALARM = {
    "source": "nagios", "name": "CPU", "severity": "minor", "operational_severity": "WARNING",
    "status": "ACTIVE", "resource": RESOURCE, "attributes": {"rawtext": "97%"},
}  # fmt: skip


def place(topic: str = "graph.journal") -> Place:
    return Place(topic, "tid", 3, 17, 2, 1_700_000_000_000_000)


def mapped(mapper: Mapper, value: Any, headers: Headers | None = None, topic: str = "graph.journal") -> Rows:
    """The rows of one record, by table; tables without any are left out."""
    rows = empty()
    data = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
    mapper(place(topic), b"key", data, headers or [], rows)
    return {table: found for table, found in rows.items() if found}


def named(table: str, row: tuple[Any, ...]) -> dict[str, Any]:
    """A row as column and value; its length must be that of the columns."""
    return dict(zip(COLUMNS[table], row, strict=True))


def record(*changes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "j", "time": "2026-01-05T10:00:00.000001Z", "at": "2026-01-05T10:00:00.5Z", "domain": "site-1",
        "source": "nagios", "record": "a-1", "position": [3, 99], "changes": list(changes), **more,
    }  # fmt: skip


def test_a_row_says_where_its_record_stood_and_when_it_happened() -> None:
    rows = mapped(journal, record({"kind": "ALARM", "op": "RAISED", "key": "k", "alarm": ALARM}))
    row = named("alarms", rows["alarms"][0])
    assert {name: row[name] for name in ("topic", "topic_id", "partition", "offset", "n", "epoch")} == {
        "topic": "graph.journal", "topic_id": "tid", "partition": 3, "offset": 17, "n": 0, "epoch": 2
    }  # fmt: skip
    assert row["event_time"] == 1_767_607_200_000_001
    assert row["ingest_time"] == 1_700_000_000_000_000
    assert (row["domain"], row["id"], row["record"]) == ("site-1", "j", "a-1")
    assert (row["log_partition"], row["log_offset"]) == (3, 99)


def test_a_reported_alarm_keeps_the_sources_word_and_its_attributes_as_text() -> None:
    rows = mapped(journal, record({"kind": "ALARM", "op": "RAISED", "key": "k", "alarm": ALARM}, late=True))
    row = named("alarms", rows["alarms"][0])
    assert (row["key"], row["source"], row["severity"], row["operational_severity"]) == (
        "k", "nagios", "minor", "WARNING"
    )  # fmt: skip
    assert (row["resource_type"], row["resource_id"]) == ("nova.host", "host-1")
    assert json.loads(row["attributes"]) == {"rawtext": "97%"}
    assert (row["deduced"], row["outcome"], row["late"]) == (False, "RAISED", True)


@pytest.mark.parametrize("op", ["CLEARED", "REMOVED"])
def test_an_alarm_that_went_is_cleared_whatever_its_last_report_said(op: str) -> None:
    rows = mapped(journal, record({"kind": "ALARM", "op": op, "key": "k", "alarm": ALARM}))
    row = named("alarms", rows["alarms"][0])
    assert (row["status"], row["outcome"]) == ("CLEARED", op)


@pytest.mark.parametrize("kind", ["REPEATED", "IGNORED"])
def test_what_changed_nothing_is_told_apart(kind: str) -> None:
    rows = mapped(
        journal,
        record(
            {"kind": kind, "key": "k", "reason": "older", "alarm": ALARM},
            {"kind": kind, "key": "nova.host/h", "reason": "same"},
        ),
    )
    assert named("alarms", rows["alarms"][0])["outcome"] == kind
    change = named("changes", rows["changes"][0])
    assert (change["outcome"], change["kind"], change["key"], change["reason"]) == (
        kind,
        "",
        "nova.host/h",
        "same",
    )
    assert (named("alarms", rows["alarms"][0])["n"], change["n"]) == (0, 1)


def test_a_definition_that_changed_nothing_is_no_change_of_the_graph() -> None:
    told = record(
        {"kind": "REPEATED", "key": "r", "reason": "same"}, origin=["definitions.changes", "t", 0, 1]
    )
    rows = mapped(journal, told)
    assert list(rows) == ["rules"]
    assert named("rules", rows["rules"][0])["op"] == "REPEATED"


def test_a_deduced_alarm_is_taken_from_its_own_topic_alone() -> None:
    assert (
        mapped(
            journal, record({"kind": "ALARM", "op": "RAISED", "key": "k", "deduced": True, "alarm": ALARM})
        )
        == {}
    )
    value = {
        "id": "d", "time": "2026-01-05T10:00:00.000000Z", "source": "vitrage", "position": [3, 99],
        "alarm": {
            "key": "vitrage/x@a/b", "name": "x", "severity": "WARNING", "status": "ACTIVE",
            "operational_severity": "WARNING", "resource": {"type": "a", "id": "b"}, "episode": 4,
        },
        "rule": {"name": "r", "revision": "5f0c", "scenario": 1}, "match": {"host": "a/b"},
        "cause": {"record": "a-1"},
    }  # fmt: skip
    row = named("alarms", mapped(deduced, value)["alarms"][0])
    assert (row["deduced"], row["episode"], row["rule"], row["rule_revision"], row["scenario"]) == (
        True, 4, "r", "5f0c", 1
    )  # fmt: skip
    assert (row["match"], row["record"], row["domain"], row["log_offset"]) == (
        '{"host": "a/b"}',
        "a-1",
        "default",
        99,
    )


def test_the_graph_changes_state_and_cause_have_tables_of_their_own() -> None:
    rule = {"name": "r", "revision": "1", "scenario": 0}
    rows = mapped(
        journal,
        record(
            {"kind": "ENTITY", "op": "UPSERT", "key": "a/b", "entity": {
                "type": "a", "id": "b", "name": None, "category": None, "state": None, "placeholder": True,
                "attributes": {},
            }},
            {"kind": "RELATIONSHIP", "op": "DELETE", "relationship": {
                "source": {"type": "a", "id": "b"}, "type": "contains", "target": {"type": "c", "id": "d"},
            }},
            {"kind": "STATE", "key": "a/b", "state": "up", "aggregated_state": "ERROR",
             "operational_state": "ERROR", "rule": rule, "match": {"x": "a/b"}},
            {"kind": "CAUSE", "op": "ADDED", "source": "k1", "target": "k2", "rule": rule,
             "match": {"x": "a/b"}},
            {"kind": "CAUSE", "op": "REMOVED", "source": "k1", "target": "k2", "rule": None, "match": None},
            {"kind": "WORKFLOW", "workflow": "w", "input": {"vm": 1}, "execution": "e", "rule": rule,
             "match": None},
            {"kind": "RULE", "op": "ERROR", "name": "r", "revision": "1", "reason": "line 3"},
            {"kind": "VALUES", "op": "ADDED", "name": "v", "revision": "1", "reason": ""},
            {"kind": "DOWN", "key": "a/b", "down": True, "rule": rule, "match": None},
            {"kind": "SOMETHING NEW", "key": "a/b"},
        ),
    )  # fmt: skip
    assert {table: len(found) for table, found in rows.items()} == {
        "changes": 3, "causes": 2, "states": 1, "starts": 1, "rules": 2
    }  # fmt: skip
    entity, edge, down = [named("changes", row) for row in rows["changes"]]
    assert (entity["placeholder"], entity["name"], entity["outcome"]) == (True, "", "APPLIED")
    assert (edge["key"], edge["target_id"], edge["op"]) == ("a/b contains c/d", "d", "DELETE")
    assert (down["kind"], down["op"], down["reason"]) == ("DOWN", "ADDED", "r")
    assert named("states", rows["states"][0])["match"] == '{"x": "a/b"}'
    assert [named("causes", row)["rule"] for row in rows["causes"]] == ["r", ""]
    assert named("starts", rows["starts"][0])["input"] == '{"vm": 1}'
    assert [named("rules", row)["kind"] for row in rows["rules"]] == ["RULE", "VALUES"]


def told(kind: str, **more: Any) -> dict[str, Any]:
    return {
        "id": "s", "time": "2026-01-05T10:00:00.000000Z", "root": "root", "execution": "e", "kind": kind,
        "name": "n", "state": "RUNNING", "state_info": None, "from": "IDLE", **more,
    }  # fmt: skip


def test_a_step_is_a_row_of_steps_and_one_of_what_it_is_about() -> None:
    execution = mapped(
        step, told("EXECUTION", workflow="w", input={"a": [1]}, by={"rule": "r"}, parent={"execution": "p"})
    )
    assert list(execution) == ["steps", "executions"]
    row = named("executions", execution["executions"][0])
    assert (row["id"], row["workflow"], row["parent"], row["input"]) == ("e", "w", "p", '{"a": [1]}')
    assert (row["started_by"], row["started_at"]) == ('{"rule": "r"}', None)
    steps = named("steps", execution["steps"][0])
    assert (steps["id"], steps["from"], steps["state_info"]) == ("s", "IDLE", "")

    task = mapped(
        step, told("TASK", task="t", state_info='it\'s "odd"', result=None, published={}, attempt=2)
    )
    row = named("tasks", task["tasks"][0])
    assert (row["id"], row["execution"], row["state_info"], row["result"], row["attempt"]) == (
        "t", "e", "it's \"odd\"", "null", 2
    )  # fmt: skip

    action = mapped(
        step,
        told("ACTION", action="a", task="t", index=3, ended_at="2026-01-05T10:00:00.000002Z", result="x"),
    )
    row = named("actions", action["actions"][0])
    assert (row["id"], row["task"], row["index"], row["result"]) == ("a", "t", 3, '"x"')
    assert row["ended_at"] == 1_767_607_200_000_002

    assert list(mapped(step, told("LATE", action="a", late=True))) == ["steps"]


def test_a_dead_letter_keeps_its_bytes() -> None:
    headers = [
        ("reason", b"not-json"), ("error", "it’s".encode()), ("topic", b"alarms.raw"), ("partition", b"2"),
        ("offset", b"41"), ("time", b"2026-01-05T10:00:00.000000Z"),
    ]  # fmt: skip
    row = named("dead_letters", mapped(dead_letter, b"\xff\x00", headers)["dead_letters"][0])
    assert (row["value"], row["reason"], row["error"]) == (b"\xff\x00", "not-json", "it’s")
    assert (row["origin_topic"], row["origin_partition"], row["origin_offset"]) == ("alarms.raw", 2, 41)
    assert row["event_time"] == 1_767_607_200_000_000


@pytest.mark.parametrize(
    "headers", [[], [("partition", b"x"), ("offset", b"9" * 40), ("time", b"noon"), ("reason", b"\xff")]]
)
def test_a_dead_letter_of_any_kind_is_taken(headers: Headers) -> None:
    row = named("dead_letters", mapped(dead_letter, None, headers)["dead_letters"][0])
    assert (row["origin_partition"], row["origin_offset"], row["value"]) == (-1, -1, b"")
    assert row["event_time"] == row["ingest_time"]


@pytest.mark.parametrize(
    ("mapper", "value"),
    [
        (journal, b""),
        (journal, b"[]"),
        (journal, {"id": "j"}),
        (journal, record({"kind": 3})),
        (journal, {**record(), "time": "noon"}),
        (
            journal,
            record(
                {"kind": "ALARM", "op": "RAISED", "key": "k", "alarm": ALARM}, {"kind": "STATE", "key": 1}
            ),
        ),
        (deduced, {**told("X"), "alarm": None}),
        (step, told("TASK", started_at="noon")),
        (step, b"\xff"),
    ],
)
def test_a_record_that_cannot_be_read_leaves_no_row(mapper: Mapper, value: Any) -> None:
    rows = empty()
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    with pytest.raises((msgspec.DecodeError, ValueError)):
        mapper(place(), None, data, [], rows)
    assert not any(rows.values())


def test_a_row_says_which_inbound_record_brought_it_about() -> None:
    origin = ["alarms.raw", "uuid-1", 5, 4711]
    told = record({"kind": "ALARM", "op": "RAISED", "key": "k", "alarm": ALARM}, origin=origin)
    row = named("alarms", mapped(journal, told)["alarms"][0])
    assert [
        row["origin_topic"],
        row["origin_topic_id"],
        row["origin_partition"],
        row["origin_offset"],
    ] == origin
    row = named("alarms", mapped(journal, record(*told["changes"]))["alarms"][0])
    assert (row["origin_topic"], row["origin_partition"], row["origin_offset"]) == ("", -1, -1)


def test_the_text_of_a_definition_is_kept_with_its_revision() -> None:
    told = {
        "id": "d-1", "time": "2026-01-05T11:00:00+01:00", "source": "files", "op": "UPSERT",
        "definition": {
            "kind": "RULE", "name": "r", "text": "scenarios: []", "path": "rules/r.yaml",
            "parameters": {"k": "v"}, "mode": "shadow",
        },
        "by": {"operator": "ann"},
    }  # fmt: skip
    row = named("definitions", mapped(definition, told)["definitions"][0])
    assert row["revision"] == revision("scenarios: []", {"k": "v"})
    assert (row["mode"], row["by"]) == ("shadow", '{"operator": "ann"}')
    assert row["event_time"] == 1_767_607_200_000_000
    assert (row["name"], row["op"], row["text"], row["parameters"]) == (
        "r", "UPSERT", "scenarios: []", '{"k":"v"}'
    )  # fmt: skip
    bare = {"op": "DELETE", "time": "yesterday", "definition": {"kind": "RULE", "name": "r"}}
    row = named("definitions", mapped(definition, bare)["definitions"][0])
    assert (row["op"], row["text"], row["event_time"]) == ("DELETE", "", row["ingest_time"])
