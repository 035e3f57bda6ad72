"""Executors as processes on a broker of their own, and a web server that counts what is done to it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from pipeline.kafka import topics
from pipeline.kafka.outbox import producer
from pipeline.local import broker, processes

WORKER = Path(__file__).resolve().parents[2] / "support" / "executor_worker.py"
# Short ones, so that tests do not wait for the patience that production needs.
TERMS = {"lease": 3_000_000, "renew": 1_000_000, "grace": 1_500_000}


class Target:
    """A web server that counts what it is asked for, by path; ``/slow/...`` takes its time."""

    def __init__(self) -> None:
        self.called: Counter[str] = Counter()
        self.headers: dict[str, dict[str, str]] = {}
        self.heard: dict[str, tuple[str, str]] = {}
        self.delay = 1.0
        self.port = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._ready.set()
        self._loop.run_forever()

    async def _serve(self) -> None:
        async def handle(request: web.Request) -> web.Response:
            self.called[request.path] += 1
            self.headers[request.path] = dict(request.headers)
            self.heard[request.path] = (request.headers.get("X-Own", ""), await request.text())
            if request.path.startswith("/slow/"):
                await asyncio.sleep(self.delay)
            return web.json_response({"done": request.path})

        app = web.Application()
        app.router.add_route("*", "/{kind}/{id}", handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]


class Bench:
    """The topics, the executors that work on them, and all outcomes that have come so far."""

    terms = TERMS

    def __init__(self, bootstrap: str, target: Target, logs: Path) -> None:
        self.bootstrap = bootstrap
        self.target = target
        self.logs = logs
        self.results: dict[str, list[dict[str, Any]]] = {}
        self.workers: list[subprocess.Popen[bytes]] = []
        self._producer: Producer = producer(bootstrap, "test")
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "none"})
        places = [TopicPartition("workflow.commands", number, OFFSET_BEGINNING) for number in range(8)]
        self._consumer.assign(places)

    def executor(self, instance: str = "one", **options: Any) -> subprocess.Popen[bytes]:
        given = {
            "bootstrap": self.bootstrap,
            "instance": instance,
            "allow": [self.target.address],
            "terms": TERMS,
            **options,
        }
        worker = processes.spawn(
            [sys.executable, WORKER, json.dumps(given)],
            output=self.logs / f"{instance}.log",
            environment={"PYTHONPATH": str(WORKER.parents[2]), "PATH": os.environ["PATH"]},
        )
        self.workers.append(worker)
        return worker

    def ask(self, id_: str, action: str, input_: dict[str, Any] | None = None, **fields: Any) -> str:
        work = {"id": id_, "root": f"root-{id_}", "execution": f"root-{id_}", "task": f"task-{id_}"}
        self.raw(json.dumps({**work, "action": action, "input": input_ or {}, **fields}).encode(), id_)
        return id_

    def call(self, id_: str, kind: str = "quick", method: str = "POST", **fields: Any) -> str:
        """Asks for a request to the target: a change, unless ``method`` says otherwise."""
        url = f"http://{self.target.address}/{kind}/{id_}"
        return self.ask(id_, "std.http", {"url": url, "method": method}, **fields)

    def raw(self, value: bytes, key: str) -> None:
        self._producer.produce("workflow.actions", value, key.encode())
        self._producer.flush(10)

    def effects(self, word: str) -> None:
        self._producer.produce("controls", json.dumps({"effects": word}).encode(), b"effects")
        self._producer.flush(10)

    def calls(self, kind: str, ids: Iterable[str]) -> list[int]:
        return [self.target.called[f"/{kind}/{id_}"] for id_ in ids]

    def called(self, kind: str, ids: Iterable[str]) -> None:
        """Returns when each of ``ids`` has been called."""
        wanted = list(ids)
        self.until(lambda: all(self.calls(kind, wanted)), 20, lambda: self.calls(kind, wanted))

    def gather(self) -> None:
        for message in self._consumer.consume(500, 0.1):
            if message.error() is None:
                command = json.loads(message.value())
                self.results.setdefault(command["action"], []).append(command)

    def wait(self, ids: Iterable[str], seconds: float = 40) -> dict[str, dict[str, Any]]:
        """The first outcome of each of ``ids``, as the engine takes it."""
        wanted = list(ids)
        self.until(lambda: all(id_ in self.results for id_ in wanted), seconds, lambda: self.missing(wanted))
        return {id_: self.results[id_][0] for id_ in wanted}

    def until(self, true: Callable[[], bool], seconds: float, what: Callable[[], object]) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, f"not within {seconds} s: {what()}\n{self.tails()}"
            self.gather()

    def missing(self, ids: Iterable[str]) -> list[str]:
        return [id_ for id_ in ids if id_ not in self.results]

    def tails(self) -> str:
        return "\n".join(processes.tail(log, 8) for log in sorted(self.logs.glob("*.log")))

    def close(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                os.kill(worker.pid, signal.SIGCONT)
                worker.kill()
                worker.wait()
        self._consumer.close()


@pytest.fixture(scope="session")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[broker.Broker]:
    """The executors' topics have fixed names, so they get a broker that no other test uses."""
    running = broker.start(tmp_path_factory.mktemp("broker"))
    topics.ensure(running.bootstrap)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    server = Target()
    yield server
    server.close()


@pytest.fixture
def bench(own_broker: broker.Broker, target: Target, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(own_broker.bootstrap, target, tmp_path)
    yield made
    made.close()
