"""Expressions within values: found, compiled once, evaluated.

Three forms: YAQL ``<% %>``, Jinja2 ``{{ }}`` and ``{% %}``, JMESPath ``<| |>``. A text that
is one expression, over however many lines, gives that expression's value; one that has
expressions among other text gives text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from pipeline.errors import ExpressionError

from .scope import Scope, View, data
from .values import plain, word

Evaluator = Callable[[Scope], Any]

YAQL = re.compile(r"<%(.*?)%>", re.DOTALL)
JMESPATH = re.compile(r"<\|(.*?)\|>", re.DOTALL)
JINJA = re.compile(r"{{.*?}}|{%.*?%}", re.DOTALL)
JINJA_ONE = re.compile(r"{{((?:(?!}}|{{).)*)}}", re.DOTALL)
TASK_PATH = re.compile(
    r"""task\(\s*(?:(?P<quote>['"])(?P<quoted>[\w-]+)(?P=quote)|(?P<bare>[A-Za-z_]\w*))?\s*\)"""
    r"""(?P<path>(?:\.[A-Za-z][A-Za-z0-9_]*)+)"""
)
PATH = re.compile(r"\$(?:\.[A-Za-z][A-Za-z0-9_]*)*")


def has_expression(value: Any) -> bool:
    """Whether ``value`` is a text with an expression in it."""
    if type(value) is not str or ("<" not in value and "{" not in value):
        return False
    return bool(YAQL.search(value) or JINJA.search(value) or JMESPATH.search(value))


def is_expression(value: Any) -> bool:
    """Whether ``value`` is a text that is wholly an expression."""
    if not has_expression(value):
        return False
    text = value.strip()
    for opening, closing in (("<%", "%>"), ("{{", "}}"), ("{%", "%}"), ("<|", "|>")):
        if text.startswith(opening) and text.endswith(closing):
            return True
    return False


def over_lines(text: str) -> bool:
    """Whether an expression in ``text`` goes over several lines."""
    return any("\n" in found for pattern in (YAQL, JINJA) for found in pattern.findall(text))


def problem(value: Any) -> ExpressionError | None:
    """What is wrong with the grammar of the expressions within a text, or None."""
    if not has_expression(value):
        return None
    try:
        compiled(value)
    except ExpressionError as error:
        return error
    return None


def evaluate(value: Any, scope: Scope) -> Any:
    """``value`` with every expression in it, however deep, replaced by its result (plain data).

    Raises ``ExpressionError`` with the expression and what was wrong.
    """
    kind = type(value)
    if kind is str:
        if "<" not in value and "{" not in value:
            return value
        evaluator = compiled(value)
        return value if evaluator is None else evaluator(scope)
    if kind is dict:
        return {key if type(key) is str else word(key): evaluate(item, scope) for key, item in value.items()}
    if kind is list:
        return [evaluate(item, scope) for item in value]
    return value if kind is int or value is None else plain(value)


@lru_cache(maxsize=8192)
def compiled(text: str) -> Evaluator | None:
    """The text as a function of a scope; None when it holds no expression.

    Raises ``ExpressionError`` when an expression in it cannot be parsed.
    """
    found = [name for name, pattern in (("yaql", YAQL), ("jmespath", JMESPATH)) if pattern.search(text)]
    rest = JMESPATH.sub("", YAQL.sub("", text))
    if JINJA.search(rest):
        found.append("jinja")
    if not found:
        return None
    if len(found) > 1:
        raise ExpressionError(f"one text cannot mix expression languages ({', '.join(found)}): {text!r}")
    if found == ["yaql"]:
        return _delimited(text, YAQL, _yaql)
    if found == ["jmespath"]:
        return _delimited(text, JMESPATH, _jmespath)
    return _jinja(text)


def _delimited(text: str, pattern: re.Pattern[str], compiler: Callable[[str], Evaluator]) -> Evaluator:
    whole = pattern.fullmatch(text.strip())
    if whole and len(pattern.findall(text)) == 1:
        return compiler(whole.group(1).strip())
    parts: list[str | Evaluator] = []
    end = 0
    for match in pattern.finditer(text):
        parts += [text[end : match.start()], compiler(match.group(1).strip())]
        end = match.end()
    parts.append(text[end:])
    return lambda scope: "".join(part if isinstance(part, str) else str(part(scope)) for part in parts)


def _yaql(text: str) -> Evaluator:
    if PATH.fullmatch(text):
        return _path(text)
    of_task = TASK_PATH.fullmatch(text)
    if of_task:
        return _task_path(text, of_task["quoted"] or of_task["bare"], of_task["path"].split(".")[1:])
    return _yaql_whole(text)


def _task_path(text: str, name: str | None, steps: list[str]) -> Evaluator:
    """``task(NAME).a.b`` over dicts, in the same way as ``_path``."""
    whole: list[Evaluator] = []

    def walk(scope: Scope) -> Any:
        value: Any = scope.facts.task(name)
        for step in steps:
            if type(value) is not dict or step not in value:
                if not whole:
                    whole.append(_yaql_whole(text))
                return whole[0](scope)
            value = value[step]
        return value

    return walk


def _yaql_whole(text: str) -> Evaluator:
    from . import yaql_language

    return _guarded("YAQL", text, yaql_language.compiled(text))


def _path(text: str) -> Evaluator:
    """``$.a.b`` over dicts is a walk; YAQL itself is asked only where a step meets something else."""
    names = text.split(".")[1:]
    whole: list[Evaluator] = []

    def walk(scope: Scope) -> Any:
        value: Any = scope.view
        for name in names:
            if type(value) is not dict and type(value) is not View:
                if not whole:
                    whole.append(_yaql_whole(text))
                return whole[0](scope)
            if name not in value:
                raise ExpressionError(
                    f"Can not evaluate YAQL expression [expression={text}, error='{name}' is not there]"
                )
            value = value[name]
        return plain(value) if value is scope.view else value

    return walk


def _jmespath(text: str) -> Evaluator:
    import jmespath

    from .jmespath_bounds import Counting

    try:
        parsed = jmespath.compile(text)
    except (jmespath.exceptions.JMESPathError, RecursionError) as error:
        raise ExpressionError(f"JMESPath does not understand {text!r}: {error}") from error
    return _guarded("JMESPath", text, lambda scope: Counting().visit(parsed.parsed, data(scope)))


def _jinja(text: str) -> Evaluator:
    from . import jinja_language

    single = JINJA_ONE.fullmatch(text.strip())
    if single:
        return _guarded("Jinja", text, jinja_language.compiled(single.group(1)))
    return _guarded("Jinja", text, jinja_language.rendered(text))


def _guarded(language: str, text: str, evaluator: Evaluator) -> Evaluator:
    """An evaluation whose every failure is an ``ExpressionError``, and whose result is plain data.

    What a hostile expression provokes (no memory, no stack) ends with it.
    """

    def evaluate_guarded(scope: Scope) -> Any:
        try:
            return plain(evaluator(scope))
        except (Exception, RecursionError, MemoryError) as error:
            reason = str(error) or type(error).__name__
            if isinstance(error, KeyError):
                reason = f"{reason} is not there"
            raise ExpressionError(
                f"Can not evaluate {language} expression [expression={text}, error={reason}]"
            ) from error

    return evaluate_guarded
