"""The functions that Mistral adds to its expression languages, over a ``Scope``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import yaml

from pipeline.errors import ExpressionError

from .scope import Scope
from .values import plain, weigh


class PlainLoader(yaml.SafeLoader):
    """Reads anchors and aliases as the text they are, as Mistral does, so that nothing can multiply."""

    fetch_anchor = yaml.SafeLoader.fetch_plain
    fetch_alias = yaml.SafeLoader.fetch_plain


# What can be read or written in well under a second: characters, or values within one.
JSON = 2_000_000
YAML = 20_000


def task(scope: Scope, task_name: str | None = None) -> Any:
    return scope.facts.task(task_name)


def tasks(
    scope: Scope,
    workflow_execution_id: str | None = None,
    recursive: bool = False,
    state: str | None = None,
    flat: bool = False,
) -> Any:
    return scope.facts.tasks(workflow_execution_id, recursive, state, flat)


def execution(scope: Scope) -> Any:
    return scope.facts.execution()


def executions(
    scope: Scope,
    id: str | None = None,
    root_execution_id: str | None = None,
    state: str | None = None,
    from_time: str | None = None,
    to_time: str | None = None,
) -> Any:
    given = {"id": id, "root": root_execution_id, "state": state, "from": from_time, "to": to_time}
    return scope.facts.executions({name: value for name, value in given.items() if value is not None})


def env(scope: Scope) -> Any:
    return dict(scope.facts.env())


def global_(scope: Scope, var_name: str) -> Any:
    return scope.facts.globals().get(var_name)


def uuid(scope: Scope) -> str:
    return scope.seed.draw()


def json_parse(scope: Scope, data: str) -> Any:
    short("json_parse", data)
    try:
        return json.loads(data)
    except (ValueError, TypeError) as error:
        raise ExpressionError(f"json_parse: {error}") from error


def json_dump(scope: Scope, data: Any) -> str:
    return json.dumps(small(data, JSON))


def yaml_parse(scope: Scope, data: str) -> Any:
    short("yaml_parse", data)
    try:
        return plain(yaml.load(data, Loader=PlainLoader))
    except yaml.YAMLError as error:
        raise ExpressionError(f"yaml_parse: {error}") from error


def yaml_dump(scope: Scope, data: Any) -> str:
    return yaml.safe_dump(small(data, YAML), default_flow_style=False)


def short(name: str, data: Any) -> None:
    """Refuses a text that would take long to read."""
    longest = JSON if name == "json_parse" else YAML
    if isinstance(data, str) and len(data) > longest:
        raise ExpressionError(f"{name}: a text of {len(data)} characters is too long; {longest} are allowed")


def small(data: Any, most: int) -> Any:
    """``data`` made plain. Raises ``ExpressionError`` when there is too much of it to be written out."""
    found = plain(data)
    weigh(found, most)
    return found


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "task": task,
    "tasks": tasks,
    "execution": execution,
    "executions": executions,
    "env": env,
    "global": global_,
    "uuid": uuid,
    "json_parse": json_parse,
    "json_dump": json_dump,
    "yaml_parse": yaml_parse,
    "yaml_dump": yaml_dump,
}
