"""What only shows when all rules are live at once."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import InvalidDocument
from ..events import Definition
from ..graph.undo import Undo
from .engine import Engine
from .reading import parse
from .ruleset import RuleSet
from .template import Template


def includable(live: Iterable[Definition]) -> dict[str, Template]:
    """The definition templates among what is live, by name."""
    found: dict[str, Template] = {}
    for definition in live:
        if definition.kind == "RULE" and "definitions" in definition.text:
            try:
                template, _ = parse(definition.text, definition.path, definition.parameters, {})
            except InvalidDocument:
                continue
            if template.kind == "definition":
                found[template.name] = template
    return found


def faults(definitions: Iterable[Definition]) -> dict[str, tuple[str, str]]:
    """The code of what is wrong with each of the rules beside the others, and what to do about it."""
    undo = Undo()
    rules = RuleSet(Engine())
    for definition in definitions:
        rules.put(undo, definition)
    rules.compile(undo)
    return {name: _advised(rule.error) for name, rule in rules.rules.items() if rule.error}


def _advised(error: str) -> tuple[str, str]:
    if error.startswith("it has an entity"):
        return "equivalence-twice", f"{error}; put them into one equivalence, since they must not overlap"
    if error.startswith("it feeds itself"):
        advice = "what it raises or sets must not be what it asks to be absent, or counts"
        return "negative-cycle", f"{error}; {advice}"
    return "rule", error
