"""Reading values of a definition and noting what is wrong with them, with their places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from pipeline.document import Document, Finding, Step

from . import inline
from .expressions import has_expression, is_expression, problem
from .model import Parameter
from .values import plain

Steps = tuple[Step, ...]


class Checker:
    """A document together with the findings about it."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.findings: list[Finding] = list(document.warnings)

    def note(
        self, code: str, message: str, steps: Steps, level: Literal["error", "warning"] = "error"
    ) -> None:
        """Adds a finding at ``steps``."""
        self.findings.append(self.document.finding(code, message, *steps, level=level))

    def wrong(self, message: str, steps: Steps) -> None:
        """Adds that the form is not the language's."""
        self.note("workflow-form", f"Invalid DSL: {message}", steps)

    def mapping(self, value: Any, steps: Steps, what: str, filled: bool = True) -> dict[str, Any]:
        """``value`` as a mapping; an empty one, and a finding, when it is none."""
        if value is None and not filled:
            return {}
        if not isinstance(value, dict) or (filled and not value):
            self.wrong(f"{what} must be a mapping{' that is not empty' if filled else ''}", steps)
            return {}
        return value

    def text(self, value: Any, steps: Steps, what: str) -> str:
        """``value`` as a text that is not empty."""
        if not isinstance(value, str) or not value:
            self.wrong(f"{what} must be a text that is not empty", steps)
            return ""
        return value

    def number(self, value: Any, steps: Steps, what: str) -> Any:
        """A number that is not negative, or an expression that will give one."""
        if value is None or is_expression(value):
            self.expression(value, steps)
            return value
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            self.wrong(f"{what} must be a number, 0 or more, or an expression", steps)
            return None
        return value

    def flag(self, value: Any, steps: Steps, what: str) -> Any:
        """True, false, or an expression."""
        if value is None or is_expression(value):
            self.expression(value, steps)
            return value
        if not isinstance(value, bool):
            self.wrong(f"{what} must be true, false or an expression", steps)
            return None
        return value

    def condition(self, value: Any, steps: Steps, what: str) -> Any:
        """An expression, or true or false written out."""
        if value is None or is_expression(value):
            self.expression(value, steps)
            return value
        if isinstance(value, bool):
            return "<% true %>" if value else "<% false %>"
        self.wrong(f"{what} must be an expression such as <% $.x = 1 %>", steps)
        return None

    def expression(self, value: Any, steps: Steps) -> None:
        """Checks the grammar of every expression within ``value``."""
        if isinstance(value, str):
            wrong = problem(value)
            if wrong:
                self.note("workflow-expression", wrong, steps)
        elif isinstance(value, dict):
            for key, item in value.items():
                if has_expression(key):
                    self.note(
                        "workflow-key-expression",
                        f"keys are never evaluated: {key!r}",
                        (*steps, key),
                        "warning",
                    )
                self.expression(item, (*steps, key))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self.expression(item, (*steps, index))

    def names(self, value: Any, steps: Steps, what: str) -> tuple[str, ...]:
        """One text or a list of different texts."""
        if isinstance(value, str) and value:
            return (value,)
        if (
            not isinstance(value, list)
            or not value
            or not all(isinstance(item, str) and item for item in value)
            or len(set(value)) != len(value)
        ):
            self.wrong(f"{what} must be a text or a list of different texts", steps)
            return ()
        return tuple(value)

    def parameters(self, value: Any, steps: Steps) -> tuple[Parameter, ...]:
        """The ``input`` of a workflow or an action: names, and names with defaults."""
        if not isinstance(value, list) or not value:
            self.wrong("input must be a list that is not empty", steps)
            return ()
        result: list[Parameter] = []
        for index, item in enumerate(value):
            if isinstance(item, str) and item:
                result.append(Parameter(item))
            elif isinstance(item, dict) and len(item) == 1 and all(isinstance(key, str) for key in item):
                ((name, default),) = item.items()
                result.append(Parameter(name, True, plain(default)))
                if has_expression(default):
                    message = f"the default of {name!r} stays a text: defaults are not evaluated"
                    self.note("workflow-default-expression", message, (*steps, index), "warning")
            else:
                self.wrong("an input is a name, or a mapping of one name to its default", (*steps, index))
        if len({parameter.name for parameter in result}) != len(result):
            self.wrong("an input stands twice", steps)
        return tuple(result)

    def labels(self, body: dict[str, Any], steps: Steps) -> None:
        """``description`` and ``tags``, which say something and do nothing."""
        described = body.get("description")
        if described is not None and (not isinstance(described, str) or not described):
            self.wrong("description must be a text that is not empty", (*steps, "description"))
        if body.get("tags") is not None and not isinstance(body["tags"], list):
            self.wrong("tags must be a list of different texts", (*steps, "tags"))
        elif body.get("tags") is not None:
            self.names(body["tags"], (*steps, "tags"), "tags")

    def unknown(self, value: dict[Any, Any], known: frozenset[str], steps: Steps, what: str) -> None:
        """Refuses the keys that are not of the language."""
        for key in value:
            if key not in known:
                self.wrong(f"{what} has no key {key!r}", (*steps, key))

    def command(self, value: str, steps: Steps, what: str) -> tuple[str, dict[str, Any]]:
        """A command with inline parameters."""
        name, parameters, left = inline.split(value)
        if left:
            self.note(
                "workflow-inline", f"{what}: {left!r} is not read; write NAME=VALUE pairs", steps, "warning"
            )
        self.expression(parameters, steps)
        self.expression(name, steps)
        return name, parameters


Reader = Callable[[Checker, Any, Steps], Any]
