"""Running actions without a pipeline: those that have no effect outside, and no others."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from ..errors import InvalidInput, UnknownAction
from ..workflow.answers import Answer
from ..workflow.records import ERROR, SUCCESS
from .declaration import Context, Pending, failure
from .registry import find


def perform_harmless(action: str, given: Mapping[str, Any]) -> Answer | None:
    """What an action that declares no effect outside comes to; None for any other."""
    try:
        found = find(action)
    except UnknownAction:
        return None
    if found.effect_of(given) != "none":
        return None
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    try:
        value = ended(lambda: found.run(Context(sleep=sleep), given))
    except InvalidInput as error:
        return Answer(ERROR, str(error), refused=True)
    except Exception as error:
        return Answer(ERROR, failure(error), sum(waited))
    if isinstance(value, Pending):
        return Answer(never=True)
    return Answer(SUCCESS, value, sum(waited))


class Waits(Exception):
    """Raised within this module when an action awaits more than its own sleep."""


def ended(start: Any) -> Any:
    """The value of the coroutine that ``start`` makes.

    Most await nothing but their own sleep, which takes no time here; an event loop, which
    takes long to import, is made only for those that await more.
    """
    try:
        return stepped(start())
    except Waits:
        import asyncio

        return asyncio.run(start())


def stepped(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The value of a coroutine that never waits. Raises ``Waits`` when it does."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    except RuntimeError as error:
        # What asyncio says to code that wants a loop where there is none.
        if "no running event loop" in str(error):
            raise Waits from error
        raise
    coroutine.close()
    raise Waits
