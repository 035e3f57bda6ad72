"""Actions that are made from rows of a table instead of being written out one by one."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from .declaration import Action, Effect, action

REQUIRED = inspect.Parameter.empty
"""The default of an input that must be given."""


def tabled(
    name: str,
    effect: Effect,
    summary: str,
    takes: Mapping[str, tuple[Any, Any]],
    perform: Callable[..., Awaitable[Any]],
) -> Action:
    """The action ``name``; ``takes`` are its inputs with type and default, given to ``perform`` by name."""

    async def function(context: Any, **inputs: Any) -> Any:
        return await perform(context, **inputs)

    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter(one, kind, default=default) for one, (_, default) in takes.items()]
    first = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    function.__signature__ = inspect.Signature([first, *parameters])  # type: ignore[attr-defined]
    function.__annotations__ = {one: hint for one, (hint, _) in takes.items()}
    function.__doc__ = summary
    return action(name, effect)(function)
