"""emit, tail and dead-letters against a real broker, as they are typed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support import inbound

from pipeline.local.broker import Broker

Start = Callable[..., subprocess.Popen[bytes]]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pipeline", *arguments]


def faultline(kafka: Broker, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments, "--kafka", kafka.bootstrap),
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        env={name: text for name, text in os.environ.items() if not name.startswith("FAULTLINE_")},
    )


def lines(result: subprocess.CompletedProcess[str]) -> list[Any]:
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_what_is_emitted_can_be_followed(kafka: Broker) -> None:
    wrong = faultline(kafka, "tail", "alarms.rew", "--until-end")
    assert wrong.returncode == 2
    assert "did you mean alarms.raw?" in wrong.stderr
    good, bad = json.dumps(inbound.alarm(1)), json.dumps(inbound.alarm(2, time="noon"))
    refused = faultline(kafka, "emit", "alarms.raw", given=f"{good}\n{bad}\n")
    assert refused.returncode == 1
    assert "line 2: bad-time: time: 'noon' is not an RFC 3339 time" in refused.stderr
    assert inbound.read(kafka.bootstrap, "alarms.raw") == [], "nothing is sent when a line is bad"

    alarms = [inbound.alarm(number) for number in range(20)]
    follower = subprocess.Popen(
        command("tail", "alarms.raw", "--from", "beginning", "--kafka", kafka.bootstrap),
        stdout=subprocess.PIPE,
        text=True,
    )
    sent = faultline(kafka, "emit", "alarms.raw", given="\n".join(json.dumps(alarm) for alarm in alarms))
    assert (sent.returncode, sent.stdout) == (0, ""), sent.stderr
    assert follower.stdout is not None
    seen = [json.loads(follower.stdout.readline()) for _ in alarms]
    assert sorted(seen, key=lambda record: int(record["id"][2:])) == alarms
    follower.send_signal(signal.SIGINT)
    assert follower.wait(20) == 0

    every = lines(faultline(kafka, "tail", "alarms.raw", "--from", "beginning", "--until-end", "--full"))
    assert len(every) == 20
    assert {record["headers"]["ce_id"] for record in every} == {alarm["id"] for alarm in alarms}
    assert all(record["key"] == record["value"]["domain"] for record in every)
    some = lines(faultline(kafka, "tail", "alarms.raw", "--from", "beginning", "--count", "3"))
    assert len(some) == 3
    assert lines(faultline(kafka, "tail", "alarms.raw", "--until-end")) == []


def test_from_a_time_on(kafka: Broker) -> None:
    first, second = json.dumps(inbound.alarm(1)), json.dumps(inbound.alarm(9))
    assert faultline(kafka, "emit", "alarms.raw", given=first).returncode == 0
    time.sleep(0.05)
    between = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{time.time_ns() // 1000 % 1_000_000:06}Z"
    time.sleep(0.05)
    assert faultline(kafka, "emit", "alarms.raw", given=second).returncode == 0
    found = lines(faultline(kafka, "tail", "alarms.raw", "--from", between, "--until-end"))
    assert [record["id"] for record in found] == ["a-9"]
    found = lines(faultline(kafka, "tail", "alarms.raw", "--from", "1", "--until-end"))
    assert [record["id"] for record in found] == ["a-9"], "both are of one domain, so of one partition"


def test_a_dead_letter_is_found_mended_and_sent_again(kafka: Broker, start: Start, tmp_path: Path) -> None:
    start()
    broken = json.dumps(inbound.alarm(5, time="noon"))
    inbound.produce(kafka.bootstrap, [("alarms.raw", broken.encode()), ("topology.changes", b"\xff\xfe")])
    inbound.eventually(lambda: len(inbound.read(kafka.bootstrap, "dead.letters")) == 2, "two dead letters")

    table = faultline(kafka, "dead-letters")
    assert table.returncode == 0
    assert "bad-time" in table.stdout
    assert "topology.changes[" in table.stdout
    (listed,) = lines(faultline(kafka, "dead-letters", "list", "--reason", "bad-time", "--json"))
    shown = json.loads(faultline(kafka, "dead-letters", "show", listed["id"]).stdout)
    assert shown == listed
    assert (shown["topic"], shown["value"]) == ("alarms.raw", broken)

    again = faultline(kafka, "dead-letters", "resend", listed["id"])
    assert again.returncode == 1, "it would only come back"
    assert "time: 'noon'" in again.stderr
    mended = tmp_path / "mended.json"
    mended.write_text(json.dumps(inbound.alarm(5)))
    again = faultline(kafka, "dead-letters", "resend", listed["id"], "--value", str(mended))
    assert again.returncode == 0, again.stderr
    inbound.eventually(lambda: inbound.ids(kafka.bootstrap) == {"a-5"}, "the mended record in the log")
    letters = lines(faultline(kafka, "tail", "dead.letters", "--from", "beginning", "--until-end"))
    assert {(letter["reason"], letter.get("base64")) for letter in letters} == {
        ("bad-time", None),
        ("not-json", "//4="),
    }
    assert faultline(kafka, "dead-letters", "show", "3-99").returncode == 2
