"""The functions that Mistral adds to its expression languages, over a ``Scope``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import yaml

from pipeline.errors import ExpressionError

from .scope import Scope
from .values import plain


class PlainLoader(yaml.SafeLoader):
    """Reads anchors and aliases as the text they are, as Mistral does, so that nothing can multiply."""

    fetch_anchor = yaml.SafeLoader.fetch_plain
    fetch_alias = yaml.SafeLoader.fetch_plain


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
    try:
        return json.loads(data)
    except (ValueError, TypeError) as error:
        raise ExpressionError(f"json_parse: {error}") from error


def json_dump(scope: Scope, data: Any) -> str:
    return json.dumps(plain(data))


def yaml_parse(scope: Scope, data: str) -> Any:
    try:
        return plain(yaml.load(data, Loader=PlainLoader))
    except yaml.YAMLError as error:
        raise ExpressionError(f"yaml_parse: {error}") from error


def yaml_dump(scope: Scope, data: Any) -> str:
    return yaml.safe_dump(plain(data), default_flow_style=False)


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
