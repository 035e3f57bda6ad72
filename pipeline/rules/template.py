"""A template after reading, whatever version it was written in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ..document import Document, Step
from .condition import Expression, Term

Kind = Literal["standard", "definition", "equivalence"]
RAISE, SET_STATE, CAUSE, MARK_DOWN, WORKFLOW = (
    "raise_alarm",
    "set_state",
    "add_causal_relationship",
    "mark_down",
    "execute_mistral",
)


@dataclass(frozen=True, slots=True)
class GetAttr:
    """``get_attr(entity, property)`` in an action."""

    entity: str
    property: str


class Text(tuple[Any, ...]):
    """Text with ``get_attr`` in it: words and ``GetAttr`` in their order."""

    __slots__ = ()


Value = Any  # text, GetAttr, Text, or lists and mappings of these


@dataclass(frozen=True, slots=True)
class Action:
    """One action of a scenario; the fields that its kind does not have are None."""

    kind: str
    place: tuple[Step, ...]
    target: str | None = None
    source: str | None = None
    name: Value = None
    severity: Value = None
    causing: str | None = None
    state: Value = None
    workflow: str | None = None
    input: Value = None


@dataclass(frozen=True, slots=True)
class Having:
    """A count over a relationship: of those that ``of`` leads to there are ``least`` to ``most``
    (None: any number); with ``are``, all of them fit that entity as well."""

    of: Term
    least: int
    most: int | None
    are: str | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """What a scenario says about time, in microseconds; 0 where it says nothing. ``of`` is the
    entity whose coming is counted within the window; ``unseen_for`` how long what stands under NOT
    has not been reported."""

    hold: int = 0
    within: int = 0
    at_least: int = 0
    of: str | None = None
    absent_for: int = 0
    unseen_for: int = 0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A rule: when the condition holds, the actions do."""

    index: int
    condition: Expression
    text: str
    actions: tuple[Action, ...]
    place: tuple[Step, ...]
    having: tuple[Having, ...] = ()
    timing: Timing | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """A relationship that versions 1 and 2 define under an id."""

    source: str
    label: str
    target: str


@dataclass(frozen=True, slots=True)
class Template:
    """One file. ``entities`` and ``relationships`` by template id; ``equivalences`` are
    groups of property sets that stand for one another, ``mode`` is "shadow" where it says so."""

    name: str
    version: int
    kind: Kind
    document: Document
    entities: dict[str, dict[str, str]] = field(default_factory=dict)
    relationships: dict[str, Relation] = field(default_factory=dict)
    scenarios: tuple[Scenario, ...] = ()
    equivalences: tuple[tuple[dict[str, str], ...], ...] = ()
    includes: tuple[str, ...] = ()
    mode: str = ""
