"""A mapping of one entry: most vertices have one edge, and a dict is dear for that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar, overload

K = TypeVar("K")
V = TypeVar("V")


class Single(Generic[K, V]):
    """Answers as a dict with one entry would; it is replaced by one when a second comes."""

    __slots__ = ("key", "value")

    def __init__(self, key: K, value: V) -> None:
        self.key = key
        self.value = value

    @overload
    def get(self, key: K) -> V | None: ...
    @overload
    def get(self, key: K, default: Any) -> Any: ...
    def get(self, key: K, default: Any = None) -> Any:
        return self.value if key == self.key else default

    def __getitem__(self, key: K) -> V:
        if key == self.key:
            return self.value
        raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return key == self.key

    def __iter__(self) -> Iterator[K]:
        return iter((self.key,))

    def __len__(self) -> int:
        return 1

    def items(self) -> tuple[tuple[K, V]]:
        return ((self.key, self.value),)

    def values(self) -> tuple[V]:
        return (self.value,)


Few = dict[K, V] | Single[K, V]
