"""Conditions: AND, OR, NOT over entities and relationships, brought into clauses.

The text is read by a small parser of our own: names are never evaluated, so ``E``,
``S`` or ``lambda`` are just names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_CLAUSES = 256
_TOKEN = re.compile(r"\s*(?:([()])|\[\s*([^\[\]]*?)\s*\]|([^\s()\[\]]+))")
_OPERATORS = {"and": "and", "AND": "and", "or": "or", "OR": "or", "not": "not", "NOT": "not"}


class ConditionError(ValueError):
    """Raised when a condition cannot be read; the message says where and what instead."""


@dataclass(frozen=True, slots=True)
class Name:
    """One word: an entity's or (versions 1 and 2) a relationship's id."""

    name: str


@dataclass(frozen=True, slots=True)
class Link:
    """``source [label] target`` between entity ids."""

    source: str
    label: str
    target: str

    def __str__(self) -> str:
        return f"{self.source} [{self.label}] {self.target}"


@dataclass(frozen=True, slots=True)
class Not:
    term: Expression


@dataclass(frozen=True, slots=True)
class And:
    terms: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    terms: tuple[Expression, ...]


Term = Name | Link
Expression = Term | Not | And | Or


@dataclass(frozen=True, slots=True)
class Literal:
    """A term that must hold, or (``positive`` false) for which there must be none."""

    term: Term
    positive: bool


def parse(text: str) -> Expression:
    """The expression that ``text`` spells. Raises ``ConditionError``."""
    tokens = _tokens(text)
    expression, rest = _either(tokens, 0)
    if rest < len(tokens):
        kind, value = tokens[rest]
        shown = f"[{value}]" if kind == "label" else value
        if kind == "word" and value.lower() in _OPERATORS:
            raise ConditionError(f"{value!r} in the condition: write {value.upper()} or {value.lower()}")
        if kind == "operator":
            raise ConditionError("NOT follows a term in the condition; write AND NOT")
        if value == ")":
            raise ConditionError("a bracket ) in the condition was never opened")
        raise ConditionError(f"unexpected {shown!r} in the condition; join terms with AND or OR")
    return expression


def clauses(expression: Expression) -> list[tuple[Literal, ...]]:
    """The disjunctive normal form: one clause or more, each a conjunction of literals.

    Raises ``ConditionError`` when there would be more than ``MAX_CLAUSES``.
    """
    return _normal(expression, True)


def names(expression: Expression) -> Iterator[Term]:
    """Every term, in the order of the text."""
    if isinstance(expression, Name | Link):
        yield expression
    elif isinstance(expression, Not):
        yield from names(expression.term)
    else:
        for term in expression.terms:
            yield from names(term)


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise ConditionError(
                f"cannot read {text[at:].strip()[:20]!r} in the condition; is a bracket missing?"
            )
        bracket, label, word = found.groups()
        if bracket:
            tokens.append(("bracket", bracket))
        elif word:
            tokens.append(("operator", _OPERATORS[word]) if word in _OPERATORS else ("word", word))
        else:
            if not re.fullmatch(r"\w+", label):
                raise ConditionError(
                    f"[{label}] is not a relationship type: one word of letters, digits and _"
                )
            tokens.append(("label", label))
        at = found.end()
    return tokens


def _either(tokens: list[tuple[str, str]], at: int) -> tuple[Expression, int]:
    terms: list[Expression] = []
    while True:
        term, at = _both(tokens, at)
        terms.append(term)
        if at >= len(tokens) or tokens[at] != ("operator", "or"):
            return (terms[0] if len(terms) == 1 else Or(tuple(terms))), at
        at += 1


def _both(tokens: list[tuple[str, str]], at: int) -> tuple[Expression, int]:
    terms: list[Expression] = []
    while True:
        term, at = _operand(tokens, at)
        terms.append(term)
        if at >= len(tokens) or tokens[at] != ("operator", "and"):
            return (terms[0] if len(terms) == 1 else And(tuple(terms))), at
        at += 1


def _operand(tokens: list[tuple[str, str]], at: int) -> tuple[Expression, int]:
    if at >= len(tokens):
        raise ConditionError("the condition ends where an entity or relationship should stand")
    kind, value = tokens[at]
    if (kind, value) == ("operator", "not"):
        term, at = _operand(tokens, at + 1)
        return Not(term), at
    if (kind, value) == ("bracket", "("):
        inner, at = _either(tokens, at + 1)
        if at >= len(tokens) or tokens[at] != ("bracket", ")"):
            raise ConditionError("a bracket ( is not closed in the condition")
        return inner, at + 1
    if kind != "word":
        shown = f"[{value}]" if kind == "label" else value
        raise ConditionError(f"{shown!r} stands where an entity or relationship should in the condition")
    if at + 1 < len(tokens) and tokens[at + 1][0] == "label":
        if at + 2 >= len(tokens) or tokens[at + 2][0] != "word":
            raise ConditionError(f"{value} [{tokens[at + 1][1]}] needs an entity after it")
        return Link(value, tokens[at + 1][1], tokens[at + 2][1]), at + 3
    return Name(value), at + 1


def _normal(expression: Expression, positive: bool) -> list[tuple[Literal, ...]]:
    if isinstance(expression, Name | Link):
        return [(Literal(expression, positive),)]
    if isinstance(expression, Not):
        return _normal(expression.term, not positive)
    parts = [_normal(term, positive) for term in expression.terms]
    if isinstance(expression, Or) == positive:
        joined = [clause for part in parts for clause in part]
    else:
        joined = [()]
        for part in parts:
            joined = [
                (*left, *(literal for literal in right if literal not in left))
                for left in joined
                for right in part
            ]
            if len(joined) > MAX_CLAUSES:
                break
    if len(joined) > MAX_CLAUSES:
        raise ConditionError(
            f"the condition has more than {MAX_CLAUSES} alternatives; split it into several scenarios"
        )
    return list(dict.fromkeys(joined))
