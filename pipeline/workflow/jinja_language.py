"""Jinja2 in its sandbox; variables stand under ``_``, as in Mistral."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.runtime import Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pipeline.errors import ExpressionError

from .functions import FUNCTIONS
from .scope import Scope, data


def compiled(text: str) -> Callable[[Scope], Any]:
    """The inside of one ``{{ }}`` as a function that gives its value, whatever its type."""
    try:
        expression = environment().compile_expression(text.strip(), undefined_to_none=False)
    except (TemplateError, RecursionError) as error:
        raise ExpressionError(f"Jinja does not understand {text!r}: {error}") from error

    def evaluate(scope: Scope) -> Any:
        value = expression(**variables(scope))
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
        raise ExpressionError(f"Jinja does not understand {text!r}: {error}") from error
    return lambda scope: template.render(**variables(scope))


@cache
def environment() -> ImmutableSandboxedEnvironment:
    """The sandbox: no attribute that begins with an underscore, nothing that changes a value."""
    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )


def variables(scope: Scope) -> dict[str, Any]:
    """``_`` and the functions, bound to ``scope``."""
    names: dict[str, Any] = {name: partial(function, scope) for name, function in FUNCTIONS.items()}
    names["_"] = data(scope)
    return names
