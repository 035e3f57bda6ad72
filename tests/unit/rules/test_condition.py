"""Conditions: what can be read, and the clauses that come of it."""

from __future__ import annotations

import pytest

from pipeline.rules.condition import ConditionError, Link, Literal, Name, clauses, parse


def spelled(text: str) -> list[str]:
    """The clauses of a condition, short: ``a b[on]c !d[on]e``."""
    return [" ".join(_short(literal) for literal in clause) for clause in clauses(parse(text))]


def _short(literal: Literal) -> str:
    term = literal.term
    word = term.name if isinstance(term, Name) else f"{term.source}[{term.label}]{term.target}"
    return word if literal.positive else f"!{word}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("host", ["host"]),
        ("a [on] host", ["a[on]host"]),
        ("a[on]host", ["a[on]host"]),
        ("a [ on ] host", ["a[on]host"]),
        ("a AND b", ["a b"]),
        ("a and b", ["a b"]),
        ("a or b", ["a", "b"]),
        ("a OR b and c", ["a", "b c"]),
        ("(a or b) and c", ["a c", "b c"]),
        ("(a OR b)AND(c OR d)", ["a c", "a d", "b c", "b d"]),
        ("a and not b", ["a !b"]),
        ("(not a)and b", ["!a b"]),
        ("not (a or b)", ["!a !b"]),
        ("not (a and b)", ["!a", "!b"]),
        ("not not a", ["a"]),
        ("NOT a [on] b AND c", ["!a[on]b c"]),
        ("((a))", ["a"]),
        ("a and a", ["a"]),
        ("E and I and S and lambda", ["E I S lambda"]),
        ("host_1 [contains] test.in-2", ["host_1[contains]test.in-2"]),
    ],
)
def test_reads(text: str, expected: list[str]) -> None:
    assert spelled(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "and",
        "a and",
        "a b",
        "a [on]",
        "[on] b",
        "(a",
        "a)",
        "a [on b",
        "a [o n] b",
        "not",
        "a or or b",
        "()",
    ],
)
def test_refuses(text: str) -> None:
    with pytest.raises(ConditionError):
        parse(text)


def test_a_link_is_kept_as_it_is() -> None:
    assert parse("a [on] b") == Link("a", "on", "b")


def test_too_many_alternatives_are_refused() -> None:
    text = " and ".join(f"(a{number} or b{number})" for number in range(12))
    with pytest.raises(ConditionError, match="alternatives"):
        clauses(parse(text))
