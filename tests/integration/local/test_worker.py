from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from pipeline.commands.worker import ROLES
from pipeline.kafka.declarations import load
from pipeline.local import broker as brokers
from pipeline.local import ports, processes, readiness

WORKER = [sys.executable, "-P", "-m", "pipeline", "worker"]


@pytest.mark.broker
@pytest.mark.slow
def test_a_worker_of_all_roles_makes_the_topics_and_stops_with_its_children(tmp_path: Path) -> None:
    broker = brokers.start(tmp_path / "broker")
    api = f"http://127.0.0.1:{ports.free()}"
    output = tmp_path / "worker.log"
    options = [
        "--kafka",
        broker.bootstrap,
        "--partitions",
        "2",
        "--data",
        tmp_path / "d",
        "--api",
        api,
        "--token",
        "t",
    ]
    worker = processes.spawn([*WORKER, *options], output=output, directory=tmp_path)
    try:

        def check() -> None:
            assert worker.poll() is None, processes.tail(output, 60)

        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        while len(admin.list_topics(timeout=20).topics) < len(load()):
            check()
        # Whatever their process ids: that each has spoken is what counts here.
        heard = readiness.heard(broker.bootstrap, set(ROLES), check, 60)
        assert set(heard) == set(ROLES), processes.tail(output, 60)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(40) == 0
        assert not [pid for pid in heard.values() if processes.exists(pid)]
    finally:
        processes.stop(worker, 10)
        broker.stop()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--role", "ingest"], "needs --kafka"),
        (["--role", "ingets", "--kafka", "127.0.0.1:1"], "roles are ingest, correlate"),
        (["--kafka", "127.0.0.1:1", "--partitions", "0"], "1 to 10000"),
    ],
)
def test_a_wrong_call_is_told(arguments: list[str], words: str, tmp_path: Path) -> None:
    done = subprocess.run([*WORKER, *arguments], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
