from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from pipeline.codec import Codec
from pipeline.errors import BrokerUnavailable, HistoryUnavailable
from pipeline.history.feed import Life
from pipeline.history.rows import Place, Rows, dead_letter
from pipeline.history.sink import Sink
from pipeline.history.writer import Log, Unfit
from pipeline.kafka.deadletter import DeadLetter
from pipeline.logs import about

PLACE = Log("t", "one", 0)


@dataclass
class Message:
    at: int
    content: bytes | None

    def offset(self) -> int:
        return self.at

    def value(self) -> bytes | None:
        return self.content

    def key(self) -> bytes:
        return b"k"

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 1, 1000 * self.at


@dataclass
class Tape:
    """A feed of given values; ``events`` are what becomes of it while it is read."""

    values: list[bytes | None]
    stop: threading.Event
    stales: list[bool | Exception] = field(default_factory=list)
    start: int = 0
    assigned: int = 0
    missed: int = 0
    present: dict[str, Life] = field(default_factory=lambda: {"t": Life("one", 1)})
    reached: dict[Log, int] = field(default_factory=dict)

    def assign(self) -> None:
        self.assigned += 1
        self.reached = {PLACE: self.start}

    def stale(self) -> bool:
        answer = self.stales.pop(0) if self.stales else False
        if isinstance(answer, Exception):
            raise answer
        return answer

    def read(self, _most: int, _timeout: float) -> list[tuple[Log, Message]]:
        at = self.reached[PLACE]
        if at == len(self.values):
            self.stop.set()
            return []
        self.reached[PLACE] = at + 1
        return [(PLACE, Message(at, self.values[at]))]


@dataclass
class Tables:
    """A writer that notes the order of what is asked of it, and fails when it is told to."""

    failures: list[Exception] = field(default_factory=list)
    unfit: list[Unfit] = field(default_factory=list)
    noted: list[tuple[str, Any]] = field(default_factory=list)
    next: dict[Log, int] = field(default_factory=dict)
    epochs: dict[tuple[str, str], int] = field(default_factory=dict)

    def begin(self, topic: str, topic_id: str) -> None:
        self.epochs[topic, topic_id] = 0

    def write(self, rows: Rows, batch: str) -> list[Unfit]:
        self.noted.append(("write", batch))
        if self.failures:
            raise self.failures.pop(0)
        self.noted.append(("rows", [row[0] for row in rows["steps"]]))
        return self.unfit

    def settle(self, reached: dict[Log, int]) -> None:
        self.noted.append(("settle", dict(reached)))
        self.next.update(reached)


def number(place: Place, _key: Any, value: bytes | None, _headers: Any, rows: Rows) -> None:
    rows["steps"].append((int(value or b""), place.offset))


def json_or_not(value: bytes) -> bytes:
    return value


Make = Callable[..., tuple[Sink, Tape, Tables, list[DeadLetter]]]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    def made(*values: bytes | None, mapper: Any = number, **more: Any) -> Any:
        tape = Tape(list(values), threading.Event(), **more)
        tables = Tables()
        letters: list[DeadLetter] = []
        codec = Codec()
        monkeypatch.setattr(codec, "as_json", json_or_not)
        sink = Sink(tape, tables, codec, letters.append, {"t": mapper})  # type: ignore[arg-type]
        return sink, tape, tables, letters

    return made


def test_rows_are_in_before_it_is_written_down_that_they_are(make: Make) -> None:
    sink, tape, tables, _ = make(b"1", b"2", b"3")
    sink.run(tape.stop)
    assert [what for what, _ in tables.noted] == ["write", "rows", "settle"]
    assert tables.noted[1:] == [("rows", [1, 2, 3]), ("settle", {PLACE: 3})]
    assert sink.positions() == {"t": {"0": 3}}
    assert sink.counts.records == sink.counts.rows == 3


def test_a_database_that_is_away_is_asked_again_with_the_same_batch(make: Make) -> None:
    sink, tape, tables, _ = make(b"1")
    tables.failures = [HistoryUnavailable("away")]
    tape.assign()
    tables.begin("t", "one")
    for place, message in tape.read(1, 0):
        sink._take(place, message, tape.stop)  # type: ignore[arg-type]
    sink._patiently(sink.flush, tape.stop)
    assert [what for what, _ in tables.noted] == ["write", "write", "rows", "settle"]
    assert tables.noted[0] == tables.noted[1]


def test_what_could_not_be_written_by_the_stop_is_left_for_the_next_start(make: Make) -> None:
    sink, tape, tables, _ = make(b"1")
    tables.failures = [HistoryUnavailable("away")] * 2
    sink.run(tape.stop)
    assert "settle" not in dict(tables.noted)
    assert sink.positions() == {"t": {"0": 0}}


def test_nothing_read_is_kept_when_the_topic_turns_out_to_be_another(make: Make) -> None:
    sink, tape, tables, _ = make(b"1", b"2", stales=[True])
    tape.assign()
    tables.begin("t", "one")
    for place, message in tape.read(1, 0):
        sink._take(place, message, tape.stop)  # type: ignore[arg-type]
    sink.flush()
    assert tape.assigned == 2
    assert not tables.noted
    sink.run(tape.stop)
    assert tables.noted[1:] == [("rows", [1, 2]), ("settle", {PLACE: 2})]


def test_a_broker_that_does_not_answer_keeps_the_batch_waiting(make: Make) -> None:
    sink, tape, tables, _ = make(b"1", stales=[BrokerUnavailable("away")])
    tape.assign()
    tables.begin("t", "one")
    for place, message in tape.read(1, 0):
        sink._take(place, message, tape.stop)  # type: ignore[arg-type]
    with pytest.raises(BrokerUnavailable):
        sink.flush()
    assert not tables.noted
    sink.flush()
    assert tables.noted[1:] == [("rows", [1]), ("settle", {PLACE: 1})]


def test_an_unreadable_record_is_set_aside_with_its_bytes(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    sink, tape, tables, letters = make(b"1", b"x", None, b"4")
    sink.run(tape.stop)
    assert tables.noted[1] == ("rows", [1, 4])
    assert tables.next == {PLACE: 4}
    [letter] = letters
    assert (letter.value, letter.topic, letter.partition, letter.offset) == (b"x", "t", 0, 1)
    assert letter.reason == "history-unreadable"
    [line] = caplog.records
    assert about("t", 0, 1).items() <= vars(line).items()
    assert sink.counts.unreadable == 1


def test_a_dead_letter_is_never_set_aside_again(make: Make) -> None:
    sink, tape, tables, letters = make(b"\xff", mapper=dead_letter)
    tables.unfit = [Unfit("dead_letters", ("", 0, 0, "t", "one", 0, 0), "too odd")]
    sink.run(tape.stop)
    assert letters == []
    assert tables.next == {PLACE: 1}
    assert sink.counts.unreadable == 1


def test_a_row_that_no_table_takes_is_named(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    sink, tape, tables, letters = make(b"1")
    tables.unfit = [Unfit("steps", ("", 0, 1_000_000, "t", "one", 0, 0), "too large")]
    sink.run(tape.stop)
    assert (letters[0].reason, letters[0].error, letters[0].offset) == (
        "history-unfit",
        "steps: too large",
        0,
    )
    [line] = caplog.records
    assert about("t", 0, 0).items() <= vars(line).items()
    assert letters[0].time == "1970-01-01T00:00:01.000000Z"
