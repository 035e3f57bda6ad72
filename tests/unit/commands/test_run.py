"""``faultline run``: what it prints, its exit status, and that nothing about it is chance."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from pipeline.cli import main
from pipeline.resources import shipped

WORKFLOW = """
version: '2.0'
greet:
  input: [who]
  output: {said: <% $.said %>}
  tasks:
    say:
      action: std.echo output="hello <% $.who %>"
      publish: {said: <% task().result %>, id: <% uuid() %>}
      on-success: ask
    ask: {action: outside.action, retry: {count: 2, delay: 60}}
"""
ANSWERS = "[{action: outside.action, answers: [{error: no}, {result: yes, delay: 5}]}]"


@pytest.fixture
def files(tmp_path):
    def write(**texts):
        for name, text in texts.items():
            (tmp_path / f"{name}.yaml").write_text(text)
        return [str(tmp_path / f"{name}.yaml") for name in texts]

    return write


def test_the_document(files, capsys):
    playbook, answers = files(playbook=WORKFLOW, answers=ANSWERS)
    assert main(["run", playbook, "--input", '{"who": "you"}', "--answers", answers]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told) == ["workflow", "execution_id", "state", "state_info", "input", "output", "tasks"]
    assert (told["workflow"], told["state"], told["input"]) == ("greet", "SUCCESS", {"who": "you"})
    assert told["output"] == {"said": "hello you"}
    say, ask = told["tasks"]
    assert (say["name"], say["state"], say["result"], say["published"]["said"]) == (
        "say", "SUCCESS", "hello you", "hello you",
    )  # fmt: skip
    assert ask["runs"] == [
        {"index": None, "attempt": 1, "state": "ERROR", "result": False},
        {"index": None, "attempt": 2, "state": "SUCCESS", "result": True},
    ]


def test_the_same_call_prints_the_same_bytes(files, capsys):
    playbook, answers = files(playbook=WORKFLOW, answers=ANSWERS)
    call = ["run", playbook, "greet", "--input", '{"who": "you"}', "--answers", answers]
    main(call)
    first = capsys.readouterr().out
    main(call)
    assert capsys.readouterr().out == first


def test_an_action_without_an_answer_fails(files, capsys):
    (playbook,) = files(playbook=WORKFLOW)
    assert main(["run", playbook, "--input", '{"who": "you"}']) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["state"] == "ERROR"
    assert "no answer scripted" in told["tasks"][1]["state_info"]


def test_input_from_a_file_and_an_environment(files, capsys, tmp_path):
    (playbook,) = files(
        playbook="version: '2.0'\n"
        "wf: {input: [a], output: {a: <% $.a %>, e: <% env().e %>}, tasks: {t: {action: std.noop}}}"
    )
    (tmp_path / "in.json").write_text('{"a": 1}')
    assert main(["run", playbook, "--input", f"@{tmp_path}/in.json", "--env", '{"e": 2}']) == 0
    assert json.loads(capsys.readouterr().out)["output"] == {"a": 1, "e": 2}


def test_a_held_execution_ends_the_run(files, capsys):
    (playbook,) = files(playbook="version: '2.0'\nwf: {tasks: {t: {action: std.noop, pause-before: true}}}")
    assert main(["run", playbook]) == 1
    assert json.loads(capsys.readouterr().out)["state"] == "PAUSED"


def test_a_reverse_workflow_takes_its_target_from_the_parameters(files, capsys):
    (playbook,) = files(
        playbook="version: '2.0'\nwf: {type: reverse, tasks: {t: {action: std.echo output=1}}}"
    )
    assert main(["run", playbook, "--params", '{"task_name": "t"}']) == 0
    assert json.loads(capsys.readouterr().out)["tasks"][0]["result"] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["absent.yaml"], "cannot be read"),
        (["{two}"], "name one of: a, b"),
        (["{two}", "c"], "has no workflow 'c'"),
        (["{bad}"], "Task 'nowhere' not found."),
        (["{one}", "--input", "[1]"], "--input is a JSON object"),
        (["{one}", "--input", "@absent"], "--input"),
        (["{one}", "--answers", "{bad}"], "answers"),
    ],
)
def test_a_wrong_call(files, capsys, arguments, words):
    one = "version: '2.0'\na: {tasks: {t: {action: std.noop}}}"
    paths = dict(
        zip(
            ("one", "two", "bad"),
            files(
                one=one,
                two=f"{one}\nb: {{tasks: {{t: {{action: std.noop}}}}}}",
                bad="version: '2.0'\na: {tasks: {t: {on-success: nowhere}}}",
            ),
            strict=True,
        )
    )
    assert main(["run", *(argument.format(**paths) for argument in arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert words in captured.err


SERVER = (
    "{status: ACTIVE, addresses: {public: [{addr: 127.0.0.1, version: 4}]}, metadata: {ssh_port: '2222'}}"
)


@pytest.mark.parametrize(
    ("script", "state", "words"),
    [
        ("wait: RESIZE VERIFY_RESIZE ACTIVE, check: ok", "SUCCESS", None),
        ("wait: ACTIVE, check: refused", "ERROR", "does not answer on 127.0.0.1 port 2222"),
        ("wait: RESIZE ERROR, check: ok, later: ERROR", "ERROR", "is ERROR after its migration, not ACTIVE"),
        ("migrate: refused, wait: ACTIVE, check: ok", "ERROR", "could not be told to migrate"),
    ],
)
def test_the_shipped_migration(files, capsys, script, state, words):
    plan = dict(part.split(": ") for part in script.split(", "))
    waits = ", ".join(f"{{result: {{status: {word}}}}}" for word in plan["wait"].split())
    later = SERVER.replace("ACTIVE", plan.get("later", "ACTIVE"))
    (answers,) = files(
        answers=f"""
- {{action: nova.servers_migrate, answers: [{"{error: refused}" if "migrate" in plan else "{result: null}"}]}}
- {{task: wait_for_migration, answers: [{waits}]}}
- {{action: nova.servers_get, answers: [{{result: {later}}}], repeat_last: true}}
- action: std.tcp_check
  answers: [{"{error: refused}" if plan["check"] == "refused" else "{result: {answer: SSH}}"}]
  repeat_last: true
"""
    )
    playbook = str(shipped("playbooks") / "migrate_server.yaml")
    status = main(["run", playbook, "--input", '{"vm_id": "vm-1"}', "--answers", answers])
    told = json.loads(capsys.readouterr().out)
    assert (status, told["state"]) == (state != "SUCCESS", state)
    if words:
        assert words in told["state_info"]
        assert "vm-1" in told["state_info"]
    else:
        assert told["output"] == {"vm_ip": "127.0.0.1"}
        assert len(told["tasks"][1]["runs"]) == 3


def test_another_process_prints_the_same_bytes(files):
    (playbook,) = files(
        playbook="""
version: '2.0'
wf:
  output: {set: "<% set(b, a, c).toList() %>", id: <% uuid() %>, at: <% now() %>, dice: <% random() %>}
  tasks:
    a: {action: std.echo output=1, publish: {x: 1}, on-success: [b, c]}
    b: {action: std.echo output=2 delay=3, publish: {x: 2}, on-success: j}
    c: {action: std.fail, on-error: j}
    j: {join: all}
"""
    )
    told = []
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", "run", playbook],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        )
        told.append(done.stdout)
    assert told[0] == told[1]
    assert json.loads(told[0])["output"]["set"] == ["a", "b", "c"]
