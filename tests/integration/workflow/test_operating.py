"""A running pipeline operated by its commands: held, approved, undone, triggered, through kill -9."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.local import instance, processes

pytestmark = [pytest.mark.broker, pytest.mark.slow]

PLAYBOOK = """
version: '2.0'
braked:
  input: [vm]
  limits: {cool-down: 3600, key: <% $.vm %>}
  tasks: {a: {action: std.noop}}
one_at_a_time:
  limits: {concurrent: 1}
  tasks: {a: {action: std.async_noop}}
above: {tasks: {call: {workflow: ask}}}
ask:
  tasks:
    q: {action: std.approval, input: {roles: [operator, manager], message: Shall I?}, on-success: d}
    d: {action: std.noop}
careful:
  tasks:
    a: {action: std.noop, compensate: std.echo output=undone, on-success: b}
    b: {action: std.async_noop}
tick: {input: [x], tasks: {a: {action: std.noop}}}
asking:
  output: {window: <% env().window %>, answer: <% task(a).result %>}
  tasks: {a: {action: std.async_noop}}
"""
ENVIRONMENT = "name: night\nvariables: {window: <% 20 + 2 %>}\n"
TRIGGERS = """
triggers:
  often: {workflow: tick, cron: '* * * * * *', count: 12, input: {x: <% $.scheduled %>}}
  severe:
    workflow: tick
    topic: alarms.raw
    when: <% $.alarm.severity = CRITICAL %>
    input: {x: <% $.alarm.resource.id %>}
"""


class Pipeline:
    """A pipeline of its own, driven by the command as a user would."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def command(self, *arguments: str, given: str | None = None, fails: bool = False) -> str:
        answer = subprocess.run(
            [sys.executable, "-P", "-m", "pipeline", *arguments, "--data", str(self.data)],
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=self.data.parent,
            env={name: value for name, value in os.environ.items() if not name.startswith("FAULTLINE_")},
        )
        assert (answer.returncode != 0) == fails, answer.stderr
        return answer.stdout

    def execution(self, identity: str) -> dict[str, Any]:
        return dict(json.loads(self.command("executions", identity, "--json")))

    def executions(self, workflow: str) -> list[dict[str, Any]]:
        found = json.loads(self.command("executions", "--limit", "1000", "--json"))
        return [one for one in found if one["workflow"] == workflow]

    def states(self, *identities: str) -> list[str]:
        known = {one["id"]: one["state"] for one in json.loads(self.command("executions", "--json"))}
        return [known.get(each, "") for each in identities]

    def start(self, workflow: str, identity: str, **given: Any) -> None:
        self.command("start", workflow, "--id", identity, "--input", json.dumps(given))

    def kill(self, role: str) -> None:
        roles = json.loads(self.command("status", "--json"))["roles"]
        os.kill(next(one["pid"] for one in roles if one["role"] == role and one["alive"]), signal.SIGKILL)

    def until(self, fulfilled: Callable[[], Any], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not fulfilled():
            assert time.monotonic() < end, processes.tail(self.data.parent / "up.log", 40)
            time.sleep(0.2)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    place = tmp_path_factory.mktemp("operated")
    for name in ("data", "playbooks", "rules"):
        (place / name).mkdir()
    (place / "playbooks" / "all.yaml").write_text(PLAYBOOK)
    (place / "playbooks" / "night.yaml").write_text(ENVIRONMENT)
    command = [
        *(sys.executable, "-P", "-m", "pipeline", "up", "--data", place / "data", "--partitions", "3"),
        *("--playbooks", place / "playbooks", "--rules", place / "rules"),
    ]
    process = processes.spawn(command, output=place / "up.log", directory=place)
    pipeline = Pipeline(place / "data")
    try:
        pipeline.until(
            lambda: process.poll() is not None or instance.read(pipeline.data) is not None, seconds=90
        )
        assert process.poll() is None, processes.tail(place / "up.log")
        yield pipeline
    finally:
        processes.stop(process, 40)


def test_what_a_limit_holds_is_released_or_dropped(pipeline: Pipeline) -> None:
    for number in range(3):
        pipeline.start("braked", f"b{number}", vm="vm-1")
    pipeline.until(lambda: pipeline.states("b0", "b1", "b2") == ["SUCCESS", "HELD", "HELD"])
    assert "cool-down" in pipeline.execution("b1")["state_info"]
    pipeline.command("release", "b1")
    pipeline.command("drop", "b2", "--message", "not needed")
    pipeline.until(lambda: pipeline.states("b1", "b2") == ["SUCCESS", "CANCELLED"])


def test_a_limit_holds_across_partitions_and_a_crash(pipeline: Pipeline) -> None:
    names = [f"one-{number}" for number in range(6)]
    for name in names[:3]:
        pipeline.start("one_at_a_time", name)
    pipeline.until(lambda: sorted(pipeline.states(*names[:3])) == ["HELD", "HELD", "RUNNING"])
    pipeline.kill("workflow")
    for name in names[3:]:
        pipeline.start("one_at_a_time", name)
    for done in range(6):
        wanted = sorted(["SUCCESS"] * done + ["RUNNING"] + ["HELD"] * (5 - done))
        pipeline.until(lambda wanted=wanted: sorted(pipeline.states(*names)) == wanted)  # type: ignore[misc]
        running = names[pipeline.states(*names).index("RUNNING")]
        pipeline.command("complete", running, "--task", "a")
    pipeline.until(lambda: set(pipeline.states(*names)) == {"SUCCESS"})


def test_people_decide_and_are_remembered(pipeline: Pipeline) -> None:
    pipeline.start("above", "asked")
    pipeline.until(lambda: pipeline.states("asked") == ["RUNNING"])
    pipeline.command("approve", "asked", "--as", "operator", "--comment", "fine")
    pipeline.kill("workflow")
    pipeline.command("approve", "asked", "--as", "manager")
    pipeline.until(lambda: pipeline.states("asked") == ["SUCCESS"])
    query = "SELECT state, result, by FROM faultline.steps WHERE kind = 'APPROVAL' ORDER BY event_time"
    rows = json.loads(pipeline.command("sql", query, "--json"))
    assert "fine" in json.dumps(rows)
    assert "manager" in json.dumps(rows)


def test_what_was_done_is_undone_at_a_cancel(pipeline: Pipeline) -> None:
    pipeline.start("careful", "c1")
    pipeline.until(lambda: pipeline.states("c1") == ["RUNNING"])
    pipeline.command("cancel", "c1", "--undo", "--message", "enough")
    pipeline.until(lambda: pipeline.states("c1") == ["CANCELLED"])
    tasks = {task["name"]: task["state"] for task in pipeline.execution("c1")["tasks"]}
    assert tasks["a.undo"] == "SUCCESS"
    pipeline.command("cancel", "nobody", fails=True)


def test_whom_it_asked_ends_an_action_by_the_route_that_it_was_told(pipeline: Pipeline) -> None:
    pipeline.command("start", "asking", "--id", "ask-1", "--env", "night")
    running: list[dict[str, Any]] = []

    def asked() -> bool:
        query = "SELECT id FROM faultline.actions_now WHERE execution = 'ask-1'"
        running[:] = json.loads(pipeline.command("sql", query, "--json"))
        return bool(running)

    pipeline.until(asked)
    found = instance.read(pipeline.data)
    assert found is not None
    request = urllib.request.Request(
        f"{found.api}/v2/action_executions/{running[0]['id']}",
        data=json.dumps({"state": "SUCCESS", "output": '{"result": {"volume": "v1"}}'}).encode(),
        headers={"X-Auth-Token": found.token},
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer)["state"] == "SUCCESS"
    pipeline.until(lambda: pipeline.states("ask-1") == ["SUCCESS"])
    assert pipeline.execution("ask-1")["output"] == {"window": 22, "answer": {"volume": "v1"}}


def test_an_environment_is_put_live_and_taken_away(pipeline: Pipeline) -> None:
    path = pipeline.data.parent / "day.yaml"
    path.write_text("name: day\nvariables: {window: 8}\n")
    assert "added environment day" in pipeline.command("environments", "add", str(path))
    assert "day" in pipeline.command("environments", "list")
    assert pipeline.command("environments", "show", "day") == path.read_text()
    pipeline.command("environments", "remove", "day")
    pipeline.command("start", "asking", "--id", "ask-2", "--env", "day")
    pipeline.until(lambda: pipeline.states("ask-2") == ["ERROR"])
    assert "known are: night" in pipeline.execution("ask-2")["state_info"]


def test_each_scheduled_time_and_each_record_starts_one_execution(pipeline: Pipeline) -> None:
    path = pipeline.data.parent / "often.yaml"
    path.write_text(TRIGGERS)
    pipeline.command("triggers", "add", str(path))
    pipeline.kill("workflow")
    alarms = [alarm(number, "CRITICAL" if number % 2 else "WARNING") for number in range(10)]
    # The first that was watched for shows that the topic is being watched.
    pipeline.until(lambda: _watched(pipeline), 90)
    for number, line in enumerate(alarms):
        pipeline.command("emit", "alarms.raw", "-", given=line)
        if number == 5:
            pipeline.kill("ingest")
    wanted = {f"host-{number}" for number in range(1, 10, 2)}
    inputs: list[str] = []

    def complete() -> bool:
        found = [one for one in pipeline.executions("tick") if one["state"] == "SUCCESS"]
        inputs[:] = [one["input"]["x"] for one in found]
        times = [each for each in inputs if each.startswith("2")]
        return wanted <= set(inputs) and len(times) >= 12

    pipeline.until(complete, 90)
    time.sleep(1)
    assert complete()
    assert len(inputs) == len(set(inputs))
    assert len([each for each in inputs if each.startswith("2")]) == 12
    pipeline.command("triggers", "remove", "often")
    assert '"often"' not in pipeline.command("triggers", "list", "--json")


def _watched(pipeline: Pipeline) -> bool:
    line = alarm(1000 + time.monotonic_ns(), "CRITICAL").replace("host-", "probe-")
    pipeline.command("emit", "alarms.raw", "-", given=line)
    time.sleep(0.5)
    return any(one["input"]["x"].startswith("probe-") for one in pipeline.executions("tick"))


def alarm(number: int, severity: str) -> str:
    """A line for ``faultline emit``."""
    resource = {"type": "nova.host", "id": f"host-{number}"}
    told = {"name": "cpu", "severity": severity, "status": "ACTIVE", "resource": resource}
    return json.dumps({"id": f"a-{number}", "time": "2026-01-05T10:00:00Z", "source": "s", "alarm": told})
