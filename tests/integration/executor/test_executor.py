"""Executors on a real broker: what they do, and what they never do twice whatever befalls them."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from pipeline.local import processes

pytestmark = pytest.mark.broker
UNKNOWN = ("ERROR", "outcome unknown")


def ends(found: dict[str, dict[str, Any]]) -> dict[str, tuple[str, Any]]:
    return {id_: (one["state"], one["result"]) for id_, one in found.items()}


def read(bootstrap: str, topic: str) -> list[Any]:
    """All records of a topic with one or more partitions."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "none"})
    found: list[Any] = []
    for number in consumer.list_topics(topic, 10).topics[topic].partitions:
        place = TopicPartition(topic, number, 0)
        end = consumer.get_watermark_offsets(place, 10)[1]
        consumer.assign([place])
        while consumer.position([place])[0].offset < end and end:
            message = consumer.poll(1)
            if message is None:
                break
            if message.error() is None:
                found.append(message)
    consumer.close()
    return found


def positions(bootstrap: str) -> int:
    """The sum of the positions in the latest heartbeat."""
    said = [one.value() for one in read(bootstrap, "roles.status") if one.value()]
    return sum(json.loads(said[-1])["positions"]["workflow.actions"].values())


def test_actions_run_and_their_outcomes_come_back(bench: Any) -> None:
    asked = {
        bench.ask("noop", "std.noop"): ("SUCCESS", None),
        bench.ask("echo", "std.echo", {"output": {"a": 1}}): ("SUCCESS", {"a": 1}),
        bench.ask("fail", "std.fail", {"error_data": [1]}): ("ERROR", [1]),
        bench.ask("bad", "std.echo", {"outputs": 1}): (
            "ERROR",
            "std.echo has no input `outputs`; it takes: output, delay",
        ),
        bench.ask("none", "no.such"): None,
        bench.ask("slow", "std.sleep", {"seconds": 30}, timeout=0.2): (
            "ERROR",
            "std.sleep gave no result within 0.2 s",
        ),
        bench.call("get", method="GET"): None,
    }
    bench.raw(b"{not json", "noop")
    bench.ask("after", "std.noop")
    bench.executor()
    found = bench.wait([*asked, "after"])
    for id_, expected in asked.items():
        if expected is not None:
            assert ends(found)[id_] == expected
    assert "no.such" in found["none"]["result"]
    assert found["get"]["result"]["content"] == {"done": "/quick/get"}
    assert (found["echo"]["root"], found["echo"]["task"]) == ("root-echo", "task-echo")
    bench.ask("echo", "std.echo", {"output": {"a": 1}})
    bench.until(lambda: len(bench.results["echo"]) == 2, 10, lambda: "the outcome again")
    first, again = bench.results["echo"]
    assert first == again
    (letter,) = read(bench.bootstrap, "dead.letters")
    assert letter.value() == b"{not json"
    assert dict(letter.headers())["reason"] == b"not-json"
    assert processes.stop(bench.workers[0], 15)
    status = [one.value() for one in read(bench.bootstrap, "roles.status")]
    assert status[-1] is None
    last = json.loads(status[-2])
    assert last["role"] == "executor"
    assert last["counters"]["dead_letters"] == 1
    # What was done is not done again by the next, and its outcome is known even if not in memory.
    bench.executor(terms={**bench.terms, "recent": 0})
    bench.wait([bench.ask("next", "std.noop")])
    assert len(bench.results["echo"]) == 2
    bench.call("get", method="GET")
    bench.until(lambda: len(bench.results["get"]) == 2, 10, lambda: "the outcome once more")
    assert bench.results["get"][0] == bench.results["get"][1]
    assert bench.calls("quick", ["get"]) == [1]
    # Also of partitions where nothing new has come since it began.
    asked_in_all = len(read(bench.bootstrap, "workflow.actions"))
    bench.until(lambda: positions(bench.bootstrap) == asked_in_all, 10, lambda: positions(bench.bootstrap))


def test_kill_9_with_actions_in_flight_repeats_no_change(bench: Any) -> None:
    bench.target.delay = 2.0
    slow, quick, reads, safe, late = [], [], [], [], []
    worker = bench.executor(slots=16)
    bench.wait([bench.call("k-first")])
    for kill in range(2):
        slow += [bench.call(f"k{kill}-slow{n}", "slow") for n in range(4)]
        for n in range(4):
            reads.append(bench.call(f"k{kill}-read{n}", "slow", method="GET"))
            safe.append(bench.call(f"k{kill}-safe{n}", "slow", safe_rerun=True))
            quick.append(bench.call(f"k{kill}-quick{n}"))
            late.append(bench.call(f"k{kill}-late{n}", "slow"))
        bench.called("slow", slow)
        worker.kill()
        worker.wait()
        worker = bench.executor(slots=16)
    found = ends(bench.wait([*slow, *quick, *reads, *safe, *late]))
    assert max(bench.calls("slow", [*slow, *late]) + bench.calls("quick", quick)) == 1
    # These were in flight at the blow: nobody can know.
    assert [found[id_] for id_ in slow[:4]] == [UNKNOWN] * 4
    for id_ in [*slow, *late, *quick]:
        kind = "quick" if id_ in quick else "slow"
        assert found[id_][0] == "SUCCESS" or (found[id_] == UNKNOWN and bench.calls(kind, [id_]) <= [1])
    # What may be repeated was, and ended well.
    assert {found[id_][0] for id_ in [*reads, *safe]} == {"SUCCESS"}
    assert max(bench.calls("slow", reads + safe)) >= 2


def test_executors_join_and_leave_and_every_action_is_done_once(bench: Any) -> None:
    bench.target.delay = 1.0
    ids: list[str] = []

    def load(name: str) -> None:
        for n in range(10):
            ids.append(bench.call(f"{name}-{n}", "slow" if n % 2 else "quick"))
            time.sleep(0.02)

    first = bench.executor("first")
    load("alone")
    second = bench.executor("second")
    end = time.monotonic() + 9
    while time.monotonic() < end:
        load(f"both{int(end - time.monotonic())}{len(ids)}")
        bench.gather()
    assert "took partitions" in (bench.logs / "second.log").read_text(encoding="utf-8")
    load("leaving")
    assert processes.stop(first, 15)
    load("left")
    found = ends(bench.wait(ids))
    assert {state for state, _ in found.values()} == {"SUCCESS"}
    counts = [sum(bench.calls(kind, [id_])[0] for kind in ("slow", "quick")) for id_ in ids]
    assert set(counts) == {1}
    # An outcome may be sent twice where a partition changed hands, as the same record.
    assert all(one == bench.results[id_][0] for id_ in ids for one in bench.results[id_])
    # The other is killed; a third takes over.
    last = [bench.call(f"blow-{n}", "slow") for n in range(6)]
    bench.called("slow", last)
    third = bench.executor("third")
    second.kill()
    assert third.poll() is None
    found = ends(bench.wait([*last, bench.call("calm")]))
    assert max(bench.calls("slow", last)) == 1
    assert all(found[id_] == UNKNOWN or found[id_][0] == "SUCCESS" for id_ in last)


def test_a_sleeper_that_lost_its_partitions_begins_nothing_when_it_wakes(bench: Any) -> None:
    bench.target.delay = 1.0
    sleeper = bench.executor("sleeper", slots=3)
    running = [bench.call(f"z-running{n}", "slow") for n in range(3)]
    bench.called("slow", running)
    waiting = [bench.call(f"z-waiting{n}", "slow") for n in range(12)]
    time.sleep(0.3)
    os.kill(sleeper.pid, signal.SIGSTOP)
    bench.executor("other", slots=50)
    found = ends(bench.wait([*running, *waiting]))
    os.kill(sleeper.pid, signal.SIGCONT)
    more = [bench.call(f"z-more{n}") for n in range(20)]
    bench.wait(more)
    time.sleep(2)
    bench.gather()
    assert max(bench.calls("slow", running + waiting) + bench.calls("quick", more)) == 1
    assert [found[id_] for id_ in running] == [UNKNOWN] * 3
    assert {found[id_][0] for id_ in waiting} <= {"SUCCESS", "ERROR"}
    # Its own word comes late, as another record; either may be sent again, as the same.
    assert all(len({one["id"] for one in bench.results[id_]}) <= 2 for id_ in running)


def test_while_effects_are_off_nothing_begins_and_nothing_is_lost(bench: Any) -> None:
    bench.target.delay = 1.0
    worker = bench.executor()
    bench.wait([bench.call("e-before")])
    running = [bench.call("e-running", "slow")]
    bench.called("slow", running)
    bench.effects("off")
    time.sleep(0.5)
    held = [bench.call(f"e-held{n}") for n in range(10)]
    bench.wait(running)
    time.sleep(1)
    worker.kill()
    worker.wait()
    bench.executor()
    time.sleep(3)
    bench.gather()
    assert bench.calls("quick", held) == [0] * 10
    bench.effects("on")
    found = ends(bench.wait(held))
    assert {state for state, _ in found.values()} == {"SUCCESS"}
    assert bench.calls("quick", held) == [1] * 10


def test_a_clean_stop_lets_what_runs_end(bench: Any) -> None:
    bench.target.delay = 1.5
    worker = bench.executor(slots=4)
    running = [bench.call(f"s-running{n}", "slow") for n in range(4)]
    bench.called("slow", running)
    assert processes.stop(worker, 15)
    found = ends(bench.wait(running, 5))
    assert {state for state, _ in found.values()} == {"SUCCESS"}
