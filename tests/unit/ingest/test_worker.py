"""The worker's rounds, with a consumer and a producer that do as they are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from confluent_kafka import KafkaError

from pipeline.codec import Codec
from pipeline.errors import DeliveryFailed, Fenced, RegistryUnavailable
from pipeline.events import Input
from pipeline.ingest import inbound, outbound, worker
from pipeline.ingest.progress import Place

ZERO, ONE = ("alarms.raw", 0), ("alarms.raw", 1)
NOW = 1_767_607_200_000


class Message:
    """A record, or an event where ``error`` is given."""

    def __init__(
        self, place: Place, offset: int, value: bytes | None = None, error: KafkaError | None = None
    ) -> None:
        self.place, self._offset, self._value, self._error = place, offset, value, error

    def topic(self) -> str:
        return self.place[0]

    def partition(self) -> int:
        return self.place[1]

    def offset(self) -> int:
        return self._offset

    def value(self) -> bytes | None:
        return self._value

    def key(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 2, NOW

    def error(self) -> KafkaError | None:
        return self._error


def alarm(place: Place, offset: int, body: bytes = b"") -> Message:
    record = {
        "id": f"{place[1]}-{offset}",
        "time": "2026-01-05T10:00:00Z",
        "source": "s",
        "alarm": {"name": "A", "status": "ACTIVE", "resource": {"type": "t", "id": "1"}},
    }
    return Message(place, offset, body or msgspec.json.encode(record))


def end(place: Place, offset: int) -> Message:
    return Message(place, offset, error=KafkaError(KafkaError._PARTITION_EOF))


class Consumer:
    """Hands out what it was given, once; a function among it is called in its turn."""

    def __init__(self, _: Any) -> None:
        self.waiting: list[Message | Callable[[], None]] = []
        self.committed: list[dict[Place, int]] = []
        self.paused: set[Place] = set()
        self.closed = False

    def subscribe(self, _: Any, **callbacks: Callable[..., None]) -> None:
        self.callbacks = callbacks

    def poll(self, _: float) -> Message | None:
        while self.waiting:
            first = self.waiting.pop(0)
            if isinstance(first, Message):
                return first
            first()
        return None

    def consume(self, _: int, timeout: float) -> list[Message]:
        assert timeout == 0
        found = []
        while self.waiting:
            found.append(self.waiting.pop(0))
        return found  # type: ignore[return-value]

    def commit(self, offsets: list[Any], asynchronous: bool) -> None:
        self.committed.append({(each.topic, each.partition): each.offset for each in offsets})

    def pause(self, places: list[Any]) -> None:
        self.paused |= {(each.topic, each.partition) for each in places}

    def resume(self, places: list[Any]) -> None:
        self.paused -= {(each.topic, each.partition) for each in places}

    def close(self) -> None:
        self.closed = True


class Producer:
    """Keeps records until ``acknowledge`` or ``refuse``."""

    def __init__(self, _: Any) -> None:
        self.produced: list[tuple[str, bytes | None]] = []
        self.reports: list[Callable[..., None]] = []
        self.automatic = False

    def produce(self, topic: str, value: bytes | None, _: Any, **options: Any) -> None:
        self.produced.append((topic, value))
        if topic in ("graph.input", "workflow.commands", "dead.letters"):
            self.reports.append(options["on_delivery"])

    def poll(self, _: float) -> None:
        if self.automatic:
            self.acknowledge()

    def acknowledge(self) -> None:
        reports, self.reports = self.reports, []
        for report in reports:
            report(None, Message(ZERO, 0))

    def refuse(self) -> None:
        self.reports.pop(0)(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), Message(ZERO, 0))

    def flush(self, _: float) -> int:
        return 0


class Cluster:
    """Topics of two partitions, which end where a test says."""

    def __init__(self, _: Any) -> None:
        self.answer: dict[Place, int] | None = None
        self.asked: list[list[Place]] = []

    def topics(self, names: Any) -> dict[str, tuple[str, int]]:
        return {name: (f"{name}-id", 2) for name in names}

    def largest(self, names: Any) -> dict[str, int]:
        return dict.fromkeys(names, 1_048_588)

    def ask_ends(self, places: Any) -> None:
        self.asked.append(list(places))

    def ends(self) -> dict[Place, int] | None:
        answer, self.answer = self.answer, None
        return answer


class Owned:
    def __init__(self, place: Place) -> None:
        self.topic, self.partition = place


class Bench:
    """A worker that owns two partitions, on a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, codec: Codec | None = None) -> None:
        monkeypatch.setattr(inbound, "Consumer", Consumer)
        monkeypatch.setattr(outbound, "Producer", Producer)
        monkeypatch.setattr(worker, "Cluster", Cluster)
        monkeypatch.setattr(worker, "AdminClient", lambda _: None)
        monkeypatch.setattr(worker.time, "monotonic", lambda: self.now)
        self.now = 0.0
        self.rounds = 0
        self.worker = worker.Worker("nowhere:1", "w", codec or Codec(), lambda: self.rounds <= 0)
        self.consumer: Any = self.worker._in._consumer
        self.producer: Any = self.worker._out._producer
        self.assign(ZERO, ONE)

    def assign(self, *places: Place) -> None:
        self.consumer.callbacks["on_assign"](self.consumer, [Owned(place) for place in places])

    def revoke(self, *places: Place) -> None:
        self.consumer.callbacks["on_revoke"](self.consumer, [Owned(place) for place in places])

    def turn(self, *given: Message | Callable[[], None], seconds: float = 1.0) -> None:
        """One round over ``given``, a second after the last."""
        self.now += seconds
        self.consumer.waiting += given
        for message in self.worker._in.batch(0.0):
            self.worker._forward(message)
        self.worker._round()

    @property
    def logged(self) -> list[str]:
        """The ids in the log."""
        return [record.id for record in self.log if record.mark is None]

    @property
    def log(self) -> list[Input]:
        """The log's records."""
        return [
            msgspec.json.decode(value or b"", type=Input)
            for topic, value in self.producer.produced
            if topic == "graph.input"
        ]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_a_position_is_committed_when_all_behind_it_is_acknowledged(bench: Bench) -> None:
    bench.turn(alarm(ZERO, 0), alarm(ZERO, 1))
    bench.turn()
    bench.turn()
    assert bench.consumer.committed == []
    bench.producer.acknowledge()
    bench.turn()
    assert bench.consumer.committed == [{ZERO: 2}]


def test_a_dead_letter_must_be_acknowledged_too(bench: Bench) -> None:
    bench.turn(alarm(ZERO, 0, b"nope"))
    bench.turn()
    assert bench.consumer.committed == []
    bench.producer.acknowledge()
    bench.turn()
    assert bench.consumer.committed == [{ZERO: 1}]
    assert [topic for topic, _ in bench.producer.produced if topic != "roles.status"] == ["dead.letters"]


def test_the_end_of_a_partition_waits_for_the_records_before_it(bench: Bench) -> None:
    bench.producer.automatic = True
    bench.turn(alarm(ZERO, 0), alarm(ZERO, 1), end(ZERO, 4), end(ONE, 7))
    bench.turn()
    assert bench.logged == ["0-0", "0-1"]
    assert bench.consumer.committed[-1] == {ZERO: 4, ONE: 7}


def test_a_record_that_comes_again_is_passed_over(bench: Bench) -> None:
    bench.turn(alarm(ZERO, 5), alarm(ZERO, 4), alarm(ZERO, 5), alarm(ZERO, 6), end(ZERO, 5))
    assert bench.logged == ["0-5", "0-6"]


def test_what_was_given_up_is_settled_and_committed_before(bench: Bench) -> None:
    bench.turn(alarm(ZERO, 0), alarm(ONE, 0))
    bench.producer.automatic = True
    bench.turn(lambda: bench.revoke(ZERO), alarm(ZERO, 1), alarm(ONE, 1))
    assert bench.consumer.committed[0] == {ZERO: 1}, "only what is given up, and at once"
    assert bench.logged == ["0-0", "1-0", "1-1"], "a record of what is not owned is another's"


def test_a_record_that_is_not_delivered_ends_the_worker(bench: Bench) -> None:
    bench.turn(alarm(ZERO, 0))
    bench.producer.refuse()
    with pytest.raises(DeliveryFailed):
        bench.turn()
    assert bench.consumer.committed == []


def test_another_worker_of_that_name_ends_this_one(bench: Bench) -> None:
    fenced = KafkaError(KafkaError._FATAL, "Static consumer fenced by other consumer")
    with pytest.raises(Fenced):
        bench.turn(Message(ZERO, 0, error=fenced))


def test_a_mark_says_what_was_read_by_the_brokers_clock(bench: Bench) -> None:
    cluster: Any = bench.worker._cluster
    bench.turn(alarm(ZERO, 0), end(ONE, 0))
    assert cluster.asked == [[ZERO, ONE]]
    cluster.answer = {ZERO: 5, ONE: 0}
    bench.turn()
    first, again = (record.mark for record in bench.log if record.mark is not None)
    assert first == again, "one in each partition of the log"
    assert first is not None
    assert first.read == {"alarms.raw:alarms.raw-id:0": "2026-01-05T10:00:00.000000Z"}
    asked = len(cluster.asked)
    bench.turn()
    assert len(cluster.asked) == asked, "the next question waits until the marks are appended"
    bench.producer.acknowledge()
    bench.turn()
    assert len(cluster.asked) == asked + 1
    cluster.answer = {ZERO: 5, ONE: 0}
    bench.turn()
    last = bench.log[-1].mark
    assert last is not None
    assert last.read["alarms.raw:alarms.raw-id:1"] == "2026-01-05T10:00:00.000000Z"


class Away(Codec):
    """Cannot read records of partition 0 while the registry is away."""

    away = True

    def read(self, topic: str, value: bytes | None, at: str, origin: Any = None) -> Input:
        if self.away and origin.partition == 0 and origin.offset >= 1:
            raise RegistryUnavailable("away")
        return super().read(topic, value, at, origin)


def test_only_what_needs_the_registry_waits_and_keeps_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = Away()
    bench = Bench(monkeypatch, codec)
    bench.producer.automatic = True
    bench.turn(alarm(ZERO, 0), alarm(ZERO, 1), alarm(ONE, 0), alarm(ZERO, 2), end(ZERO, 3))
    assert bench.logged == ["0-0", "1-0"]
    assert bench.consumer.paused == {ZERO}
    bench.turn(alarm(ONE, 1), alarm(ZERO, 3), seconds=5)
    bench.turn(seconds=0.1)
    assert bench.logged == ["0-0", "1-0", "1-1"]
    assert bench.consumer.paused == {ZERO}
    assert bench.consumer.committed[-1][ONE] == 2
    assert all(positions.get(ZERO, 0) <= 1 for positions in bench.consumer.committed)
    codec.away = False
    bench.turn(seconds=5)
    assert bench.logged == ["0-0", "1-0", "1-1", "0-1", "0-2", "0-3"]
    assert bench.consumer.paused == set()


def test_what_waits_and_is_given_up_is_left_to_its_next_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = Away()
    bench = Bench(monkeypatch, codec)
    bench.producer.automatic = True
    bench.turn(alarm(ZERO, 1))
    bench.turn(lambda: bench.revoke(ZERO))
    codec.away = False
    bench.turn(seconds=5)
    assert bench.logged == []
    assert bench.consumer.committed == []


def test_a_stop_commits_what_was_acknowledged_and_says_goodbye(bench: Bench) -> None:
    bench.turn(alarm(ZERO, 0))
    bench.producer.automatic = True
    bench.worker.run()
    assert bench.consumer.committed == [{ZERO: 1}]
    assert bench.consumer.closed
    assert bench.producer.produced[-1] == ("roles.status", None)
