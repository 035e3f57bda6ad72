"""Large values are kept apart from the records that hold them: each under its hash, once.

So a record stays small however large the variables it passes on, a variable that ten tasks hold
is written once, and no step rewrites it.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import msgspec

from .records import Chunk, Execution, Record, Task

BULK = 16 * 1024
"""From this size of a value on, an execution's values are looked at one by one."""
APART = 2 * 1024
"""What is larger than this is then kept apart."""
MARK = "$apart"

EACH = {"input", "context", "published", "params", "inputs", "results"}
WHOLE = {"output", "result", "versions"}
FIELDS: dict[type, tuple[str, ...]] = {
    Execution: ("input", "context", "params", "output"),
    Task: ("context", "published", "result", "versions"),
    Chunk: ("inputs", "results"),
}

encoded = msgspec.json.encode


def split(record: Record) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The fields of ``record`` that change, with marks in the place of large values, and these by hash."""
    apart: dict[str, bytes] = {}
    changed: dict[str, Any] = {}
    for name in FIELDS[type(record)]:
        value = getattr(record, name)
        if value is None or value == {} or value == []:
            continue
        if name in WHOLE:
            kept = mark(value, apart)
        elif isinstance(value, dict):
            kept = {key: mark(item, apart) for key, item in value.items()}
        else:
            kept = [mark(item, apart) for item in value]
        changed[name] = kept
    return changed, apart


def mark(value: Any, apart: dict[str, bytes]) -> Any:
    """``value``, or a mark when it is put ``apart``."""
    kind = type(value)
    if value is None or kind is bool or kind is int or kind is float:
        return value
    text = encoded(value)
    # What looks like a mark itself is always put apart, so that a mark is never anything else.
    if len(text) <= APART and not (kind is dict and MARK in value):
        return value
    digest = blake2b(text, digest_size=16).hexdigest()
    apart[digest] = text
    return {MARK: digest}


def encode(record: Record) -> bytes:
    """``record`` with marks in the place of its large values."""
    changed, apart = split(record)
    if not apart:
        return encoded(record)
    return encoded(msgspec.structs.replace(record, **changed))


def join(record: Record, values: dict[str, Any]) -> set[str]:
    """Puts the values back in the place of the marks; returns the hashes that it met."""
    met: set[str] = set()

    def whole(value: Any) -> Any:
        if type(value) is dict and MARK in value:
            met.add(value[MARK])
            return values[value[MARK]]
        return value

    for name in FIELDS[type(record)]:
        value = getattr(record, name)
        if name in WHOLE:
            setattr(record, name, whole(value))
        elif isinstance(value, dict):
            setattr(record, name, {key: whole(item) for key, item in value.items()})
        elif isinstance(value, list):
            setattr(record, name, [whole(item) for item in value])
    return met


class Shelf:
    """What an execution keeps apart, and which of its records need it."""

    __slots__ = ("count", "needed", "values")

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.count: dict[str, int] = {}
        self.needed: dict[str, set[str]] = {}

    def update(self, key: str, values: dict[str, bytes]) -> set[str]:
        """Notes what the record ``key`` needs now; returns the hashes that came or went."""
        before = self.needed.get(key, set())
        after = set(values)
        turned: set[str] = set()
        for digest in after - before:
            self.count[digest] = self.count.get(digest, 0) + 1
            if self.count[digest] == 1:
                self.values[digest] = values[digest]
                turned.add(digest)
        for digest in before - after:
            self.count[digest] -= 1
            if not self.count[digest]:
                del self.count[digest], self.values[digest]
                turned.add(digest)
        if after:
            self.needed[key] = after
        else:
            self.needed.pop(key, None)
        return turned
