"""One action run to its outcome; whatever happens in it is an outcome, never an exception."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Any

from ..actions import registry
from ..actions.declaration import Action, Call, Context, Pending, failure
from ..actions.vault import holds_reference
from ..errors import ActionFailed, InvalidInput, UnknownAction
from ..logs import execution
from .entry import Outcome, Work

log = logging.getLogger(__name__)


async def perform(context: Context, work: Work) -> Outcome:
    """What came of ``work``, without any secret. Raises nothing but ``CancelledError``."""
    outcome = await _perform(context, work)
    return Outcome(outcome.state, context.vault.mask(outcome.result), outcome.refused)


async def _perform(context: Context, work: Work) -> Outcome:
    limit = asyncio.timeout(work.timeout) if work.timeout else None
    try:
        action = registry.find(work.action)
        if limit is None:
            result = await _run(context, action, work)
        else:
            async with limit:
                result = await _run(context, action, work)
    except (InvalidInput, UnknownAction) as error:
        return Outcome("ERROR", failure(error), refused=True)
    except ActionFailed as error:
        return Outcome("ERROR", failure(error))
    except TimeoutError as error:
        if limit is None or not limit.expired():
            return _broken(work, error)
        doubt = "" if registry.repeatable(work.action, work.input) else "; outcome unknown"
        return Outcome("ERROR", f"{work.action} gave no result within {work.timeout:g} s{doubt}")
    except Exception as error:
        return _broken(work, error)
    return Outcome("PENDING") if isinstance(result, Pending) else Outcome("SUCCESS", result)


async def _run(context: Context, action: Action, work: Work) -> Any:
    """Here, and no earlier, secrets take the places of their names."""
    defaults = {name: value for name, value in work.defaults.items() if name in action.inputs}
    given = {**defaults, **work.input}
    if holds_reference(given):
        given = await context.clients.thread(context.vault.resolve, given)
    context.vault.note(action.secrets(given))
    call = Call(work.workflow, work.execution, work.task, work.id)
    return await action.run(replace(context, call=call), given)


def repeatable(work: Work) -> bool:
    """Whether ``work`` may be run again although an earlier run may have come to its effect."""
    return registry.repeatable(work.action, work.input)


def _broken(work: Work, error: Exception) -> Outcome:
    # The message goes to the task alone: what a user's action says may not belong into a log.
    kind = type(error).__name__
    log.warning("action %s (%s) raised %s", work.action, work.id, kind, extra=execution(work.execution))
    return Outcome("ERROR", f"{work.action} raised {kind}: {error}")
