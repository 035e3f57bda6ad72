"""Environments kept by name: values that executions share, in Mistral's form of a document.

name: prod
variables: {__cloud: prod, window: nightly}
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pipeline.document import Document, Finding, read
from pipeline.errors import InvalidDocument
from pipeline.ids import revision as hash_of

from .check import Checker, placed, sound
from .records import Environment
from .step import Step

KIND = "ENVIRONMENT"
KEYS = frozenset({"version", "name", "description", "scope", "variables"})


def parse(document: Document) -> tuple[dict[str, Any], list[Finding]]:
    """The variables of a document, as far as they could be read, and the findings about it."""
    checker = Checker(document)
    top = document.value if isinstance(document.value, dict) else {}
    checker.unknown(top, KEYS, (), "an environment")
    checker.text(top.get("name"), ("name",), "the name of an environment")
    variables = checker.mapping(top.get("variables"), ("variables",), "variables")
    checker.expression(variables, ("variables",))
    return variables, checker.findings


@lru_cache(maxsize=256)
def variables_of(text: str) -> dict[str, Any]:
    """The variables of a text. Raises ``InvalidDocument`` with its errors."""
    return sound(parse(read(text, "-", aliases=False)))


def defined(step: Step, name: str, text: str, path: str) -> None:
    """Brings an environment into force; one that is refused leaves the earlier one so."""
    before = step.store.environments.get(name)
    try:
        variables_of(text)
        new = Environment(name, text, path=path)
    except InvalidDocument as refused:
        error = placed(refused, path or name)
        kept = before.text if before is not None else ""
        new = Environment(name, kept, path=path, error=error, refused=hash_of(text))
    if new != before:
        keep(step, name, new)


def removed(step: Step, name: str) -> None:
    """Takes an environment out of force; executions that began with it keep its values."""
    if name in step.store.environments:
        keep(step, name, None)


def keep(step: Step, name: str, new: Environment | None) -> None:
    """Enters an environment in place of the one before."""
    step.exchange(step.store.environments, name, new)
    step.keys.append(f"environment/{name}")
