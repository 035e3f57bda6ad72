"""Sets for YAQL that are walked in one order, in whatever process: Python's own follow a random hash."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from yaql.language import specs, yaqltypes


class Ordered(frozenset[Any]):
    """A set that is walked in the order of how its members are written."""

    def __iter__(self) -> Iterator[Any]:
        return iter(sorted(super().__iter__(), key=repr))

    def __repr__(self) -> str:
        return f"{{{', '.join(map(repr, self))}}}"

    def union(self, *others: Iterable[Any]) -> Ordered:
        return Ordered(super().union(*others))

    def intersection(self, *others: Iterable[Any]) -> Ordered:
        return Ordered(super().intersection(*others))

    def difference(self, *others: Iterable[Any]) -> Ordered:
        return Ordered(super().difference(*others))

    def symmetric_difference(self, other: Iterable[Any]) -> Ordered:
        return Ordered(super().symmetric_difference(other))


@specs.method
@specs.parameter("collection", yaqltypes.Iterable())
@specs.name("toSet")
def to_set(collection):  # type: ignore[no-untyped-def]
    return Ordered(collection)


@specs.name("characters")
def characters(  # type: ignore[no-untyped-def]
    digits=False, hexdigits=False, ascii_lowercase=False, ascii_uppercase=False, ascii_letters=False,
    octdigits=False, punctuation=False, printable=False, lowercase=False, uppercase=False, whitespace=False,
):  # fmt: skip
    import string

    wanted = {
        string.digits: digits,
        string.hexdigits: hexdigits,
        string.ascii_lowercase: ascii_lowercase or lowercase,
        string.ascii_uppercase: ascii_uppercase or uppercase,
        string.ascii_letters: ascii_letters,
        string.octdigits: octdigits,
        string.punctuation: punctuation,
        string.printable: printable,
        string.whitespace: whitespace,
    }
    return tuple(sorted({each for letters, asked in wanted.items() if asked for each in letters}))


def register(context: Any) -> None:
    """Puts these in the place of YAQL's own."""
    context.register_function(to_set, exclusive=True)
    context.register_function(characters, exclusive=True)
