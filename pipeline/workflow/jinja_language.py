"""Jinja2 in its sandbox, bounded; variables stand under ``_``, as in Mistral."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from jinja2 import StrictUndefined, TemplateAssertionError, TemplateError, pass_context
from jinja2.runtime import Context, Undefined

from pipeline.errors import ExpressionError, UnknownFilter

from .functions import FUNCTIONS
from .jinja_bounds import BUDGET, DRAW, FILTERS_HERE, STEPS, Environment, short
from .scope import Scope, data

OF_DATA = frozenset({"json_parse", "json_dump", "yaml_parse", "yaml_dump"})


def compiled(text: str) -> Callable[[Scope], Any]:
    """The inside of one ``{{ }}`` as a function that gives its value, whatever its type."""
    try:
        tree = environment().parse(f"{{% set result = {text.strip()} %}}")
        template = environment().from_string(tree)
    except (TemplateError, RecursionError) as error:
        raise _refused(text, error) from error

    def evaluate(scope: Scope) -> Any:
        context = template.new_context(variables(scope))
        for _ in template.root_render_func(context):
            pass
        value = context.vars["result"]
        if isinstance(value, Undefined):
            # Touching it raises the error that names what is missing.
            str(value)
        return value

    return evaluate


def rendered(text: str) -> Callable[[Scope], Any]:
    """A text with ``{{ }}`` or ``{% %}`` in it as a function that gives text."""
    try:
        template = environment().from_string(text)
    except (TemplateError, RecursionError) as error:
        raise _refused(text, error) from error

    def evaluate(scope: Scope) -> str:
        parts: list[str] = []
        length = 0
        for part in template.generate(variables(scope)):
            length += len(part)
            short(length)
            parts.append(part)
        return "".join(parts)

    return evaluate


def _refused(text: str, error: Exception) -> ExpressionError:
    kind = UnknownFilter if isinstance(error, TemplateAssertionError) else ExpressionError
    return kind(f"Jinja does not understand {text.strip()!r}: {error}")


@cache
def environment() -> Environment:
    """The sandbox: no attribute that begins with an underscore, nothing that changes a value."""
    found = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)
    found.filters.update(FILTERS_HERE)
    found.filters.update({name: as_filter(name) for name in FUNCTIONS})
    # It draws words by dice of its own.
    del found.globals["lipsum"]
    return found


def as_filter(name: str) -> Callable[..., Any]:
    """A function of Mistral's as a filter: over all (``_|task('a')``), or over the data it takes."""

    @pass_context
    def filtered(context: Context, value: Any, *given: Any, **named: Any) -> Any:
        function = context.parent[name]
        return function(value, *given, **named) if name in OF_DATA else function(*given, **named)

    return filtered


def variables(scope: Scope) -> dict[str, Any]:
    """``_`` and the functions, bound to ``scope``."""
    names: dict[str, Any] = {name: partial(function, scope) for name, function in FUNCTIONS.items()}
    names["_"] = data(scope)
    names[BUDGET] = [STEPS]
    names[DRAW] = scope.seed.draw
    return names
