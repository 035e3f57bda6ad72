"""Entries as they are kept and reported."""

from __future__ import annotations

import pytest

from pipeline.errors import InvalidRecord
from pipeline.executor.entry import (
    LIMIT,
    Entry,
    Outcome,
    Work,
    accept,
    decode,
    decode_work,
    encode,
    finish,
    report,
    settle,
    start,
)

WORK = Work(id="a", root="r", execution="e", task="t", action="std.http", input={"url": "u"}, safe_rerun=True)
STARTED = start(accept(WORK, 1), "x", 5_000_000, 10)


def test_a_kept_entry_is_read_back() -> None:
    assert decode(encode(STARTED)) == STARTED


def test_a_stored_entry_of_the_first_format_is_still_read() -> None:
    stored = (
        b'{"v":1,"state":"STARTED","work":{"id":"a","root":"r","execution":"e","task":"t","action":"std.http",'
        b'"input":{"url":"u"},"safe_rerun":true},"at":5000000,"run":1,"executor":"x","started":5000000,'
        b'"lease":5000010}'
    )
    assert decode(stored) == STARTED


def test_a_report_names_whom_it_concerns_and_is_the_same_each_time() -> None:
    done = finish(STARTED, Outcome("SUCCESS", {"status": 200}), 6_000_000)
    output = report(done)
    assert output is not None
    assert (output.topic, output.key) == ("workflow.commands", "r")
    assert output.value == {
        "id": output.id,
        "time": "1970-01-01T00:00:06.000000Z",
        "command": "RESULT",
        "root": "r",
        "execution": "e",
        "task": "t",
        "action": "a",
        "state": "SUCCESS",
        "result": {"status": 200},
        "started_at": "1970-01-01T00:00:05.000000Z",
        "by": {"executor": "x"},
    }
    assert report(decode(encode(done))) == output


def test_the_word_of_the_action_and_what_its_silence_was_taken_for_are_two_records() -> None:
    own, settled = report(finish(STARTED, Outcome("SUCCESS"), 6)), report(settle(STARTED))
    assert own is not None
    assert settled is not None
    assert own.id != settled.id
    assert settled.value["result"] == "outcome unknown"


def test_what_comes_later_by_another_is_not_reported() -> None:
    assert report(finish(STARTED, Outcome("PENDING"), 6)) is None


@pytest.mark.parametrize(
    ("result", "expected"), [("x" * LIMIT, "the limit is 900000"), (object(), "cannot be written as JSON")]
)
def test_a_result_that_cannot_be_sent_is_an_error(result: object, expected: str) -> None:
    outcome = finish(STARTED, Outcome("SUCCESS", result), 6).outcome
    assert outcome is not None
    assert outcome.state == "ERROR"
    assert expected in outcome.result


def test_a_finished_entry_does_not_keep_its_input() -> None:
    assert finish(STARTED, Outcome("SUCCESS"), 6).work.input == {}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "null"),
        (b"\xff", "not-json"),
        (b"{", "not-json"),
        (b"[]", "bad-type"),
        (b'{"id":"a"}', "bad-type"),
        (b'{"id":1,"root":"r","execution":"e","task":"t","action":"a"}', "bad-type"),
    ],
)
def test_what_is_no_work_is_refused_with_its_reason(value: bytes | None, reason: str) -> None:
    with pytest.raises(InvalidRecord) as caught:
        decode_work(value)
    assert caught.value.reason == reason


def test_unknown_fields_of_work_are_no_error() -> None:
    found = decode_work(b'{"id":"a","root":"r","execution":"e","task":"t","action":"x","later":1}')
    assert found == Work(id="a", root="r", execution="e", task="t", action="x")


def test_a_restart_of_an_entry_is_another_run() -> None:
    again = start(STARTED, "y", 20, 10)
    assert isinstance(again, Entry)
    assert (again.run, again.executor, again.lease) == (2, "y", 30)
