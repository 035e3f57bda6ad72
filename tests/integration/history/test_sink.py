from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.local import broker as local_broker

Make = Callable[..., str]


@pytest.mark.slow
def test_a_sink_that_is_killed_neither_loses_nor_repeats_a_row(
    topic: Make, send: Any, sink: Any, ask: Any, records: Any
) -> None:
    names = {"graph.journal": topic("journal"), "alarms.deduced": topic("deduced")}
    total = 6_000
    for number in range(total):
        key = f"nova.host/host-{number}"
        records.journal(records.entity(key), records.alarm("DOWN", key), records.state(key, "ERROR", "ERROR"))
        if number % 3 == 0:
            records.deduced("suspect", key)
    count = len(records.written)
    process = sink(names)
    process.start()
    chance = random.Random(7)
    cuts = sorted(chance.sample(range(1, count), 6))
    blows = 0
    for start, end in zip([0, *cuts], [*cuts, count], strict=True):
        send(records.written[start:end], names.get)
        time.sleep(chance.uniform(0.05, 0.9))
        process.kill()
        blows += 1
        process.start()
    process.wait(count)
    process.stop()
    assert blows == 7
    per_topic = "SELECT count() AS rows, uniqExact(topic, topic_id, `partition`, `offset`, n) AS keys"
    changes, alarms, states, deduced, now, reached = ask(
        f"{per_topic} FROM faultline.changes",
        f"{per_topic} FROM faultline.alarms WHERE NOT deduced",
        f"{per_topic} FROM faultline.states",
        f"{per_topic} FROM faultline.alarms WHERE deduced",
        "SELECT count() AS now FROM faultline.alarms_now WHERE status = 'ACTIVE'",
        "SELECT sum(next) AS next FROM faultline.positions FINAL",
    )
    for table in (changes, alarms, states):
        assert table == [{"rows": total, "keys": total}]
    assert deduced == [{"rows": total // 3, "keys": total // 3}]
    assert reached == [{"next": count}]
    assert now == [{"now": total + total // 3}]


def test_a_topic_that_is_made_anew_starts_over_under_its_new_id(
    broker: Any, topic: Make, send: Any, sink: Any, ask: Any, records: Any
) -> None:
    name = topic("journal")
    names = {"graph.journal": name}
    for number in range(10):
        records.journal(records.entity(f"nova.host/host-{number}", state="first"))
    send(records.written, names.get)
    process = sink(names)
    process.start()
    process.wait(10)
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.delete_topics([name])[name].result(20)
    deadline = time.monotonic() + 20
    while True:
        try:
            admin.create_topics([NewTopic(name, 1, 1)])[name].result(20)
            break
        except Exception:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    records.written.clear()
    records.position = -1
    # More than stood there before: its offsets run past those that were read.
    for number in range(15):
        records.journal(records.entity(f"nova.host/host-{number % 10}", state="second"))
    send(records.written, names.get)
    process.wait(15)
    process.stop()
    lives, states = ask(
        "SELECT epoch, count() AS rows, max(`offset`) AS last, uniqExact(topic_id) AS ids"
        " FROM faultline.changes GROUP BY epoch ORDER BY epoch",
        "SELECT state, count() AS entities FROM faultline.entities_now GROUP BY state",
    )
    assert lives == [
        {"epoch": 0, "rows": 10, "last": 9, "ids": 1},
        {"epoch": 1, "rows": 15, "last": 14, "ids": 1},
    ]
    assert states == [{"state": "second", "entities": 10}]


def test_a_record_that_was_sent_twice_counts_once_in_the_views(
    topic: Make, send: Any, sink: Any, ask: Any, records: Any
) -> None:
    names = {
        "graph.journal": topic("journal"),
        "alarms.deduced": topic("deduced"),
        "workflow.steps": topic("steps"),
    }
    records.journal(records.entity("nova.host/h"), records.alarm("DOWN", "nova.host/h"))
    records.deduced("suspect", "nova.host/h")
    first = list(records.written)
    records.journal(records.alarm("DOWN", "nova.host/h", "CLEARED"))
    records.deduced("suspect", "nova.host/h", "CLEARED")
    records.step("EXECUTION", "RUNNING", 1, name="w", workflow="w", input={"vm": 1})
    running = records.written[-1]
    records.step("EXECUTION", "SUCCESS", 2, name="w", output={"ok": True})
    # As after a crash: what was sent since the last checkpoint comes again, in part.
    send([*records.written, *first, running], names.get)
    process = sink(names)
    process.start()
    process.wait(len(records.written) + len(first) + 1)
    process.stop()
    rows, alarms, entities, executions = ask(
        "SELECT count() AS rows FROM faultline.alarms",
        "SELECT key, status, deduced FROM faultline.alarms_now ORDER BY key",
        "SELECT key FROM faultline.entities_now",
        "SELECT id, workflow, state, input, output, ended_at IS NOT NULL AS ended"
        " FROM faultline.executions_now",
    )
    assert rows == [{"rows": 6}]
    assert alarms == [
        {"key": "nagios/DOWN@nova.host/h", "status": "CLEARED", "deduced": False},
        {"key": "vitrage/suspect@nova.host/h", "status": "CLEARED", "deduced": True},
    ]
    assert entities == [{"key": "nova.host/h"}]
    assert executions == [
        {
            "id": "e-1",
            "workflow": "w",
            "state": "SUCCESS",
            "input": '{"vm": 1}',
            "output": '{"ok": true}',
            "ended": 1,
        }
    ]


def test_what_cannot_be_kept_is_set_aside_and_the_rest_goes_on(
    topic: Make, send: Any, sink: Any, ask: Any, records: Any
) -> None:
    names = {"graph.journal": topic("journal"), "workflow.steps": topic("steps")}
    good = records.journal(records.entity("nova.host/h"))
    too_long = records.journal(records.alarm("DOWN", "nova.host/h", episode=2**40))
    last = records.journal(records.entity("nova.host/i"))
    journal = [
        good,
        b"not json",
        b"\xff\xfe",
        {"id": 1},
        {**good, "time": "yesterday"},
        b"null",
        too_long,
        last,
    ]
    send([("graph.journal", "default", record) for record in journal], names.get)
    process = sink(names)
    process.start()
    process.wait(len(journal))
    process.stop()
    entities, alarms = ask(
        "SELECT key FROM faultline.entities_now ORDER BY key", "SELECT 1 FROM faultline.alarms"
    )
    assert entities == [{"key": "nova.host/h"}, {"key": "nova.host/i"}]
    assert alarms == []
    letters = [line for line in process.output.read_text().splitlines() if line.startswith("letter")]
    assert sorted(int(line.split()[-1]) for line in letters) == [1, 2, 3, 4, 5, 6]


@pytest.mark.slow
def test_a_broker_that_is_killed_and_comes_back_is_waited_for(
    tmp_path: Path, sink_on: Any, ask: Any, records: Any, produce_to: Any
) -> None:
    own = local_broker.start(tmp_path / "kafka")
    try:
        admin = AdminClient({"bootstrap.servers": own.bootstrap})
        for future in admin.create_topics([NewTopic(name, 2, 1) for name in ("j", "d")]).values():
            future.result(20)
        names = {"graph.journal": "j", "alarms.deduced": "d"}
        for number in range(400):
            records.journal(records.entity(f"nova.host/host-{number}"))
        process = sink_on(own.bootstrap, names)
        process.start()
        produce_to(own.bootstrap, records.written[:200], names.get)
        process.wait(200)
        own.kill()
        own = local_broker.start(tmp_path / "kafka")
        produce_to(own.bootstrap, records.written[200:], names.get)
        process.wait(400)
        process.stop()
    finally:
        own.stop()
    [found] = ask("SELECT count() AS rows, uniqExact(key) AS keys FROM faultline.changes")
    assert found == [{"rows": 400, "keys": 400}]
