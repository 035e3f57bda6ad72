"""A rule as it is live: its template, compiled, with what went wrong if anything did."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..events import Definition
from .clause import Clause
from .template import Template


@dataclass(eq=False, slots=True)
class Rule:
    """``definition`` is what was put live, ``revision`` the hash of its text and parameters, ``error``
    why it takes no part ("" when it does), ``failed`` whether a record brought that about.
    ``signature`` tells whether the clauses would be others, ``basis`` what they were made of."""

    name: str
    revision: str
    definition: Definition
    template: Template | None
    clauses: list[Clause] = field(default_factory=list)
    error: str = ""
    failed: str = ""
    signature: object = None
    basis: object = None

    @property
    def shadow(self) -> bool:
        """Whether what it deduces is only recorded. Who put it live decides, else its text does."""
        mode = self.definition.mode or (self.template.mode if self.template is not None else "")
        return mode == "shadow"
