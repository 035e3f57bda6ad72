"""What makes a step whole or nothing: every change of state notes how to take it back."""

from __future__ import annotations

from typing import Any

_ABSENT: Any = object()


class Undo:
    """The changes of one step, newest last.

    All state below a shard is changed through these methods only, so that
    ``rollback`` after any exception leaves it as it was before the step.
    """

    __slots__ = ("log",)

    def __init__(self) -> None:
        self.log: list[tuple[Any, ...]] = []

    def set(self, thing: Any, field: str, value: Any) -> None:
        """``thing.field = value``."""
        self.log.append((setattr, thing, field, getattr(thing, field)))
        setattr(thing, field, value)

    def put(self, mapping: dict[Any, Any], key: Any, value: Any) -> None:
        """``mapping[key] = value``."""
        old = mapping.get(key, _ABSENT)
        if old is _ABSENT:
            self.log.append((mapping.pop, key))
        else:
            self.log.append((mapping.__setitem__, key, old))
        mapping[key] = value

    def drop(self, mapping: dict[Any, Any], key: Any) -> None:
        """``mapping.pop(key, None)``."""
        old = mapping.pop(key, _ABSENT)
        if old is not _ABSENT:
            self.log.append((mapping.__setitem__, key, old))

    def call(self, action: Any, *arguments: Any) -> None:
        """Something was done that ``action(*arguments)`` takes back."""
        self.log.append((action, *arguments))

    def rollback(self) -> None:
        """Takes back every change since the start, newest first."""
        for action, *arguments in reversed(self.log):
            action(*arguments)
        self.log.clear()
