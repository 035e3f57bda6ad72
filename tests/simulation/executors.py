"""Executors over ``pipeline.executor.ledger`` in virtual time, in the order that it asks for.

They crash, freeze and wake, take over from each other and hear what the others write. The
effects are counted where a real one would happen: in the middle of the action's run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import Any

from pipeline.errors import Fenced
from pipeline.executor.entry import Entry, Outcome, Work, encode, finish, renew, report
from pipeline.executor.ledger import Ledger, Terms

from . import clock
from .memory import Process

SECOND = 1_000_000
SLOTS = 4
CALM = 45.0
"""From when on nobody dies any more."""


@dataclass(slots=True)
class Topics:
    """One partition of actions, its ledger, and what came of both."""

    actions: list[Work] = field(default_factory=list)
    ledger: list[tuple[str, bytes | None]] = field(default_factory=list)
    epoch: int = 0
    committed: int = 0
    effects: dict[str, int] = field(default_factory=dict)
    results: dict[str, list[tuple[str, int]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Habits:
    """What an executor does right; a planted fault turns one of them off."""

    waits_for_ledger: bool = True
    fences: bool = True
    spares_the_unsafe: bool = True
    forgives_silence: bool = True


@dataclass(slots=True)
class Executor:
    """One process that owns the partition until it dies or is fenced."""

    topics: Topics
    draw: Random
    name: str
    habits: Habits
    process: Process = field(default_factory=Process)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    ledger: Ledger = field(init=False)
    epoch: int = 0
    busy: int = 0
    starts: int = 0

    def start(self, work: Callable[..., Coroutine[Any, Any, None]], *arguments: Entry) -> None:
        self.tasks.append(asyncio.create_task(self._life(work, *arguments)))

    def die(self) -> None:
        self.process.alive = False
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()

    async def _life(self, work: Callable[..., Coroutine[Any, Any, None]], *arguments: Entry) -> None:
        try:
            await work(*arguments)
        except Fenced:
            self.die()

    async def serve(self) -> None:
        """Fences, restores, listens, and starts what may be started."""
        topics, pause = self.topics, self.process.pause
        terms = Terms() if self.habits.forgives_silence else Terms(lease=0, grace=0)
        self.ledger = ledger = Ledger(self.name, self._repeatable, terms)
        await pause(self.draw.uniform(0.01, 0.1))
        topics.epoch += 1
        self.epoch = topics.epoch
        position = topics.committed
        ledger.begin_at(position)
        heard = len(topics.ledger)
        ledger.restore((key, value, n) for n, (key, value) in enumerate(topics.ledger[:heard]))
        ledger.restored(_now())
        self._send()
        while True:
            for n, (key, value) in enumerate(topics.ledger[heard:], heard):
                ledger.heard(key, value, n)
            heard = len(topics.ledger)
            while position < len(topics.actions):
                ledger.receive(topics.actions[position], position)
                position += 1
            batch = ledger.plan(_now(), SLOTS - self.busy)
            if batch is None:
                self._send()
                await pause(0.05)
                continue
            self.busy += len(batch.starts)
            loop = asyncio.get_running_loop()
            if batch.starts and loop.time() < CALM and self.draw.random() < 0.03:
                loop.call_later(self.draw.uniform(0.0, 0.1), self.die)
            if not self.habits.waits_for_ledger:
                for entry in batch.starts:
                    self.start(self._run, entry)
            if batch.records:
                await self._write(batch.records)
            for entry in ledger.commit(batch):
                if self.habits.waits_for_ledger:
                    self.start(self._run, entry)
            topics.committed = max(topics.committed, ledger.accepted + 1)
            self._send()

    async def _run(self, entry: Entry) -> None:
        pause, id_ = self.process.pause, entry.work.id
        lasts = self.draw.choice((0.01, self.draw.uniform(0.05, 4.0)))
        await pause(lasts / 2)
        self.topics.effects[id_] = self.topics.effects.get(id_, 0) + 1
        if lasts > 2:
            self.topics.ledger.append(_record(renew(entry, _now(), Terms().lease)))
        await pause(lasts / 2)
        done = finish(entry, Outcome("SUCCESS", id_), _now())
        await pause(self.draw.uniform(0.001, 0.02))
        offset = len(self.topics.ledger)
        self.topics.ledger.append(_record(done))
        await pause(self.draw.uniform(0.001, 0.02))
        self.busy -= 1
        self.ledger.ended(done, offset)
        self._send()

    async def _write(self, records: list[tuple[str, bytes | None]]) -> None:
        for _ in range(2):
            await self.process.pause(self.draw.uniform(0.001, 0.03))
            if self.habits.fences and self.epoch != self.topics.epoch:
                raise Fenced("another executor owns the partition")
        self.topics.ledger.extend(records)
        await self.process.pause(self.draw.uniform(0.001, 0.02))

    def _send(self) -> None:
        for entry in self.ledger.unsent():
            self.start(self._report, entry)

    async def _report(self, entry: Entry) -> None:
        await self.process.pause(self.draw.uniform(0.001, 0.02))
        output = report(entry)
        assert output is not None
        self.topics.results.setdefault(entry.work.id, []).append((output.value["state"], entry.run))
        await self.process.pause(self.draw.uniform(0.001, 0.02))
        self.ledger.reported(entry.work.id)

    def _repeatable(self, work: Work) -> bool:
        return not self.habits.spares_the_unsafe or work.action == "std.noop"


@dataclass(slots=True)
class Findings:
    """What a seed gave."""

    seed: int
    actions: int = 0
    deaths: int = 0
    unknown: int = 0
    reruns: int = 0
    faults: list[str] = field(default_factory=list)


def simulate(seed: int, habits: Habits = Habits(), actions: int = 150) -> Findings:
    """So many actions, half of them with effects that must not come twice, under disasters."""
    return clock.run(_simulate(seed, habits, actions))


async def _simulate(seed: int, habits: Habits, actions: int) -> Findings:
    draw, topics, found = Random(seed), Topics(), Findings(seed)
    loop = asyncio.get_running_loop()
    for n in range(actions):
        work = Work(f"a{n}", "r", "e", "t", "nova.migrate" if n % 2 else "std.noop")
        at = draw.uniform(0, 40)
        for delay in (0.0, 0.3) if n % 7 == 0 else (0.0,):
            loop.call_at(at + delay, topics.actions.append, work)
    lives = 0

    def fresh() -> Executor:
        nonlocal lives
        lives += 1
        made = Executor(topics, draw, f"x{lives}", habits)
        made.start(made.serve)
        return made

    owner = fresh()
    while loop.time() < CALM:
        await asyncio.sleep(draw.uniform(1.0, 8.0))
        found.deaths += 1
        before = owner
        if draw.random() < 0.6:
            before.die()
        else:
            # Taken for dead, replaced, and awake again: it must do no harm any more.
            before.process.awake.clear()
            loop.call_later(draw.uniform(0.2, 12.0), before.process.awake.set)
        await asyncio.sleep(draw.choice((0.1, 1.0, 3.0)))
        owner = fresh()
    if not owner.process.alive:
        owner = fresh()
    # Time enough for as many as there are to take their turns.
    await asyncio.sleep(max(60, actions * 0.4))
    found.actions = len(topics.actions)
    _judge(topics, found)
    return found


def _judge(topics: Topics, found: Findings) -> None:
    for work in {work.id: work for work in topics.actions}.values():
        effects, results = topics.effects.get(work.id, 0), topics.results.get(work.id, [])
        if not results:
            found.faults.append(f"{work.id} has no result")
        if work.action != "std.noop" and effects > 1:
            found.faults.append(f"{work.id} took effect {effects} times")
        found.reruns += effects > 1
        given_up = [run for state, run in results if state == "ERROR"]
        found.unknown += bool(given_up)
        if work.action == "std.noop" and any(run < Terms().runs for run in given_up):
            found.faults.append(f"{work.id} may be run again and was given up")


def _record(entry: Entry) -> tuple[str, bytes | None]:
    return entry.work.id, encode(entry)


def _now() -> int:
    return int(asyncio.get_running_loop().time() * SECOND) + 1_767_600_000 * SECOND
