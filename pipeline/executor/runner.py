"""One action run to its outcome; whatever happens in it is an outcome, never an exception."""

from __future__ import annotations

import asyncio
import logging

from ..actions import registry
from ..actions.declaration import Context, Pending, failure
from ..errors import ActionFailed
from .entry import Outcome, Work

log = logging.getLogger(__name__)


async def perform(context: Context, work: Work) -> Outcome:
    """What came of ``work``. Raises nothing but ``CancelledError``."""
    limit = asyncio.timeout(work.timeout) if work.timeout else None
    try:
        action = registry.find(work.action)
        if limit is None:
            result = await action.run(context, work.input)
        else:
            async with limit:
                result = await action.run(context, work.input)
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


def repeatable(work: Work) -> bool:
    """Whether ``work`` may be run again although an earlier run may have come to its effect."""
    return registry.repeatable(work.action, work.input)


def _broken(work: Work, error: Exception) -> Outcome:
    # The message goes to the task alone: what a user's action says may not belong into a log.
    kind = type(error).__name__
    log.warning("action %s (%s) of execution %s raised %s", work.action, work.id, work.execution, kind)
    return Outcome("ERROR", f"{work.action} raised {kind}: {error}")
