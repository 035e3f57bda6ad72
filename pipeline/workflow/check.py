"""Reading values of a definition and noting what is wrong with them, with their places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from pipeline.document import Document, Finding, Step, meant
from pipeline.errors import InvalidDocument, UnknownFilter

from . import inline
from .expressions import has_expression, is_expression, over_lines, problem
from .model import Parameter
from .values import plain

Steps = tuple[Step, ...]


T = TypeVar("T")


def sound(parsed: tuple[T, list[Finding]]) -> T:
    """What was read of a document. Raises ``InvalidDocument`` with the errors among the findings about it."""
    found, findings = parsed
    errors: list[object] = [finding for finding in findings if finding.level == "error"]
    if errors:
        raise InvalidDocument(errors)
    return found


def placed(refused: InvalidDocument, place: str) -> str:
    """The errors of a text that was read without a path, as those of ``place``."""
    return str(refused).replace("-:", f"{place}:", 1)


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

    def number(self, value: Any, steps: Steps, what: str, whole: bool = True) -> Any:
        """A number that is not negative, or an expression that will give one; seconds may have fractions."""
        if value is None or is_expression(value):
            self.expression(value, steps)
            return value
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            self.wrong(f"{what} must be a number, 0 or more, or an expression", steps)
            return None
        if isinstance(value, float) and not value.is_integer():
            if whole:
                self.wrong(f"{what} must be a whole number, 0 or more, or an expression", steps)
                return None
            message = f"{what}: {value} s is kept to the tenth here; Mistral takes whole seconds only"
            self.note("workflow-fraction", message, steps, "warning")
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
        """An expression."""
        if value is None or is_expression(value):
            self.expression(value, steps)
            return value
        self.wrong(f"{what} must be an expression such as <% $.x = 1 %>", steps)
        return None

    def expression(self, value: Any, steps: Steps, deep: bool = False) -> None:
        """Checks the grammar of every expression within ``value``.

        ``deep``: where Mistral does not look before it evaluates, so that a document with a fault
        there is one of its language.
        """
        if isinstance(value, str):
            self.grammar(value, steps, deep)
        elif isinstance(value, dict):
            for key, item in value.items():
                if has_expression(key):
                    self.note(
                        "workflow-key-expression",
                        f"keys are never evaluated: {key!r}",
                        (*steps, key),
                        "warning",
                    )
                self.expression(item, (*steps, key), deep or isinstance(item, dict | list))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self.expression(item, (*steps, index), deep or isinstance(item, dict | list))

    def grammar(self, text: str, steps: Steps, deep: bool) -> None:
        """Checks the expressions of one text."""
        wrong = problem(text)
        if wrong and (deep or isinstance(wrong, UnknownFilter)):
            message = f"{wrong}; whoever evaluates this will end in ERROR"
            self.note("workflow-expression-late", message, steps, "warning")
        elif wrong:
            self.note("workflow-expression", str(wrong), steps)
        if over_lines(text):
            message = "an expression over several lines is evaluated here; Mistral leaves it as text"
            self.note("workflow-expression-lines", message, steps, "warning")

    def filled(self, body: dict[Any, Any], known: frozenset[str], steps: Steps) -> None:
        """Refuses keys of the language that stand there without a value."""
        for key, item in body.items():
            if item is None and key in known:
                self.wrong(f"{key} has no value; give it one, or leave the line out", (*steps, key))

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
            self.wrong("input must be a list that is not empty: - NAME, or - NAME: DEFAULT", steps)
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
        named = [parameter.name for parameter in result]
        for index, name in enumerate(named):
            if name in named[:index]:
                # Mistral refuses the same item again, and lets a name have another default.
                level: Literal["error", "warning"] = "error" if value[index] in value[:index] else "warning"
                message = f"Invalid DSL: the input {name!r} stands twice; the last one counts"
                self.note("workflow-form", message, (*steps, index), level)
        return tuple(result)

    def labels(self, body: dict[str, Any], steps: Steps) -> None:
        """``description`` and ``tags``, which say something and do nothing."""
        if "description" in body:
            self.text(body["description"], (*steps, "description"), "description")
        if "tags" in body and not isinstance(body["tags"], list):
            self.wrong("tags must be a list of different texts", (*steps, "tags"))
        elif "tags" in body:
            self.names(body["tags"], (*steps, "tags"), "tags")

    def unknown(self, value: dict[Any, Any], known: frozenset[str], steps: Steps, what: str) -> None:
        """Refuses the keys that are not of the language."""
        for key in value:
            if key not in known:
                hint = meant(str(key), known, f"it may have {', '.join(sorted(known))}")
                self.wrong(f"{what} has no key {key!r}; {hint}", (*steps, key))

    def command(
        self, value: str, steps: Steps, what: str, strict: bool = False
    ) -> tuple[str, dict[str, Any]]:
        """A command with inline parameters; ``strict``: nothing else may stand on the line."""
        name, parameters, left = inline.split(value)
        if left and strict:
            self.wrong(f"{what}: {left!r} is not read; write NAME, or NAME msg='words'", steps)
        elif left:
            self.note(
                "workflow-inline", f"{what}: {left!r} is not read; write NAME=VALUE pairs", steps, "warning"
            )
        self.expression(parameters, steps)
        self.expression(name, steps, deep=True)
        return name, parameters


Reader = Callable[[Checker, Any, Steps], Any]
