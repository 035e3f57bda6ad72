"""What actions get from the executor that runs them, seen on the topics that it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

pytestmark = pytest.mark.broker
HUSH = "hush-hush-42"


def records(bootstrap: str, topic: str, partitions: int) -> list[Any]:
    """All that a topic holds."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "none", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(partitions)])
    found: list[Any] = []
    ended = 0
    while ended < partitions:
        message = consumer.poll(10)
        assert message is not None
        if message.error() is None:
            found.append(message)
        else:
            ended += 1
    consumer.close()
    return found


def test_a_secret_reaches_whom_it_is_for_and_no_topic_or_log(bench: Any, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps({"api": HUSH}))
    bench.executor("secretive", secrets=f"file:{kept}")
    url = f"http://{bench.target.address}/told/secret"
    by_name = {"url": url, "method": "POST", "headers": {"X-Own": {"secret": "api"}}}
    bench.ask("act-told", "std.http", {**by_name, "body": {"as": {"secret": "api"}}})
    bench.ask("act-shown", "std.echo", {"output": [{"secret": "api"}, "plain"]})
    bench.ask("act-failed", "std.fail", {"error_data": {"with": {"secret": "api"}}})
    bench.ask("act-unknown", "std.echo", {"output": {"secret": "other"}})
    found = bench.wait(["act-told", "act-shown", "act-failed", "act-unknown"])
    assert bench.target.heard["/told/secret"] == (HUSH, f'{{"as": "{HUSH}"}}')
    assert found["act-told"]["state"] == "SUCCESS"
    assert found["act-shown"]["result"] == ["***", "plain"]
    assert found["act-failed"]["result"] == {"with": "***"}
    assert "there is no secret 'other'" in found["act-unknown"]["result"]
    for topic in ("workflow.actions", "executor.ledger", "workflow.commands", "roles.status", "dead.letters"):
        count = 1 if topic == "roles.status" else 8
        for record in records(bench.bootstrap, topic, count):
            assert HUSH.encode() not in (record.value() or b""), topic
    assert HUSH not in bench.tails()


def test_records_are_written_to_topics_of_the_user_s(bench: Any) -> None:
    admin = AdminClient({"bootstrap.servers": bench.bootstrap})
    admin.create_topics([NewTopic("ours.notes", 1, 1)])["ours.notes"].result(20)
    bench.executor("writer")
    given = {"topic": "ours.notes", "key": "k", "value": {"a": [1, "ü"]}, "headers": {"x": "y"}}
    bench.ask("act-note", "kafka.produce", given)
    bench.ask("act-raw", "kafka.produce", {"topic": "ours.notes", "value": "as it is"})
    bench.ask("act-own", "kafka.produce", {"topic": "workflow.commands", "value": {"command": "START"}})
    bench.ask("act-none", "kafka.produce", {"topic": "ours.nothing", "value": 1, "timeout": 8})
    found = bench.wait(["act-note", "act-raw", "act-own", "act-none"])
    assert found["act-note"]["result"]["topic"] == "ours.notes"
    assert {found["act-note"]["result"]["offset"], found["act-raw"]["result"]["offset"]} == {0, 1}
    assert "one of Faultline's own topics" in found["act-own"]["result"]
    assert (found["act-none"]["state"], "ours.nothing" in found["act-none"]["result"]) == ("ERROR", True)
    written = {
        dict(record.headers())["ce_id"]: record for record in records(bench.bootstrap, "ours.notes", 1)
    }
    assert json.loads(written[b"act-note"].value()) == {"a": [1, "ü"]}
    assert (written[b"act-note"].key(), dict(written[b"act-note"].headers())["x"]) == (b"k", b"y")
    assert (written[b"act-raw"].key(), written[b"act-raw"].value()) == (None, b"as it is")


def test_an_asynchronous_request_says_which_call_it_is_and_waits_for_its_answer(bench: Any) -> None:
    bench.executor("asking")
    url = f"http://{bench.target.address}/quick/callback"
    bench.ask("act-async", "std.mistral_http", {"url": url, "method": "POST"}, workflow="repair")
    bench.ask(
        "act-refused", "std.mistral_http", {"url": f"http://{bench.target.address}/a/b/c"}, workflow="repair"
    )
    bench.ask("act-script", "std.js", {"script": "return $ * 2", "context": 21})
    found = bench.wait(["act-refused", "act-script"])
    assert found["act-script"]["result"] == 42
    assert found["act-refused"]["state"] == "ERROR"
    bench.called("quick", ["callback"])
    headers = bench.target.headers["/quick/callback"]
    told = {name: value for name, value in headers.items() if name.startswith("Mistral-")}
    assert told == {
        "Mistral-Workflow-Name": "repair",
        "Mistral-Workflow-Execution-Id": "root-act-async",
        "Mistral-Task-Id": "task-act-async",
        "Mistral-Action-Execution-Id": "act-async",
        "Mistral-Callback-URL": "/v2/action_executions/act-async",
    }
    assert "act-async" not in bench.results
