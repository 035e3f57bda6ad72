from __future__ import annotations

import pytest

from pipeline.errors import InvalidRecord
from pipeline.kafka.deadletter import LONGEST_ERROR, DeadLetter, read

LETTER = DeadLetter(b"\xff", b"key", "not-json", "expected JSON", "alarms.raw", 3, 42, "2026-01-05")


def test_a_letter_is_read_from_its_own_headers() -> None:
    assert read(LETTER.value, LETTER.key, LETTER.headers()) == LETTER
    names = [name for name, _ in LETTER.headers()]
    assert names == ["reason", "error", "topic", "partition", "offset", "time"]


def test_a_long_error_is_cut() -> None:
    letter = DeadLetter(None, None, "r", "e" * 10_000, "t", 0, 0, "")
    assert len(dict(letter.headers())["error"]) == LONGEST_ERROR


@pytest.mark.parametrize("headers", [[], [("reason", b"r")], [(name, b"x") for name, _ in LETTER.headers()]])
def test_other_records_are_no_letters(headers: list[tuple[str, bytes]]) -> None:
    with pytest.raises(InvalidRecord, match="without its header"):
        read(b"", None, headers)
