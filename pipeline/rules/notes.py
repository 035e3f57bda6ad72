"""Findings while a template is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

from ..document import Document, Finding, Step, close

Level = Literal["error", "warning"]


class Notes:
    """Collects what is wrong with a document; reading goes on, so that all of it is told."""

    __slots__ = ("document", "findings")

    def __init__(self, document: Document) -> None:
        self.document = document
        self.findings: list[Finding] = []

    def add(self, code: str, message: str, *steps: Step, level: Level = "error", word: str = "") -> None:
        """Notes one thing, at the place that ``steps`` lead to, or at the ``word`` there; the same
        thing only once."""
        finding = self.document.finding(code, message, *steps, level=level, word=word)
        if finding not in self.findings:
            self.findings.append(finding)

    def only(
        self,
        value: Mapping[Any, Any],
        known: Collection[str],
        what: str,
        *steps: Step,
        level: Level = "error",
    ) -> None:
        """Notes the keys of ``value``, which is ``what``, that are not ``known``."""
        for key in value:
            if key not in known:
                meant = close(str(key), known, listed=True)
                self.add("4", f"{key!r} is not part of {what}{meant}", *steps, key, level=level)

    def within(self, item: Any, key: str, code: str, form: str, *steps: Step) -> dict[str, Any] | None:
        """The mapping under the one ``key`` of an item of a list; None, and noted, where there is none."""
        message = f"each item of the list is `{key}: {form}`"
        if not isinstance(item, dict) or key not in item:
            self.add(code if isinstance(item, dict) else "4", message, *steps)
            return None
        self.only(item, (key,), f"an item of the list, which is `{key}: ...`", *steps)
        body = item[key]
        if not isinstance(body, dict):
            self.add("4", message, *steps, key)
            return None
        return body
