"""Rules and playbooks come, change and go while the pipeline runs, by the commands that an author types."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.local import instance, processes

pytestmark = [pytest.mark.broker, pytest.mark.slow]

RULE = """\
metadata: {name: hot host, version: 3, type: standard}
parameters:
  severity: {default: WARNING}
entities:
  alarm: {category: ALARM, type: nagios, name: load}
  host: {type: nova.host}
scenarios:
  - condition: alarm [on] host
    actions:
      - raise_alarm: {target: host, alarm_name: hot, severity: get_param(severity)}
      - execute_workflow: {workflow: note, input: {host: "get_attr(host, id)"}}
"""
SECOND = RULE.replace("hot host", "hot host 2").replace("alarm_name: hot", "alarm_name: hotter")
PLAYBOOK = "version: '2.0'\nnote:\n  input: [host]\n  tasks: {a: {action: std.echo output=<% $.host %>}}\n"
STAYS = RULE.replace("hot host", "from files").replace("name: load", "name: nothing")


class Author:
    """Somebody at a shell in a directory, with a pipeline of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.variables = {
            name: value for name, value in os.environ.items() if not name.startswith("FAULTLINE_")
        }
        self.variables["FAULTLINE_DATA"] = str(home / "data")

    def does(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "pipeline", *arguments],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.home,
            env=self.variables,
            timeout=120,
        )

    def told(self, *arguments: str) -> Any:
        answer = self.does(*arguments, "--json")
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)

    def publishes(self, topic: str, *records: dict[str, Any]) -> None:
        sent = self.does("emit", topic, "-", given="".join(json.dumps(one) + "\n" for one in records))
        assert sent.returncode == 0, sent.stderr
        assert self.does("status", "--wait", "60").returncode == 0

    def up(self, *arguments: str) -> str:
        """Starts it and gives what it said."""
        path = self.home / "data" / "logs" / "up.log"
        before = path.read_text() if path.exists() else ""
        started = self.does("up", "--detach", "--partitions", "2", *arguments)
        assert started.returncode == 0, started.stderr
        return path.read_text()[len(before) :]

    def until(self, fulfilled: Callable[[], bool]) -> None:
        """Waits for what workers tell every other second."""
        end = time.monotonic() + 20
        while not fulfilled():
            assert time.monotonic() < end
            time.sleep(0.5)

    def deduced(self) -> set[str]:
        alarms = self.told("alarms")
        return {
            one["key"] for one in (alarms["alarms"] if isinstance(alarms, dict) else alarms) if one["deduced"]
        }


@pytest.fixture
def author(tmp_path: Path) -> Iterator[Author]:
    for name in ("rules", "playbooks"):
        (tmp_path / name).mkdir()
    (tmp_path / "rules" / "stays.yaml").write_text(STAYS)
    (tmp_path / "hot.yaml").write_text(RULE)
    (tmp_path / "second.yaml").write_text(SECOND)
    (tmp_path / "note.yaml").write_text(PLAYBOOK)
    author = Author(tmp_path)
    yield author
    running = instance.read(tmp_path / "data")
    if running is not None:
        author.does("down")
        assert processes.wait_gone(running.pid, 60)


def host(number: int) -> dict[str, Any]:
    entity = {"type": "nova.host", "id": f"h{number}", "name": f"h{number}"}
    return {
        "id": f"t{number}",
        "time": "2026-01-05T10:00:00Z",
        "source": "nova",
        "op": "UPSERT",
        "entity": entity,
    }


def load(number: int) -> dict[str, Any]:
    resource = {"type": "nova.host", "id": f"h{number}"}
    alarm = {"name": "load", "severity": "WARNING", "status": "ACTIVE", "resource": resource}
    return {"id": f"a{number}", "time": "2026-01-05T10:00:00Z", "source": "nagios", "alarm": alarm}


def test_the_life_of_a_rule(author: Author) -> None:
    author.up()
    author.publishes("topology.changes", host(1), host(2))
    author.publishes("alarms.raw", load(1))
    assert author.deduced() == set()

    # Refused: nothing changes, and the place is named.
    (author.home / "bad.yaml").write_text(RULE.replace("alarm [on] host", "alarm [on] guest"))
    refused = author.does("rules", "add", "hot.yaml", "bad.yaml")
    assert refused.returncode == 1
    assert "bad.yaml:8:27: " in refused.stderr
    assert [one["name"] for one in author.told("rules", "list")] == ["from files"]

    # Live at once: the match that stood is deduced, but starts nothing.
    assert author.does("workflows", "add", "note.yaml").returncode == 0
    added = author.does("rules", "add", "hot.yaml", "second.yaml", "--param", "severity=CRITICAL")
    assert (added.returncode, added.stdout) == (0, "added rule hot host\nadded rule hot host 2\n"), (
        added.stderr
    )
    assert author.deduced() == {"vitrage/hot@nova.host/h1", "vitrage/hotter@nova.host/h1"}
    assert author.told("executions") in ([], {"executions": []})
    rules = {one["name"]: one for one in author.told("rules", "list")}
    assert set(rules) == {"from files", "hot host", "hot host 2"}
    assert rules["hot host"]["parameters"] == {"severity": "CRITICAL"}
    assert (rules["hot host"]["source"], rules["from files"]["source"]) == ("operator", "files")
    assert rules["from files"]["path"] == str(author.home / "rules" / "stays.yaml")
    shown = author.does("rules", "show", "hot host")
    assert shown.stdout == RULE

    author.until(lambda: {one["state"] for one in author.told("rules", "list")} == {"ACTIVE"})
    author.until(lambda: [one["state"] for one in author.told("workflows", "list")] == ["ACTIVE"])
    assert [one["matches"] for one in author.told("rules", "status")] == [0, 1, 1]

    # What matches from now on starts the workflow, once.
    author.publishes("alarms.raw", load(2))
    told = author.told("executions")
    executions = told["executions"] if isinstance(told, dict) else told
    assert [one["workflow"] for one in executions] == ["note"]

    # Exactly this name goes, and what it deduced.
    removed = author.does("rules", "remove", "hot host")
    assert (removed.returncode, removed.stdout) == (0, "removed rule hot host\n")
    assert author.deduced() == {"vitrage/hotter@nova.host/h1", "vitrage/hotter@nova.host/h2"}
    assert author.does("rules", "remove", "hot host").returncode == 1

    # By the API alone it is the same.
    running = instance.read(author.home / "data")
    assert running is not None
    author.variables["FAULTLINE_DATA"] = str(author.home / "elsewhere")
    reached = ("--api", running.api, "--token", running.token)
    assert author.does("workflows", "remove", "note", *reached).returncode == 0
    assert author.told("workflows", "list", *reached) == []
    author.variables["FAULTLINE_DATA"] = str(author.home / "data")


def test_the_topic_is_the_truth_and_directories_only_differ_from_it(author: Author) -> None:
    said = author.up()
    assert "sent: added RULE/from files, VALUES/" in said
    assert author.does("rules", "add", "hot.yaml").returncode == 0
    assert author.does("down").returncode == 0

    (author.home / "rules" / "stays.yaml").unlink()
    (author.home / "playbooks" / "note.yaml").write_text(PLAYBOOK)
    said = author.up()
    assert ", 1 sent: added WORKFLOW/note" in said
    assert "live, though their files are gone: RULE/from files; --prune removes them" in said
    assert {one["name"] for one in author.told("rules", "list")} == {"from files", "hot host"}
    assert author.does("down").returncode == 0

    said = author.up("--prune")
    assert ", 1 sent: removed RULE/from files" in said
    assert author.does("status", "--wait", "60").returncode == 0
    # What an operator put live has no file that could be gone.
    assert [one["name"] for one in author.told("rules", "list")] == ["hot host"]


def test_a_rule_in_shadow_is_watched_and_then_promoted(author: Author) -> None:
    author.up()
    assert author.does("workflows", "add", "note.yaml").returncode == 0
    author.publishes("topology.changes", host(1), host(2))
    author.publishes("alarms.raw", load(1))
    assert author.does("rules", "add", "--shadow", "hot.yaml", "--by", "ada").returncode == 0
    author.publishes("alarms.raw", load(2))

    author.until(lambda: author.told("rules", "list")[1]["matches"] == 2)
    live = author.told("rules", "list")[1]
    assert (live["name"], live["state"], live["mode"]) == ("hot host", "SHADOW", "shadow")
    assert author.deduced() == set()
    assert author.told("executions") == []
    shadow = author.told("alarms", "--shadow")
    would = {f"vitrage/hot@nova.host/h{number}" for number in (1, 2)}
    assert {one["key"] for one in shadow if one["deduces"] == "ALARM"} == would
    wanted = author.told("sql", "SELECT workflow FROM shadows WHERE op = 'WANTED'")
    # The second alarm came after the rule; the first stood already.
    assert [row["workflow"] for row in wanted] == ["note"]
    assert author.told("sql", "SELECT key FROM alarms WHERE deduced") == []

    assert author.does("rules", "promote", "hot host").returncode == 0
    assert author.deduced() == would
    assert author.told("executions") == []
    assert author.told("alarms", "--shadow") == []
    history = author.told("rules", "show", "hot host", "--history")
    assert [one["mode"] for one in history] == ["shadow", "active"]
    assert history[0]["by"].startswith("ada@")
    assert not history[1]["by"].startswith("ada@")
