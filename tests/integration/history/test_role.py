from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.console.client import Client
from pipeline.errors import InvalidCall, NotFound, NotRunning, QueryRefused
from pipeline.ids import revision
from pipeline.local import broker as local_broker
from pipeline.local import instance

TOKEN = "a token of the test"
TOPICS = (
    "topology.changes", "alarms.raw", "definitions.changes", "graph.input", "graph.journal", "alarms.deduced",
    "workflow.commands", "workflow.actions", "workflow.steps", "dead.letters", "controls", "roles.status",
)  # fmt: skip
ROLE = """
import asyncio, signal, logging
from pipeline import settings
from pipeline.history.role import run
logging.basicConfig(level="INFO")
async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await run(settings.load(), stop)
asyncio.run(main())
"""


@dataclass
class Pipeline:
    """History alone on a broker of its own; the test plays the other roles."""

    kafka: str
    data: Path
    api: str
    process: subprocess.Popen[bytes]

    @property
    def client(self) -> Client:
        return Client(self.api, TOKEN)

    def send(self, written: list[tuple[str, str, Any]]) -> None:
        producer = Producer({"bootstrap.servers": self.kafka, "partitioner": "murmur2_random"})
        for topic, key, value in written:
            data = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
            producer.produce(topic, data, key.encode())
        assert producer.flush(20) == 0

    def say(self, role: str, positions: dict[str, dict[str, int]], **counters: Any) -> None:
        word = {
            "role": role,
            "instance": "0",
            "pid": 1,
            "time": "",
            "positions": positions,
            "counters": counters,
        }
        self.send([("roles.status", f"{role}/0", word)])

    def ends(self, topic: str) -> dict[str, int]:
        consumer = Consumer({"bootstrap.servers": self.kafka, "group.id": "ends"})
        partitions = consumer.list_topics(topic, 10).topics[topic].partitions
        found = {
            str(number): consumer.get_watermark_offsets(TopicPartition(topic, number), 10)[1]
            for number in partitions
        }
        consumer.close()
        return found

    def read(self, topic: str) -> list[dict[str, Any]]:
        consumer = Consumer(
            {"bootstrap.servers": self.kafka, "group.id": "read", "enable.auto.commit": False}
        )
        ends = self.ends(topic)
        consumer.assign([TopicPartition(topic, int(number), 0) for number in ends])
        found: list[dict[str, Any]] = []
        while len(found) < sum(ends.values()):
            message = consumer.poll(10)
            assert message is not None
            found.append(json.loads(message.value()))
        consumer.close()
        return found


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    directory = tmp_path_factory.mktemp("history")
    kafka = local_broker.start(directory / "kafka")
    try:
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
        single = ("definitions.changes", "controls", "roles.status")
        made = admin.create_topics([NewTopic(topic, 1 if topic in single else 2, 1) for topic in TOPICS])
        for future in made.values():
            future.result(20)
        log = directory / "role.log"
        process = subprocess.Popen(
            [sys.executable, "-c", ROLE],
            env={
                **os.environ, "FAULTLINE_CONFIG": "", "FAULTLINE_DATA": str(directory / "data"),
                "FAULTLINE_KAFKA": kafka.bootstrap, "FAULTLINE_TOKEN": TOKEN, "FAULTLINE_INSTANCE": "0",
                "FAULTLINE_API": "http://127.0.0.1:0",
            },
            stderr=log.open("wb"),
        )  # fmt: skip
        try:
            deadline = time.monotonic() + 30
            while "the API is at " not in log.read_text():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            api = log.read_text().partition("the API is at ")[2].split()[0]
            running = Pipeline(kafka.bootstrap, directory / "data", api, process)
            instance.write(running.data, instance.Instance(os.getpid(), "test", kafka.bootstrap, api, TOKEN))
            yield running
            assert process.poll() is None, log.read_text()
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0, log.read_text()
        finally:
            process.kill()
            process.wait(10)
    finally:
        kafka.stop()


@pytest.fixture(scope="module")
def incident(pipeline: Pipeline, incident_records: Any) -> None:
    """A port's alarm on a host, from which rules deduced an alarm on an instance; a playbook acted."""
    records = incident_records
    host, one, two = "nova.host/host-1", "nova.instance/vm-1", "nova.instance/vm-2"
    records.journal(
        records.entity("nova.zone/z"),
        records.entity(host),
        records.relationship("nova.zone/z", "contains", host),
    )
    records.journal(records.entity(one, name="web"), records.relationship(host, "contains", one))
    records.journal(records.entity(two), records.relationship(host, "contains", two))
    records.journal(
        records.entity("ceph.pool/p", placeholder=True, state=None), records.alarm("FULL", "ceph.pool/p")
    )
    raised = f"nagios/PORT_DOWN@{host}"
    records.journal(
        records.alarm("PORT_DOWN", host),
        records.state(one, "SUBOPTIMAL", "SUBOPTIMAL"),
        records.cause(raised, f"vitrage/unreachable@{one}"),
        records.cause(f"vitrage/unreachable@{one}", f"vitrage/app down@{one}", rule="app"),
        {"kind": "RULE", "op": "ADDED", "name": "host_down", "revision": "5f0c", "reason": ""},
        {
            "kind": "RULE",
            "op": "ERROR",
            "name": "broken",
            "revision": "1",
            "reason": "line 3: no such entity",
        },
    )
    records.deduced("unreachable", one)
    records.deduced("app down", one)
    records.journal(records.alarm("PORT_DOWN", host, "REPEATED"))
    records.journal(records.alarm("ODD'; DROP TABLE alarms --", 'host/it\'s \\ "q"', severity="\u00fc\u2603"))
    records.step(
        "EXECUTION", "RUNNING", 1, name="migrate", workflow="migrate", input={"vm": "vm-1"}, by={"rule": "r"}
    )
    records.step("TASK", "RUNNING", 2, name="send", task="t-1")
    records.step(
        "ACTION", "RUNNING", 3, name="std.http", task="t-1", action="a-1", input={"url": "u"}, attempt=1
    )
    records.step(
        "ACTION", "SUCCESS", 4, name="std.http", task="t-1", action="a-1", result={"status": 202}, attempt=1
    )
    records.step("TASK", "ERROR", 5, name="send", task="t-1", state_info="it's no use")
    records.step("EXECUTION", "ERROR", 6, name="migrate", state_info="task send failed")
    pipeline.send(records.written)
    pipeline.send([("dead.letters", "k", b"\xff\x00 no text")])
    deadline = time.monotonic() + 20
    while True:
        asked = pipeline.client.post("/api/sql", {"query": "SELECT count() FROM steps"})["rows"][0]["count()"]
        letters = pipeline.client.post("/api/sql", {"query": "SELECT count() FROM dead_letters"})["rows"][0][
            "count()"
        ]
        alarms = pipeline.client.get("/api/alarms")
        if asked == 6 and letters == 1 and len(alarms) == 5:
            return
        assert time.monotonic() < deadline, (asked, letters, alarms)
        time.sleep(0.1)


def bare() -> dict[str, str]:
    """The environment without anything that is set for Faultline."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FAULTLINE_")}
    return {**kept, "PYTHONPATH": str(Path(__file__).parents[3])}


def faultline(pipeline: Pipeline, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments, "--data", str(pipeline.data)],
        capture_output=True, text=True, check=False, cwd=pipeline.data,
        env=bare(),
    )  # fmt: skip


def test_only_health_is_open(pipeline: Pipeline) -> None:
    assert Client(pipeline.api, "").get("/api/health")["ok"] is True
    for token in ("", "wrong", TOKEN + "x", "\u00fc"):
        with pytest.raises(Exception, match="no valid token"):
            Client(pipeline.api, token.encode().decode("latin-1")).get("/api/alarms")
    with pytest.raises(Exception, match="no valid token"):
        Client(pipeline.api, "").post("/api/sql", {"query": "SELECT 1"})


@pytest.mark.usefixtures("incident")
def test_sql_reads_and_changes_nothing(pipeline: Pipeline, tmp_path: Path) -> None:
    ask = pipeline.client.post
    written = tmp_path / "written"
    found = ask("/api/sql", {"query": "SELECT key, deduced FROM faultline.alarms_now ORDER BY key LIMIT 1;"})
    assert found["rows"] == [{"key": "nagios/FULL@ceph.pool/p", "deduced": False}]
    assert [column["name"] for column in found["columns"]] == ["key", "deduced"]
    for query in (
        "INSERT INTO faultline.rules (name) VALUES ('x')",
        "ALTER TABLE faultline.alarms DELETE WHERE 1",
        "DROP TABLE faultline.alarms",
        "CREATE TABLE faultline.x (a Int8) ENGINE = Memory",
        "SELECT 1; DROP TABLE faultline.alarms",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT * FROM url('http://127.0.0.1:1', 'LineAsString')",
        "SELECT 1 SETTINGS readonly = 0",
        "SET readonly = 0",
        f"SELECT 1 INTO OUTFILE '{written}'",
        "SELECT file('/etc/passwd')",
        "SELECT `file`('/etc/passwd')",
        "SELECT * APPLY(file) FROM (SELECT '/etc/passwd' AS x)",
        "SELECT \"fi\\x6ce\"('/etc/passwd')",
        "KILL QUERY WHERE 1",
        "OPTIMIZE TABLE faultline.alarms",
        "SYSTEM STOP MERGES",
        "SELECT number FROM numbers(1000000)",
        "nonsense",
        "",
    ):
        with pytest.raises(QueryRefused):
            ask("/api/sql", {"query": query})
        # A refused query leaves nothing behind in the next one's answer.
        assert ask("/api/sql", {"query": "SELECT 7 AS n"})["rows"] == [{"n": 7}]
    assert not written.exists()
    with pytest.raises(InvalidCall):
        ask("/api/sql", {"sql": "SELECT 1"})
    assert ask("/api/sql", {"query": "SELECT count() AS n FROM alarms WHERE outcome = 'RAISED'"})["rows"] == [
        {"n": 3}
    ]


@pytest.mark.usefixtures("incident")
def test_names_with_quotes_are_data(pipeline: Pipeline) -> None:
    key = "nagios/ODD'; DROP TABLE alarms --@host/it's \\ \"q\""
    found = pipeline.client.get("/api/rca", alarm=key)
    assert found["alarm"]["key"] == key
    assert found["alarm"]["severity"] == "\u00fc\u2603"
    assert [event["what"] for event in pipeline.client.get("/api/history", key=key)] == ["ALARM RAISED"]
    assert pipeline.client.get("/api/explain", alarm=key)["records"][0]["severity"] == "\u00fc\u2603"
    for route, name in (
        ("/api/rca", "alarm"), ("/api/impact", "entity"), ("/api/history", "key"), ("/api/explain", "alarm")
    ):  # fmt: skip
        with pytest.raises(NotFound):
            pipeline.client.get(route, **{name: "' OR 1=1 --"})
        with pytest.raises(InvalidCall):
            pipeline.client.get(route)
    with pytest.raises(NotFound):
        pipeline.client.get("/api/executions/..%2F..%2Fetc")


@pytest.mark.usefixtures("incident")
def test_the_graph_and_its_causes(pipeline: Pipeline) -> None:
    world = pipeline.client.get("/api/topology")
    states = {one["key"]: one["aggregated_state"] for one in world["entities"]}
    assert states["nova.instance/vm-1"] == "SUBOPTIMAL"
    assert len(world["entities"]) == 5
    assert len(world["relationships"]) == 3
    found = pipeline.client.get("/api/rca", alarm="vitrage/app down@nova.instance/vm-1")
    root = "nagios/PORT_DOWN@nova.host/host-1"
    assert [one["alarm"]["key"] for one in found["roots"]] == [root]
    assert found["roots"][0]["path"] == [
        root, "vitrage/unreachable@nova.instance/vm-1", "vitrage/app down@nova.instance/vm-1"
    ]  # fmt: skip
    assert found["roots"][0]["explains"] == 2
    depends = pipeline.client.get("/api/impact", entity="nova.zone/z")
    assert [one["key"] for one in depends["entities"]] == [
        "nova.host/host-1",
        "nova.instance/vm-1",
        "nova.instance/vm-2",
    ]
    assert {one["key"] for one in depends["alarms"]} == set(found["roots"][0]["path"])


@pytest.mark.usefixtures("incident")
def test_an_execution_with_its_tasks_and_actions(pipeline: Pipeline) -> None:
    [listed] = pipeline.client.get("/api/executions")
    assert (listed["id"], listed["workflow"], listed["state"]) == ("e-1", "migrate", "ERROR")
    whole = pipeline.client.get("/api/executions/e-1")
    assert whole["started_by"] == {"rule": "r"}
    assert whole["input"] == {"vm": "vm-1"}
    [task] = whole["tasks"]
    assert (task["name"], task["state"], task["state_info"]) == ("send", "ERROR", "it's no use")
    [action] = task["actions"]
    assert (action["state"], action["result"], action["attempt"]) == ("SUCCESS", {"status": 202}, 1)
    assert action["ended_at"] > action["started_at"]


@pytest.mark.usefixtures("incident")
def test_commands_for_people_and_for_programs(pipeline: Pipeline) -> None:
    for arguments, words in (
        (["alarms"], ["PORT_DOWN", "WARNING", "DROP TABLE"]),
        (["topology"], ["nova.zone/z", "web", "placeholder", "SUBOPTIMAL", "unreachable"]),
        (["rca", "vitrage/app down@nova.instance/vm-1"], ["1. ", "PORT_DOWN", "host_down", "explains 2"]),
        (["executions"], ["migrate", "ERROR", "task send failed"]),
        (["executions", "e-1"], ["send", "std.http", "202", "it's no use"]),
        (["sql", "SELECT reason, hex(value) FROM dead_letters"], ["FF00"]),
    ):
        shown = faultline(pipeline, *arguments)
        assert (shown.returncode, shown.stderr) == (0, "")
        for word in words:
            assert word in shown.stdout, (arguments, shown.stdout)
        document = faultline(pipeline, *arguments, "--json")
        assert document.returncode == 0
        assert json.loads(document.stdout)
    assert json.loads(faultline(pipeline, "sql", "SELECT 1 AS x, 'y' AS y", "--json").stdout) == [
        {"x": 1, "y": "y"}
    ]
    refused = faultline(pipeline, "sql", "DROP TABLE faultline.alarms")
    assert refused.returncode == 1
    assert "not changed" in refused.stderr
    missing = faultline(pipeline, "rca", "PORT_DOWN")
    assert missing.returncode == 1
    assert "did you mean 'nagios/PORT_DOWN@nova.host/host-1'" in missing.stderr
    assert faultline(pipeline, "sql").returncode == 2


@pytest.mark.usefixtures("incident")
def test_status_counts_and_names_who_lags(pipeline: Pipeline) -> None:
    status = pipeline.client.get("/api/status")
    assert status["records"] == {"read": 0, "applied": 6, "ignored": 0, "repeated": 1, "dead_lettered": 1}
    assert status["placeholders"] == [
        {"domain": "default", "key": "ceph.pool/p", "alarms": ["nagios/FULL@ceph.pool/p"]}
    ]
    assert status["rules"] == {
        "loaded": ["host_down"],
        "error": [{"name": "broken", "reason": "line 3: no such entity"}],
    }
    assert status["executions"] == {"ERROR": 1}
    assert [role["role"] for role in status["roles"]] == ["history"]
    pipeline.send([("alarms.raw", "default", {"id": "a"}), ("graph.input", "default", {"id": "b"})])
    stages = (
        ("ingest", ("topology.changes", "alarms.raw", "definitions.changes")),
        ("correlate", ("graph.input",)),
        ("workflow", ("workflow.commands",)),
    )
    pipeline.send([("workflow.commands", "e-2", {"id": "c"})])
    for role, topics in stages:
        lagging = pipeline.client.get("/api/status", wait="0.3")
        assert (lagging["settled"], lagging["lagging"]) == (False, role)
        assert "1 records behind" in lagging["detail"]
        pipeline.say(
            role, {topic: pipeline.ends(topic) for topic in topics}, rules={"host_down": {"matches": 2}}
        )
    # What the last stage derived a moment before it said so must be in history before the answer.
    pipeline.send([("workflow.steps", "e-3", {
        "id": "s-9", "time": "2026-01-05T10:00:00.000000Z", "execution": "e-3", "kind": "EXECUTION",
        "name": "w", "state": "RUNNING",
    })])  # fmt: skip
    settled = pipeline.client.get("/api/status", wait="20")
    assert (settled["settled"], settled["lagging"]) == (True, None)
    assert settled["executions"] == {"ERROR": 1, "RUNNING": 1}
    assert settled["matches"] == {"host_down": 2}


@pytest.mark.usefixtures("incident")
def test_operators_commands_become_records(pipeline: Pipeline) -> None:
    ask = pipeline.client.post
    before = len(pipeline.read("workflow.commands"))
    twice = [
        ask("/api/commands", {"command": "START", "workflow": "w", "execution": "mine"}) for _ in range(2)
    ]
    assert twice[0]["id"] == twice[1]["id"]
    assert twice[0]["root"] == "mine"
    cancelled = ask("/api/commands", {"command": "CANCEL", "execution": "e-1", "message": "why"})
    assert cancelled["root"] == "e-1"
    sent = pipeline.read("workflow.commands")
    assert len(sent) == before + 3
    assert cancelled in sent
    for wrong in (
        {"command": "RESULT", "execution": "e-1"},
        {"command": "START"},
        {"command": "CANCEL"},
        {"command": "START", "workflow": "w", "input": 3},
    ):
        with pytest.raises(InvalidCall):
            ask("/api/commands", wrong)
    with pytest.raises(NotFound):
        ask("/api/commands", {"command": "CANCEL", "execution": "nobody's"})
    with pytest.raises(InvalidCall):
        ask("/api/effects", {"effects": "maybe"})
    ask("/api/effects", {"effects": "off"})
    assert pipeline.read("controls")[-1]["effects"] == "off"


def test_nobody_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="does not answer"):
        Client("http://127.0.0.1:9", "").get("/api/alarms")
    missing = subprocess.run(
        [sys.executable, "-m", "pipeline", "alarms", "--data", str(tmp_path)],
        capture_output=True, text=True, check=False, env=bare(), cwd=tmp_path,
    )  # fmt: skip
    assert missing.returncode == 1
    assert "no pipeline runs" in missing.stderr


@pytest.mark.usefixtures("incident")
def test_explanations_are_served(pipeline: Pipeline) -> None:
    found = pipeline.client.get("/api/explain", alarm="vitrage/app down@nova.instance/vm-1")
    assert (found["rule"]["name"], found["rule"]["text"]) == ("host_down", None)
    assert found["match"][0]["key"] == "nova.host/host-1"
    text = (
        "metadata: {version: 3, name: quiet}\n"
        "entities:\n  host: {category: RESOURCE, type: nova.host, state: broken}\n"
        "scenarios:\n- condition: host\n  actions:\n  - mark_down: {target: host}\n"
    )
    definition = {"kind": "RULE", "name": "quiet", "text": text}
    change = {
        "kind": "RULE", "op": "ADDED", "name": "quiet", "revision": revision(text), "reason": ""
    }  # fmt: skip
    record = {"id": "q", "time": "2026-01-05T12:00:00.000000Z", "changes": [change], "position": [0, 900]}
    letters = pipeline.client.post("/api/sql", {"query": "SELECT count() AS n FROM dead_letters"})["rows"]
    pipeline.send([
        ("definitions.changes", "RULE/quiet", b"no definition"),
        ("definitions.changes", "RULE/quiet", None),
        ("definitions.changes", "RULE/quiet", {"id": "d", "op": "UPSERT", "definition": definition}),
        ("graph.journal", "default", record),
    ])  # fmt: skip
    deadline = time.monotonic() + 20
    while True:
        try:
            found = pipeline.client.get("/api/why-not", rule="quiet", entity="nova.host/host-1")
            if found["walks"]:
                break
        except NotFound:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.1)
    [walk] = found["walks"]
    assert (found["holds"], walk["missing"]) == (False, "host")
    assert "wanted 'broken'" in walk["elements"][0]["misses"][0]["why"]
    # What cannot be put live is set aside by the role that would have to.
    assert (
        pipeline.client.post("/api/sql", {"query": "SELECT count() AS n FROM dead_letters"})["rows"]
        == letters
    )
