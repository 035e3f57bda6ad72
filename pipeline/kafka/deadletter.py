"""Records of ``dead.letters``: the original bytes, with where they stood and what was wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import InvalidRecord

DEAD_LETTERS = "dead.letters"
#: An error may quote what it found; headers count towards Kafka's limit on a record.
LONGEST_ERROR = 1_000

Headers = list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record that could not be read or applied."""

    value: bytes | None
    key: bytes | None
    reason: str
    error: str
    topic: str
    partition: int
    offset: int
    time: str

    def headers(self) -> Headers:
        """What travels beside the original bytes."""
        return [
            ("reason", self.reason.encode()),
            ("error", self.error[:LONGEST_ERROR].encode("utf-8", "replace")),
            ("topic", self.topic.encode()),
            ("partition", b"%d" % self.partition),
            ("offset", b"%d" % self.offset),
            ("time", self.time.encode()),
        ]


def read(value: bytes | None, key: bytes | None, headers: Sequence[tuple[str, bytes]]) -> DeadLetter:
    """The dead letter of a record of ``dead.letters``. Raises ``InvalidRecord`` when it is none."""
    given = {name: (text or b"").decode("utf-8", "replace") for name, text in headers}
    try:
        return DeadLetter(
            value,
            key,
            given["reason"],
            given["error"],
            given["topic"],
            int(given["partition"]),
            int(given["offset"]),
            given.get("time", ""),
        )
    except (KeyError, ValueError) as error:
        raise InvalidRecord("bad-letter", f"a dead letter without its header {error}") from error
