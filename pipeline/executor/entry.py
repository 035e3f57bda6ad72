"""Entries of the executors' ledger: what is known of one action, from accepted to finished.

No clock and no Kafka: times are microseconds that the host passes in.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

from ..errors import CheckpointFailed, InvalidRecord
from ..events import Output
from ..ids import identify
from ..times import rfc3339

VERSION = 1
LIMIT = 900_000
"""The greatest size of a result in bytes; Kafka takes no record much larger."""

State = Literal["ACCEPTED", "STARTED", "FINISHED"]


class Work(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record of ``workflow.actions``; ``id`` is the action execution's.

    ``defaults`` holds what the execution says once for all its actions, such as its ``cloud``:
    each is an input of every action that has one of that name and was not given it.
    """

    id: str
    root: str
    execution: str
    task: str
    action: str
    time: str = ""
    task_name: str = ""
    workflow: str = ""
    input: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    safe_rerun: bool = False
    attempt: int = 1
    index: int | None = None
    timeout: float | None = None


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """How an action ended; ``PENDING``: its result comes later, from elsewhere.

    ``refused``: nothing was done, for there is no such action or it does not take such input.
    """

    state: Literal["SUCCESS", "ERROR", "CANCELLED", "PENDING"]
    result: Any = None
    refused: bool = False


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the ledger says of one action.

    ``run`` counts the starts, ``executor`` made the last of them and says until when
    (``lease``) its silence means nothing. ``settled``: the outcome is not the action's own
    word but what was concluded from that silence.
    """

    v: int
    state: State
    work: Work
    at: int
    run: int = 0
    executor: str = ""
    started: int = 0
    lease: int = 0
    outcome: Outcome | None = None
    settled: bool = False


class Reported(msgspec.Struct, frozen=True):
    """The ledger's note that every outcome before ``offset`` has been sent on."""

    v: int
    offset: int


Kept = TypeVar("Kept", Entry, Reported)

_work = msgspec.json.Decoder(Work)
_entry = msgspec.json.Decoder(Entry)
_reported = msgspec.json.Decoder(Reported)
_encoder = msgspec.json.Encoder()


def decode_work(value: bytes | None) -> Work:
    """The work that a record of ``workflow.actions`` asks for.

    Raises ``InvalidRecord`` when it is none.
    """
    if value is None:
        raise InvalidRecord("null", "the record has no value")
    try:
        return _work.decode(value)
    except msgspec.ValidationError as error:
        raise InvalidRecord("bad-type", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRecord("not-json", str(error)) from None


def encode(entry: Entry | Reported) -> bytes:
    """The entry as it is kept."""
    return _encoder.encode(entry)


def decode(value: bytes) -> Entry:
    """The entry that ``encode`` made. Raises ``CheckpointFailed`` when it cannot be read."""
    return _decode(_entry, value)


def decode_reported(value: bytes) -> Reported:
    """The note that ``encode`` made. Raises ``CheckpointFailed`` when it cannot be read."""
    return _decode(_reported, value)


def accept(work: Work, now: int) -> Entry:
    """``work`` as taken on: from here on the ledger, not the topic, remembers it."""
    return Entry(VERSION, "ACCEPTED", work, now)


def start(entry: Entry, executor: str, now: int, lease: int) -> Entry:
    """``entry`` as about to run for the first time, or once more."""
    return msgspec.structs.replace(
        entry, state="STARTED", executor=executor, run=entry.run + 1, started=now, lease=now + lease, at=now
    )


def renew(entry: Entry, now: int, lease: int) -> Entry:
    """``entry`` with a lease from ``now``."""
    return msgspec.structs.replace(entry, lease=now + lease)


def finish(entry: Entry, outcome: Outcome, now: int) -> Entry:
    """``entry`` with its outcome; an outcome too large to be sent becomes an error."""
    try:
        size = len(_encoder.encode(outcome))
    except (TypeError, ValueError) as error:
        outcome = Outcome("ERROR", f"the result cannot be written as JSON: {error}")
    else:
        if size > LIMIT:
            outcome = Outcome("ERROR", f"the result has {size} bytes; the limit is {LIMIT}")
    return msgspec.structs.replace(
        entry, state="FINISHED", work=_remembered(entry.work), outcome=outcome, at=now
    )


def settle(entry: Entry) -> Entry:
    """``entry`` as given up: its executor fell silent, and whether it acted cannot be known."""
    outcome = Outcome("ERROR", "outcome unknown")
    return msgspec.structs.replace(
        entry, state="FINISHED", work=_remembered(entry.work), outcome=outcome, at=entry.lease, settled=True
    )


def report(entry: Entry) -> Output | None:
    """The RESULT command of a finished entry; None where the result comes from elsewhere.

    Sent again it is the same record with the same id.
    """
    work, outcome = entry.work, entry.outcome
    if outcome is None or outcome.state == "PENDING":
        return None
    # Two runs of one action may both report; whoever reads takes the first and must tell them apart.
    id_ = identify("result", work.id, entry.run, "settled" if entry.settled else "own")
    time = rfc3339(entry.at)
    value = {
        "id": id_,
        "time": time,
        "command": "RESULT",
        "root": work.root,
        "execution": work.execution,
        "task": work.task,
        "action": work.id,
        "state": outcome.state,
        "result": outcome.result,
        "started_at": rfc3339(entry.started),
        "by": {"executor": entry.executor},
    }
    if outcome.refused:
        value["refused"] = True
    return Output(topic="workflow.commands", key=work.root, id=id_, time=time, value=value)


def _remembered(work: Work) -> Work:
    # A finished action is not run again: its input, the largest part, need not be kept for days.
    return msgspec.structs.replace(work, input={}, defaults={})


def _decode(decoder: msgspec.json.Decoder[Kept], value: bytes) -> Kept:
    try:
        found = decoder.decode(value)
    except msgspec.DecodeError as error:
        raise CheckpointFailed(f"the executors' ledger holds what cannot be read: {error}") from None
    if found.v > VERSION:
        raise CheckpointFailed(
            f"the executors' ledger was written by a newer Faultline (format {found.v}); upgrade this one"
        )
    return found
