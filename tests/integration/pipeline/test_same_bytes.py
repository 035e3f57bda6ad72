"""The same input gives the same bytes, whatever the process's hash seed, directory and clock."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from support.pipeline_local import environment

HOSTS = 12

ANSWERS = """\
- action: nova.servers_migrate
  answers: [{result: null}]
  repeat_last: true
- action: nova.servers_get
  answers:
    - result: {status: RESIZE}
    - result: {status: VERIFY_RESIZE}
    - delay: 3
      result: {status: ACTIVE, addresses: {net: [{addr: 10.0.0.7}]}, metadata: {}}
  repeat_last: true
- action: std.tcp_check
  answers: [{result: true}]
  repeat_last: true
"""


def events(seed: int) -> str:
    """Topology and alarms of a few hosts in an order drawn by ``seed``, with ticks between."""
    chance = random.Random(seed)
    lines = []
    clock = 0

    def record(topic: str, **content: object) -> None:
        nonlocal clock
        clock += chance.randrange(3)
        stamp = f"2026-01-05T10:{clock // 60:02d}:{clock % 60:02d}.000000Z"
        value = {"id": f"r-{len(lines)}", "time": stamp, "source": "zabbix", **content}
        lines.append({"topic": topic, "value": value})

    for host in range(HOSTS):
        entity = {"type": "nova.host", "id": f"h{host}", "state": "available"}
        record("topology.changes", op="UPSERT", entity=entity)
        for number in range(3):
            attributes = {"migrate": "auto"} if number == 1 else {}
            instance = {"type": "nova.instance", "id": f"i{host}-{number}", "attributes": attributes}
            record("topology.changes", op="UPSERT", entity=instance)
            edge = {
                "source": {"type": "nova.host", "id": f"h{host}"},
                "type": "contains",
                "target": {"type": "nova.instance", "id": f"i{host}-{number}"},
            }
            record("topology.changes", op="UPSERT", relationship=edge)
    for _ in range(60):
        resource = {"type": "nova.host", "id": f"h{chance.randrange(HOSTS)}"}
        status = chance.choice(["ACTIVE", "ACTIVE", "CLEARED"])
        alarm = {"name": "Public network port down", "severity": "CRITICAL", "status": status}
        record("alarms.raw", alarm=alarm | {"resource": resource})
        if chance.random() < 0.1:
            lines.append({"tick": f"2026-01-05T10:{clock // 60:02d}:{clock % 60:02d}.500000Z"})
    return "".join(json.dumps(line) + "\n" for line in lines)


def printed(directory: Path, seed: str, *arguments: str, given: str = "") -> bytes:
    """What a ``faultline`` command prints in ``directory``; its status must be that of a finished one."""
    directory.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pipeline", *arguments],
        input=given.encode(),
        capture_output=True,
        check=False,
        cwd=directory,
        env=environment() | {"PYTHONHASHSEED": seed},
        timeout=120,
    )
    assert done.returncode in (0, 1), done.stderr.decode()
    assert done.stdout, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_simulate_prints_the_same_bytes(tmp_path: Path, checkout: Path, seed: int) -> None:
    (tmp_path / "answers.yaml").write_text(ANSWERS)
    arguments = ["simulate", "--rules", str(checkout / "rules"), "--playbooks", str(checkout / "playbooks")]
    arguments += ["--answers", str(tmp_path / "answers.yaml"), "--state", "-", "-"]
    given = events(seed)
    first = printed(tmp_path / "a", "1", *arguments, given=given)
    assert printed(tmp_path / "b", "2", *arguments, given=given) == first
    for what in (b"alarms.deduced", b"workflow.commands", b"workflow.steps", b'"aggregated_state"'):
        assert what in first, what


def test_run_prints_the_same_bytes(tmp_path: Path, checkout: Path) -> None:
    (tmp_path / "answers.yaml").write_text(ANSWERS)
    playbook = str(checkout / "playbooks" / "migrate_server.yaml")
    arguments = ["run", playbook, "migrate_server", "--input", '{"vm_id": "i0-1"}']
    arguments += ["--answers", str(tmp_path / "answers.yaml")]
    first = printed(tmp_path / "a", "1", *arguments)
    assert printed(tmp_path / "b", "2", *arguments) == first
    told = json.loads(first)
    assert told["workflow"] == "migrate_server"
    assert told["tasks"]
