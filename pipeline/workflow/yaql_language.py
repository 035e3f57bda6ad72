"""YAQL, as Mistral sets it up, with bounds on steps, sizes and what it can reach."""

from __future__ import annotations

# yaql reads collections.abc without importing it.
import collections.abc  # noqa: F401
import random
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import cache
from typing import Any

from yaql import YaqlFactory, create_context
from yaql.language import contexts, utils

from pipeline.errors import ExpressionError
from pipeline.times import EPOCH

from . import yaql_bounds, yaql_regex, yaql_sets
from .functions import FUNCTIONS
from .scope import Scope, View

STEPS = 21_000
# A value is looked at whole by most of what takes it, which is counted for every so many of its items.
ITEMS = 1_000
LETTERS = 1_500
LONGEST = 100_000
MEMORY = 8 * 1024 * 1024


class Frozen(Mapping[str, Any]):
    """Variables as YAQL wants them, immutable and hashable, each made so when it is first read."""

    __slots__ = ("made", "view")

    def __init__(self, view: View) -> None:
        self.view = view
        self.made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self.made:
            self.made[name] = utils.convert_input_data(self.view[name])
        return self.made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.view)

    def __len__(self) -> int:
        return len(self.view)

    def __hash__(self) -> int:
        return hash(frozenset(self.items()))


class Bounded(contexts.Context):  # type: ignore[misc]
    """A context that counts calls: every operator and function of YAQL goes through it."""

    def __init__(
        self, parent_context: Any = None, data: Any = utils.NO_VALUE, convention: Any = None
    ) -> None:
        super().__init__(parent_context, data, convention)
        self.steps: list[int] = getattr(parent_context, "steps", None) or [STEPS]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.spend(1)
        called = super().__call__(*args, **kwargs)

        def counted(*given: Any, **named: Any) -> Any:
            result = called(*given, **named)
            if isinstance(result, str):
                self.spend(len(result) // LETTERS)
            elif isinstance(result, tuple | list | frozenset | utils.FrozenDict):
                self.spend(len(result) // ITEMS)
            return result

        return counted

    def spend(self, steps: int) -> None:
        """Counts ``steps``. Raises ``ExpressionError`` at the last."""
        self.steps[0] -= steps
        if self.steps[0] < 0:
            raise ExpressionError(f"the expression took more than {STEPS} steps")


def compiled(text: str) -> Callable[[Scope], Any]:
    """The expression ``text`` as a function of a scope. Raises ``ExpressionError`` on bad grammar."""
    try:
        statement = engine()(text)
    except Exception as error:
        raise ExpressionError(f"YAQL does not understand {text!r}: {error}") from error

    def evaluate(scope: Scope) -> Any:
        context = Bounded(base())
        view = scope.view
        context["$"] = Frozen(view) if isinstance(view, View) else utils.convert_input_data(view)
        context["$__scope"] = scope
        return statement(utils.NO_VALUE, context, statement.engine)

    return evaluate


@cache
def engine() -> Any:
    """The parser. Building its tables takes some 60 ms, so only who needs it pays."""
    return YaqlFactory(allow_delegates=True).create(
        options={
            "yaql.limitIterators": LONGEST,
            "yaql.memoryQuota": MEMORY,
            "yaql.convertInputData": False,
            "yaql.convertTuplesToLists": True,
            "yaql.convertSetsToLists": True,
        }
    )


@cache
def base() -> Any:
    """YAQL's own functions and Mistral's; without clock and dice of their own."""
    context = create_context(delegates=True, regex=False)
    yaql_regex.register(context)
    context = context.create_child_context()
    yaql_sets.register(context)
    yaql_bounds.register(context)
    for name, function in _mistral().items():
        context.register_function(function, name=name)
    own: dict[str, Callable[..., Any]] = {
        "now": _now,
        "localtz": _localtz,
        "random": _random,
        "randomInteger": _randint,
    }
    for name, function in own.items():
        context.register_function(function, name=name, exclusive=True)
    return context


def _mistral() -> dict[str, Callable[..., Any]]:
    """Mistral's functions with signatures that YAQL can read: it fills in ``context`` by its name."""
    call = _call

    def task(context, task_name=None):  # type: ignore[no-untyped-def]
        return call("task", context, task_name)

    def tasks(context, workflow_execution_id=None, recursive=False, state=None, flat=False):  # type: ignore[no-untyped-def]
        return call("tasks", context, workflow_execution_id, recursive, state, flat)

    def executions(  # type: ignore[no-untyped-def]
        context, id=None, root_execution_id=None, state=None, from_time=None, to_time=None
    ):
        return call("executions", context, id, root_execution_id, state, from_time, to_time)

    functions: dict[str, Callable[..., Any]] = {"task": task, "tasks": tasks, "executions": executions}
    for name in ("execution", "env", "uuid"):
        functions[name] = _without_argument(name)
    for name in ("global", "json_parse", "json_dump", "yaml_parse", "yaml_dump"):
        functions[name] = _with_argument(name)
    return functions


def _without_argument(name: str) -> Callable[..., Any]:
    return lambda context: _call(name, context)


def _with_argument(name: str) -> Callable[..., Any]:
    return lambda context, data: _call(name, context, data)


def _call(name: str, context: Any, *arguments: Any) -> Any:
    return utils.convert_input_data(FUNCTIONS[name](context["$__scope"], *arguments))


def _now(context, utc=None):  # type: ignore[no-untyped-def]
    return EPOCH + timedelta(microseconds=context["$__scope"].seed.time)


def _localtz(context):  # type: ignore[no-untyped-def]
    # Where the machine stands is no part of the record.
    return timedelta(0)


def _random(context):  # type: ignore[no-untyped-def]
    return random.Random(context["$__scope"].seed.draw()).random()


def _randint(context, from_, to_):  # type: ignore[no-untyped-def]
    return random.Random(context["$__scope"].seed.draw()).randint(from_, to_)
