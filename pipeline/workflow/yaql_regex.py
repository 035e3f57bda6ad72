"""YAQL's regular expressions on an engine that takes linear time, whatever the pattern."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import re2
from yaql.language import specs, yaqltypes

PATTERN = type(re2.compile("."))
OPTIONS = re2.Options()
# A pattern that repeats what repeats is short and its machine is not: it is refused, not slow.
OPTIONS.max_mem = 256 * 1024
OPTIONS.log_errors = False


def register(context: Any) -> None:
    """Adds the functions and operators to ``context``, in the place of YAQL's own."""
    for function in (
        regex, is_regex, escape_regex, matches, matches_text, found, found_text, not_found, not_found_text,
        search, search_all, split, split_text, replace, replace_text, replace_by, replace_by_text,
    ):  # fmt: skip
        context.register_function(function)


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Any:
    """The pattern, ready. Raises ``re2.error`` when it is none, or needs more than linear time."""
    return re2.compile(pattern, OPTIONS)


@specs.parameter("pattern", yaqltypes.String())
def regex(pattern, ignore_case=False, multi_line=False, dot_all=False):  # type: ignore[no-untyped-def]
    flags = ("i" if ignore_case else "") + ("m" if multi_line else "") + ("s" if dot_all else "")
    return compiled(f"(?{flags}){pattern}" if flags else pattern)


@specs.name("isRegex")
def is_regex(value):  # type: ignore[no-untyped-def]
    return isinstance(value, PATTERN)


@specs.parameter("string", yaqltypes.String())
@specs.extension_method
@specs.name("escapeRegex")
def escape_regex(string):  # type: ignore[no-untyped-def]
    return re2.escape(string)


@specs.parameter("regexp", PATTERN)
@specs.parameter("string", yaqltypes.String())
@specs.method
@specs.name("matches")
def matches(regexp, string):  # type: ignore[no-untyped-def]
    return regexp.search(string) is not None


@specs.parameter("string", yaqltypes.String())
@specs.parameter("regexp", yaqltypes.String())
@specs.method
@specs.name("matches")
def matches_text(string, regexp):  # type: ignore[no-untyped-def]
    return compiled(regexp).search(string) is not None


@specs.parameter("regexp", PATTERN)
@specs.parameter("string", yaqltypes.String())
@specs.name("#operator_=~")
def found(string, regexp):  # type: ignore[no-untyped-def]
    return regexp.search(string) is not None


@specs.parameter("pattern", yaqltypes.String())
@specs.parameter("string", yaqltypes.String())
@specs.name("#operator_=~")
def found_text(string, pattern):  # type: ignore[no-untyped-def]
    return compiled(pattern).search(string) is not None


@specs.parameter("regexp", PATTERN)
@specs.parameter("string", yaqltypes.String())
@specs.name("#operator_!~")
def not_found(string, regexp):  # type: ignore[no-untyped-def]
    return regexp.search(string) is None


@specs.parameter("pattern", yaqltypes.String())
@specs.parameter("string", yaqltypes.String())
@specs.name("#operator_!~")
def not_found_text(string, pattern):  # type: ignore[no-untyped-def]
    return compiled(pattern).search(string) is None


@specs.parameter("regexp", PATTERN)
@specs.parameter("string", yaqltypes.String())
@specs.parameter("selector", yaqltypes.Lambda(with_context=True))
@specs.method
@specs.name("search")
def search(context, regexp, string, selector=None):  # type: ignore[no-untyped-def]
    match = regexp.search(string)
    return None if match is None else _selected(context, match, selector)


@specs.parameter("regexp", PATTERN)
@specs.parameter("string", yaqltypes.String())
@specs.parameter("selector", yaqltypes.Lambda(with_context=True))
@specs.method
@specs.name("searchAll")
def search_all(context, regexp, string, selector=None):  # type: ignore[no-untyped-def]
    return _all(context, regexp, string, selector)


@specs.parameter("regexp", PATTERN)
@specs.parameter("string", yaqltypes.String())
@specs.parameter("max_split", int)
@specs.method
@specs.name("split")
def split(regexp, string, max_split=0):  # type: ignore[no-untyped-def]
    return regexp.split(string, max_split)


@specs.parameter("string", yaqltypes.String())
@specs.parameter("regexp", PATTERN)
@specs.parameter("max_split", int)
@specs.method
@specs.name("split")
def split_text(string, regexp, max_split=0):  # type: ignore[no-untyped-def]
    return regexp.split(string, max_split)


@specs.parameter("regexp", PATTERN)
@specs.parameter("string", yaqltypes.String())
@specs.parameter("repl", yaqltypes.String())
@specs.parameter("count", int)
@specs.method
@specs.name("replace")
def replace(regexp, string, repl, count=0):  # type: ignore[no-untyped-def]
    return regexp.sub(repl, string, count)


@specs.parameter("string", yaqltypes.String())
@specs.parameter("regexp", PATTERN)
@specs.parameter("repl", yaqltypes.String())
@specs.parameter("count", int)
@specs.method
@specs.name("replace")
def replace_text(string, regexp, repl, count=0):  # type: ignore[no-untyped-def]
    return regexp.sub(repl, string, count)


@specs.parameter("regexp", PATTERN)
@specs.parameter("string", yaqltypes.String())
@specs.parameter("repl", yaqltypes.Lambda(with_context=True))
@specs.parameter("count", int)
@specs.method
@specs.name("replaceBy")
def replace_by(context, regexp, string, repl, count=0):  # type: ignore[no-untyped-def]
    return regexp.sub(lambda match: _selected(context, match, repl), string, count)


@specs.parameter("string", yaqltypes.String())
@specs.parameter("regexp", PATTERN)
@specs.parameter("repl", yaqltypes.Lambda(with_context=True))
@specs.parameter("count", int)
@specs.method
@specs.name("replaceBy")
def replace_by_text(context, string, regexp, repl, count=0):  # type: ignore[no-untyped-def]
    return regexp.sub(lambda match: _selected(context, match, repl), string, count)


def _all(context: Any, regexp: Any, string: str, selector: Callable[..., Any] | None) -> Iterator[Any]:
    for match in regexp.finditer(string):
        yield _selected(context, match, selector)


def _selected(context: Any, match: Any, selector: Callable[..., Any] | None) -> Any:
    """The text of a match; with a selector, what that makes of ``$`` (the whole) and ``$1``, ``$2``..."""
    if selector is None:
        return match.group()
    inner = context.create_child_context()
    for index in range(len(match.groups()) + 1):
        inner[f"${index + 1}"] = _part(match, index)
    for name in match.re.groupindex:
        inner[f"${name}"] = _part(match, name)
    inner["$"] = _part(match, 0)
    return selector(inner)


def _part(match: Any, group: int | str) -> dict[str, Any]:
    return {"value": match.group(group), "start": match.start(group), "end": match.end(group)}
