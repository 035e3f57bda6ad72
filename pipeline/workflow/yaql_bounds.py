"""Operations of YAQL whose result can be far larger than what they are given, with a look at it first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yaql.language import specs, yaqltypes

from pipeline.errors import ExpressionError

BITS = 100_000
LONGEST = 4 * 1024 * 1024


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
    for function in (multiplication, power, shift_left, replace, replace_all, join, join_by):
        context.register_function(function)
