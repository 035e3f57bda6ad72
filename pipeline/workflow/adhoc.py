"""Ad-hoc actions: an action made of another one, in chains."""

from __future__ import annotations

from typing import Any

from pipeline.errors import ExpressionError

from .expressions import evaluate
from .facts import scope
from .model import ActionDefinition
from .records import Task
from .scope import Scope, View
from .step import Step
from .store import Live


def resolve(
    step: Step, live: Live, name: str, given: dict[str, Any], reading: Scope
) -> tuple[str, dict[str, Any]]:
    """The action at the end of the chain and its input.

    Raises ``ExpressionError`` when the input does not fit or the chain has no end.
    """
    met: set[str] = set()
    while (definition := find(step, live, name)) is not None:
        if definition.name in met:
            raise ExpressionError(f"the ad-hoc actions {', '.join(sorted(met))} call each other")
        met.add(definition.name)
        filled = fill(definition, given)
        name = definition.base
        given = evaluate(definition.base_input, Scope(View(filled), reading.facts, reading.seed))
        if not isinstance(given, dict):
            raise ExpressionError(f"the base-input of action {definition.name!r} is not a mapping")
    return name, given


def output(step: Step, live: Live, task: Task, value: Any) -> Any:
    """The result ``value`` as the chain of ad-hoc actions reshapes it."""
    name = live.definition.tasks[task.name].action
    if name is None or not (step.store.actions or live.definition.actions):
        return value
    reading = scope(step, live, task, task.context)
    name = evaluate(name, reading)
    chain: list[ActionDefinition] = []
    while (definition := find(step, live, str(name))) is not None and len(chain) < 100:
        chain.append(definition)
        name = definition.base
    for definition in reversed(chain):
        if definition.output is not None:
            value = evaluate(definition.output, Scope(value, reading.facts, reading.seed))
    return value


def find(step: Step, live: Live, name: str) -> ActionDefinition | None:
    """The ad-hoc action of that name: of the workflow's own document, then of its namespace, then any."""
    return step.store.action(name, live.record.namespace, live.definition)


def fill(definition: ActionDefinition, given: dict[str, Any]) -> dict[str, Any]:
    """``given`` with the defaults. Raises ``ExpressionError`` when it does not fit."""
    known = {parameter.name for parameter in definition.input}
    unexpected = sorted(given.keys() - known)
    missing = [each.name for each in definition.input if not each.optional and each.name not in given]
    if unexpected or missing:
        raise ExpressionError(
            f"Invalid input [name={definition.name}, class=AdHocAction, "
            f"missing={missing}, unexpected={unexpected}]"
        )
    return {**{each.name: each.default for each in definition.input if each.optional}, **given}
