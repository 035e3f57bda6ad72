"""One partition of the executors' ledger: what has been promised, and what must happen next.

Pure: no Kafka, no clock. The host reads and writes, and keeps to this order:

1. ``restore`` with all that the ledger holds, after the former owner has been fenced;
2. ``receive`` each record of ``workflow.actions``;
3. ``plan`` what may be written now; write it in one transaction of the partition's owner;
4. only when Kafka has acknowledged that, ``commit`` it: start the entries that it returns,
   and let the position of ``workflow.actions`` be committed up to ``accepted``;
5. when an action ends, write its finished entry; only when that is acknowledged, ``ended``;
6. send what ``unsent`` returns; when that is acknowledged, ``reported``.

An effect therefore begins only after its start is on record, under a transactional id
that a later owner fences: two executors can never both start a run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from .entry import (
    VERSION,
    Entry,
    Reported,
    Work,
    accept,
    decode,
    decode_reported,
    encode,
    settle,
    start,
)

REPORTED = "#reported"
"""The key of the note up to which outcomes have been sent on; no id of an action begins so."""

SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Terms:
    """How long silence is borne and outcomes are remembered, in microseconds.

    ``grace`` is how long a new owner listens before it holds silence against anyone: an
    outage that kept everybody from writing must not look like the death of all. ``recent`` is
    how many outcomes are held in memory; older ones are known by their ids, and read again at need.
    ``runs`` is how often an action is begun at most, so that one that kills executors ends some day.
    """

    lease: int = 6 * SECOND
    renew: int = 2 * SECOND
    grace: int = 3 * SECOND
    keep: int = 7 * 24 * 3600 * SECOND
    note: int = 1 * SECOND
    recent: int = 10_000
    runs: int = 3


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction writes: ``entries``, of which those in ``starts`` are then run.

    ``accepted`` is the last offset of ``workflow.actions`` that it covers, ``floor`` an offset
    of the ledger that its records lie beyond, ``noted`` the note as it then stands.
    """

    records: list[tuple[str, bytes | None]]
    entries: list[Entry]
    starts: list[Entry]
    accepted: int
    floor: int
    noted: int


@dataclass(slots=True)
class Counts:
    """What has happened in this partition since this owner took it."""

    started: int = 0
    repeated: int = 0
    settled: int = 0
    rerun: int = 0


@dataclass(slots=True)
class Ledger:
    """The ledger of one partition in the eyes of ``executor``, a name that no other process ever bears.

    ``repeatable`` tells whether a piece of work may be run a second time for want of knowledge.
    """

    executor: str
    repeatable: Callable[[Work], bool]
    terms: Terms = field(default_factory=Terms)
    open: dict[str, Entry] = field(default_factory=dict)
    finished: dict[str, bytes | None] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    accepted: int = -1
    _since: int = 0
    _fresh: dict[str, Work] = field(default_factory=dict)
    _waiting: dict[str, None] = field(default_factory=dict)
    _foreign: dict[str, None] = field(default_factory=dict)
    _ages: deque[tuple[int, str]] = field(default_factory=deque)
    _recent: deque[str] = field(default_factory=deque)
    _faded: dict[str, None] = field(default_factory=dict)
    _unsent: dict[str, Entry] = field(default_factory=dict)
    _unreported: dict[str, int] = field(default_factory=dict)
    _offset: int = 0
    _tail: int = 0
    _noted: int = 0
    _noted_at: int = 0
    _received: int = -1

    def restore(self, records: Iterable[tuple[str, bytes | None, int]]) -> None:
        """Takes keys, values and offsets as the ledger holds them, in their order; may be called in parts.

        Raises ``CheckpointFailed`` when an entry cannot be read.
        """
        for key, value, offset in records:
            if key == REPORTED:
                if value is not None:
                    self._noted = max(self._noted, decode_reported(value).offset)
                    self._drop_reported()
                continue
            if self._take(key, value) and key in self.finished:
                self._unreported[key] = offset
            self._offset = self._tail = max(self._offset, offset + 1)

    def restored(self, now: int) -> None:
        """Called after the last of ``restore``: what was finished but perhaps never sent is sent again."""
        self._since = now
        self._noted_at = now
        self._drop_reported()
        for id_ in self._unreported:
            self._send_again(id_)

    @property
    def listening(self) -> bool:
        """Whether other executors may still write here: their renewals and outcomes must be heard."""
        return bool(self._foreign)

    @property
    def waiting(self) -> int:
        """How many actions have been taken but not begun."""
        return len(self._waiting) + len(self._fresh)

    def heard(self, key: str, value: bytes | None, offset: int) -> None:
        """Takes a record that came after the restore: another executor's renewal or outcome."""
        self._tail = max(self._tail, offset + 1)
        if key == REPORTED or value is None:
            return
        if self._take(key, value) and key in self.finished:
            entry = decode(value)
            if entry.executor != self.executor:
                # Its executor may die before it sends the outcome on; twice does no harm.
                self._unreported[key] = offset
                self._unsent[key] = entry

    def begin_at(self, position: int) -> None:
        """Says which offset of ``workflow.actions`` will be read first: all before it is in the ledger."""
        self._received = self.accepted = position - 1

    def receive(self, work: Work, offset: int) -> None:
        """Takes a record of ``workflow.actions``; work that is known already is not taken twice."""
        self._received = max(self._received, offset)
        if work.id in self.finished:
            self.counts.repeated += 1
            self._send_again(work.id)
        elif work.id in self.open or work.id in self._fresh:
            self.counts.repeated += 1
        else:
            self._fresh[work.id] = work

    def skip(self, offset: int) -> None:
        """Takes note of a record of ``workflow.actions`` that asks for nothing."""
        self._received = max(self._received, offset)

    def plan(self, now: int, slots: int) -> Batch | None:
        """What may be written now, with at most ``slots`` starts; None when there is nothing.

        One batch at a time: the next call comes after ``commit``, or after nothing was written.
        """
        entries: list[Entry] = []
        starts: list[Entry] = []

        def begin(entry: Entry) -> None:
            starts.append(start(entry, self.executor, now, self.terms.lease))

        for id_ in self._lapsed(now):
            entry = self.open[id_]
            may_repeat = entry.work.safe_rerun or self.repeatable(entry.work)
            if not may_repeat or entry.run >= self.terms.runs:
                entries.append(settle(entry))
            elif len(starts) < slots:
                begin(entry)
        for id_ in self._waiting:
            if len(starts) >= slots:
                break
            begin(self.open[id_])
        for work in self._fresh.values():
            if len(starts) < slots:
                begin(accept(work, now))
            else:
                entries.append(accept(work, now))
        entries += starts
        records: list[tuple[str, bytes | None]] = [(entry.work.id, encode(entry)) for entry in entries]
        records += [(id_, None) for id_ in self._expired(now)]
        note = self._note()
        if note > self._noted and now - self._noted_at >= self.terms.note:
            records.append((REPORTED, encode(Reported(VERSION, note))))
            self._noted_at = now
        else:
            note = self._noted
        if not records and self._received <= self.accepted:
            return None
        return Batch(records, entries, starts, self._received, self._offset, note)

    def commit(self, batch: Batch) -> list[Entry]:
        """Takes note that ``batch`` is on record; returns the entries to be run, now and by this host."""
        for entry in batch.entries:
            id_ = entry.work.id
            self._fresh.pop(id_, None)
            if self._put(entry) and entry.state == "FINISHED":
                self.counts.settled += 1
                self._unreported[id_] = batch.floor
                self._unsent[id_] = entry
            elif entry.state == "STARTED" and entry.run > 1:
                self.counts.rerun += 1
        for key, value in batch.records:
            if value is None:
                self.finished.pop(key, None)
        self.counts.started += len(batch.starts)
        self.accepted = max(self.accepted, batch.accepted)
        self._noted = batch.noted
        return batch.starts

    def ended(self, entry: Entry, offset: int) -> None:
        """Takes note that the finished ``entry`` stands on record at ``offset``, written by this process."""
        self._offset = max(self._offset, offset + 1)
        self._put(entry)
        self._unreported[entry.work.id] = offset
        self._unsent[entry.work.id] = entry

    def unsent(self) -> list[Entry]:
        """The finished entries whose outcome is to be sent; each is returned once."""
        found = list(self._unsent.values())
        self._unsent.clear()
        return found

    def faded(self) -> list[str]:
        """The ids whose outcomes are to be sent but must be read from the ledger; each is returned once."""
        found = list(self._faded)
        self._faded.clear()
        return found

    def recall(self, id_: str, value: bytes | None) -> None:
        """Takes what the ledger holds of an id that ``faded`` named."""
        if value is not None:
            self._unsent[id_] = decode(value)

    def reported(self, id_: str) -> None:
        """Takes note that the outcome of ``id_`` has been acknowledged where it was sent."""
        self._unreported.pop(id_, None)

    def _take(self, key: str, value: bytes | None) -> bool:
        if value is None:
            self.finished.pop(key, None)
            self._forget(key)
            return True
        return self._put(decode(value), value)

    def _put(self, entry: Entry, value: bytes | None = None) -> bool:
        """Keeps ``entry`` unless more is known already; returns whether it was news."""
        id_ = entry.work.id
        if id_ in self.finished:
            return False
        known = self.open.get(id_)
        if entry.state == "FINISHED":
            self._forget(id_)
            self.finished[id_] = encode(entry) if value is None else value
            self._ages.append((entry.at, id_))
            self._recent.append(id_)
            if len(self._recent) > self.terms.recent:
                old = self._recent.popleft()
                if old in self.finished:
                    self.finished[old] = None
            return True
        if known is not None and (known.run, known.lease) >= (entry.run, entry.lease):
            return False
        self._forget(id_)
        self.open[id_] = entry
        if entry.state == "ACCEPTED":
            self._waiting[id_] = None
        elif entry.executor != self.executor:
            self._foreign[id_] = None
        return True

    def _send_again(self, id_: str) -> None:
        value = self.finished[id_]
        if value is None:
            self._faded[id_] = None
        else:
            self._unsent[id_] = decode(value)

    def _drop_reported(self) -> None:
        self._unreported = {id_: at for id_, at in self._unreported.items() if at >= self._noted}

    def _forget(self, id_: str) -> None:
        self.open.pop(id_, None)
        self._waiting.pop(id_, None)
        self._foreign.pop(id_, None)

    def _lapsed(self, now: int) -> list[str]:
        if not self._foreign or now < self._since + self.terms.grace:
            return []
        return [id_ for id_ in self._foreign if self.open[id_].lease <= now]

    def _expired(self, now: int) -> list[str]:
        gone: list[str] = []
        while self._ages and self._ages[0][0] + self.terms.keep <= now:
            _, id_ = self._ages.popleft()
            if id_ in self.finished and id_ not in self._unreported:
                gone.append(id_)
        return gone

    def _note(self) -> int:
        """Before which offset all outcomes have been sent on, as far as can be known."""
        seen = min(self._offset, self._tail) if self._foreign else self._offset
        return min([seen, *self._unreported.values()])
