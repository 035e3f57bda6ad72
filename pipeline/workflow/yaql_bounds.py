"""Operations of YAQL whose result can be far larger than what they are given, with a look at it first."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from yaql.language import specs, yaqltypes

from pipeline.errors import ExpressionError

from .values import weigh

BITS = 100_000
LONGEST = 1024 * 1024
MOST = 100_000
HEAVIEST = 200_000


def short(length: int) -> None:
    """Raises ``ExpressionError`` when a text would become too long."""
    if length > LONGEST:
        raise ExpressionError(f"a text of {length} characters is too long; {LONGEST} are allowed")


def small(bits: float) -> None:
    """Raises ``ExpressionError`` when a number would become too large."""
    if bits > BITS:
        raise ExpressionError(f"a number of {bits:.0f} bits is too large; {BITS} are allowed")


@specs.parameter("left", yaqltypes.Number())
@specs.parameter("right", yaqltypes.Number())
@specs.name("#operator_*")
def multiplication(left, right):  # type: ignore[no-untyped-def]
    if isinstance(left, int) and isinstance(right, int):
        small(left.bit_length() + right.bit_length())
    return left * right


@specs.parameter("a", yaqltypes.Number())
@specs.parameter("b", yaqltypes.Number())
@specs.parameter("c", yaqltypes.Number(nullable=True))
@specs.name("pow")
def power(a, b, c=None):  # type: ignore[no-untyped-def]
    if isinstance(a, int) and isinstance(b, int):
        # With a modulus the time still grows with the exponent's own length.
        small(a.bit_length() * abs(b) if c is None else b.bit_length() * 100)
    return pow(a, b, c)


@specs.parameter("value", int)
@specs.parameter("bits_number", int)
@specs.name("shiftBitsLeft")
def shift_left(value, bits_number):  # type: ignore[no-untyped-def]
    small(value.bit_length() + bits_number)
    return value << bits_number


@specs.parameter("string", yaqltypes.String())
@specs.parameter("old", yaqltypes.String())
@specs.parameter("new", yaqltypes.String())
@specs.parameter("count", int)
@specs.method
@specs.name("replace")
def replace(string, old, new, count=-1):  # type: ignore[no-untyped-def]
    return replaced(string, old, new, count)


@specs.parameter("string", yaqltypes.String())
@specs.parameter("replacements", Mapping)
@specs.parameter("count", int)
@specs.inject("str_func", yaqltypes.Delegate("str"))
@specs.method
@specs.name("replace")
def replace_all(string, str_func, replacements, count=-1):  # type: ignore[no-untyped-def]
    for old, new in replacements.items():
        string = replaced(string, str_func(old), str_func(new), count)
    return string


@specs.parameter("sequence", yaqltypes.Iterable())
@specs.parameter("separator", yaqltypes.String())
@specs.inject("str_func", yaqltypes.Delegate("str"))
@specs.method
@specs.name("join")
def join(sequence, separator, str_func):  # type: ignore[no-untyped-def]
    return joined(separator, sequence, str_func)


@specs.parameter("sequence", yaqltypes.Iterable())
@specs.parameter("separator", yaqltypes.String())
@specs.inject("str_func", yaqltypes.Delegate("str"))
@specs.method
@specs.name("join")
def join_by(separator, sequence, str_func):  # type: ignore[no-untyped-def]
    return joined(separator, sequence, str_func)


@specs.parameter("start", int)
@specs.parameter("step", int)
@specs.name("sequence")
def sequence(start=0, step=1):  # type: ignore[no-untyped-def]
    return ending(itertools.count(start, step))


@specs.parameter("value", nullable=True)
@specs.parameter("times", int)
@specs.method
@specs.name("repeat")
def repeat(value, times=-1):  # type: ignore[no-untyped-def]
    return ending(itertools.repeat(value) if times < 0 else itertools.repeat(value, times))


@specs.parameter("collection", yaqltypes.Iterable())
@specs.method
@specs.name("cycle")
def cycle(collection):  # type: ignore[no-untyped-def]
    return ending(itertools.cycle(collection))


@specs.parameter("collection1", yaqltypes.Iterable())
@specs.parameter("collection2", yaqltypes.Iterable())
@specs.parameter("predicate", yaqltypes.Lambda())
@specs.parameter("selector", yaqltypes.Lambda())
@specs.method
@specs.name("join")
def join_pairs(collection1, collection2, predicate, selector):  # type: ignore[no-untyped-def]
    inner = list(collection2)
    for one, other in ending(itertools.product(collection1, inner)):
        if predicate(one, other):
            yield selector(one, other)


@specs.parameter("value", nullable=True)
@specs.name("str")
def shown(value):  # type: ignore[no-untyped-def]
    weigh(value, HEAVIEST)
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def ending(items: Iterator[Any]) -> Iterator[Any]:
    """The items of what may have no end, up to an error: who looks for one that never comes looks no more."""
    for count, item in enumerate(items):
        if count >= MOST:
            raise ExpressionError(f"more than {MOST} items or pairs of them")
        yield item


def replaced(text: str, old: str, new: str, count: int) -> str:
    """``text`` with ``new`` for ``old``, if that is not too long."""
    times = text.count(old) if old else len(text) + 1
    short(len(text) + (times if count < 0 else min(times, count)) * len(new))
    return text.replace(old, new, count)


def joined(separator: str, sequence: Any, str_func: Any) -> str:
    """The items as one text, if that is not too long."""
    parts: list[str] = []
    length = 0
    for item in sequence:
        parts.append(str_func(item))
        length += len(parts[-1]) + len(separator)
        short(length)
    return separator.join(parts)


def register(context: Any) -> None:
    """Puts these before YAQL's own."""
    for function in (multiplication, power, shift_left, replace, replace_all, join, join_by, join_pairs):
        context.register_function(function)
    for function in (sequence, repeat, cycle, shown):
        context.register_function(function, exclusive=True)
