"""Workers, a group and a supervisor over ``memory.Kafka``, disturbed as a seed says.

The workers run ``pipeline.streams.host`` as it is. Faust's part is played here with the
habits that were seen in it: it repeats, it revokes everything, it seeks to what it is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

from pipeline.errors import CheckpointFailed, Fenced
from pipeline.kafka.checkpoint import Changelog
from pipeline.kafka.partition import Outbox, Poisoned
from pipeline.kafka.shard import Factory
from pipeline.streams.host import Host

from .memory import Kafka, MemoryChangelog, MemoryOutbox, Process, Sent

SESSION = 10.0
CHECKPOINT_EVERY = 0.5


class Killed(BaseException):
    """Raised by a record that ends its process, as an exhausted memory would."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One run: its seed, what is disturbed how often, and what the parts are made of."""

    seed: int
    factory: Factory
    partitions: int = 4
    workers: int = 3
    crashes: int = 4
    freezes: int = 1
    joins: int = 2
    span: float = 40.0
    timers: bool = False
    feed: str = ""
    quiet: int = 1
    around: Callable[[Kafka], Callable[[Sent], None]] = lambda kafka: lambda sent: None
    changelog: Callable[[Kafka, Process], Changelog] = MemoryChangelog
    outbox: Callable[[Kafka, Process], Outbox] = MemoryOutbox


@dataclass(slots=True)
class Seat:
    """A place that the supervisor keeps filled: a worker under one name, again and again."""

    name: int
    host: Host | None = None
    process: Process = field(default_factory=Process)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    cursors: dict[int, int] = field(default_factory=dict)
    member: bool = False
    wanted: bool = True


@dataclass(slots=True)
class World:
    """One run in progress."""

    plan: Plan
    kafka: Kafka
    draw: Random
    seats: list[Seat] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    generation: int = 0
    crashes: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    redelivered: int = 0
    shares: dict[int, list[int]] = field(default_factory=dict)
    blows: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> list[asyncio.Task[None]]:
        """Fills the seats; the tasks returned run the world until they are cancelled."""
        for name in range(self.plan.workers):
            seat = Seat(name)
            self.seats.append(seat)
            self.spawn(seat)
        return [asyncio.create_task(self._group()), asyncio.create_task(self._disturb())]

    def spawn(self, seat: Seat) -> None:
        """A new process in ``seat``, with nothing in its memory."""
        process = seat.process = Process()
        seat.host = Host(
            "log",
            self.plan.factory,
            self.plan.outbox(self.kafka, process),
            self.plan.changelog(self.kafka, process),
            offload=_at_once,
        )
        seat.cursors = {}
        seat.tasks = [
            asyncio.create_task(self._life(seat, work))
            for work in (self._read, self._checkpoints, *((self._timers,) if self.plan.timers else ()))
        ]
        seat.member = True
        self.changed.set()

    def end(self, seat: Seat, why: str) -> None:
        """The process is gone at once; the group learns of it later, the supervisor sooner."""
        if not seat.process.alive:
            return
        seat.process.alive = False
        self.crashes += 1
        self.ends[why] = self.ends.get(why, 0) + 1
        for task in seat.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        asyncio.get_running_loop().call_later(self.draw.uniform(0.5, 3.0), self._again, seat)

    def _again(self, seat: Seat) -> None:
        if seat.wanted:
            self.spawn(seat)
        else:
            seat.member = False
            self.changed.set()

    async def _life(self, seat: Seat, work: Callable[[Seat], Awaitable[None]]) -> None:
        try:
            await work(seat)
        except asyncio.CancelledError:
            raise
        except Poisoned as poisoned:
            assert seat.host is not None
            await seat.host.condemn(poisoned)
            self.end(seat, "poisoned")
        except (Fenced, CheckpointFailed) as error:
            self.end(seat, type(error).__name__)
        except Killed:
            self.end(seat, "killed")

    async def _read(self, seat: Seat) -> None:
        host, process, draw = seat.host, seat.process, self.draw
        assert host is not None
        # Who is slow is far behind at its checkpoints, and so are those who come after it.
        slowness = draw.choice((0.01, 0.01, 0.1, 0.3))
        while True:
            ready = [
                number
                for number in sorted(host.active)
                if seat.cursors.get(number, 0) < len(self.kafka.log[number])
            ]
            if not ready:
                await process.pause(0.01)
                continue
            # Partitions have no order among each other.
            number = draw.choice(ready)
            cursor = seat.cursors[number]
            if draw.random() < 0.02:
                cursor = max(0, cursor - draw.randrange(1, 5))
                self.redelivered += 1
            elif draw.random() < 0.0005:
                cursor = min(len(self.kafka.log[number]) - 1, cursor + 1)
            partition = host.active[number]
            record = self.kafka.log[number][cursor]
            if partition.careful:
                await host.take_carefully(partition, record)
                await process.awake.wait()
            else:
                host.take(partition, record)
            if number in host.active:
                seat.cursors[number] = cursor + 1
            if draw.random() < 0.3:
                await process.pause(draw.uniform(0.0, slowness))

    async def _checkpoints(self, seat: Seat) -> None:
        assert seat.host is not None
        while True:
            await seat.process.pause(CHECKPOINT_EVERY)
            await seat.host.checkpoint()

    async def _timers(self, seat: Seat) -> None:
        assert seat.host is not None
        while True:
            await seat.process.pause(0.05)
            seat.host.timers(self.kafka.now())

    async def _group(self) -> None:
        """Rebalances one after the other, whenever who is there has changed."""
        while True:
            await self.changed.wait()
            self.changed.clear()
            await asyncio.sleep(self.draw.uniform(0.01, 0.3))
            self.generation += 1
            members = [seat for seat in self.seats if seat.member]
            await self._phase(members, self._revoke)
            members = [seat for seat in members if seat.member and seat.process.alive]
            numbers = list(range(self.plan.partitions))
            self.draw.shuffle(numbers)
            self.shares = {seat.name: numbers[i :: len(members)] for i, seat in enumerate(members)}
            await self._phase(members, self._assign)

    async def _phase(self, members: list[Seat], call: Callable[[Seat], Awaitable[None]]) -> None:
        """All members take part, and one that is dead or frozen is waited for as long as its session."""
        tasks = {}
        for seat in members:
            if seat.process.alive and seat.host is not None:
                task = asyncio.create_task(self._life(seat, call))
                seat.tasks.append(task)
                tasks[task] = (seat, seat.process)
        if tasks:
            await asyncio.wait(tasks, timeout=SESSION)
        for task, (seat, process) in tasks.items():
            if not task.done() and seat.process is process:
                # Thought dead: its work goes to others while it may still wake up.
                seat.member = False
                self.changed.set()

    async def _revoke(self, seat: Seat) -> None:
        await seat.process.awake.wait()
        assert seat.host is not None
        await seat.host.revoke()

    async def _assign(self, seat: Seat) -> None:
        host, generation = seat.host, self.generation
        assert host is not None
        numbers = self.shares[seat.name]
        await seat.process.awake.wait()
        positions = await host.assign(numbers)
        await seat.process.pause(self.draw.uniform(0.0, 0.02))
        if self.generation != generation:
            return
        back = self.draw.randrange(0, 6)
        seat.cursors = {number: max(0, position + 1 - back) for number, position in positions.items()}
        host.activate()

    async def _disturb(self) -> None:
        plan, draw = self.plan, self.draw
        blows: list[tuple[float, str]] = []
        for kind, times in (("crash", plan.crashes), ("freeze", plan.freezes), ("leave", plan.joins)):
            blows += [(draw.uniform(1.0, plan.span), kind) for _ in range(times)]
        clock = 0.0
        for at, kind in sorted(blows):
            await asyncio.sleep(at - clock)
            clock = at
            living = [seat for seat in self.seats if seat.process.alive and seat.process.awake.is_set()]
            if not living:
                continue
            seat = draw.choice(living)
            blow = {"crash": self._crash, "freeze": self._freeze, "leave": self._leave}[kind]
            self.blows.append(asyncio.create_task(blow(seat)))

    async def _crash(self, seat: Seat) -> None:
        process = seat.process
        await self._work()
        if seat.process is process:
            self.end(seat, "crash")

    async def _work(self) -> None:
        """Waits until there is work, for who is idle has nothing to lose, and into the middle of it."""
        length = sum(map(len, self.kafka.log))
        for _ in range(200):
            if sum(map(len, self.kafka.log)) > length:
                break
            await asyncio.sleep(0.02)
        await asyncio.sleep(self.draw.uniform(0.0, 0.7))

    async def _freeze(self, seat: Seat) -> None:
        process = seat.process
        await self._work()
        process.awake.clear()
        await asyncio.sleep(SESSION)
        if seat.process is process and process.alive:
            seat.member = False
            self.changed.set()
        # Often it wakes while its successor takes over.
        await asyncio.sleep(self.draw.choice((self.draw.uniform(0.0, 0.6), self.draw.uniform(0.5, 5.0))))
        process.awake.set()
        if self.draw.random() < 0.5:
            # Its successor dies before it has got anywhere.
            others = [other for other in self.seats if other is not seat and other.process.alive]
            if others:
                await asyncio.sleep(self.draw.uniform(0.0, 1.5))
                self.end(self.draw.choice(others), "crash")
        if seat.process is process and process.alive:
            # It notices by and by that the group went on without it, and comes back.
            await asyncio.sleep(self.draw.uniform(0.5, 2.0))
            if seat.process is process and process.alive:
                seat.member = True
                self.changed.set()

    async def _leave(self, seat: Seat) -> None:
        """A graceful stop: the last checkpoint, and some time later a worker of that name again."""
        process = seat.process
        task = asyncio.create_task(self._life(seat, self._revoke))
        seat.tasks.append(task)
        await asyncio.wait([task], timeout=SESSION)
        if seat.process is process and process.alive:
            self.end(seat, "left")


async def _at_once(load: Callable[[], None]) -> None:
    load()
