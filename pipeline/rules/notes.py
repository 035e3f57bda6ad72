"""Findings while a template is read."""

from __future__ import annotations

from typing import Literal

from ..document import Document, Finding, Step


class Notes:
    """Collects what is wrong with a document; reading goes on, so that all of it is told."""

    __slots__ = ("document", "findings")

    def __init__(self, document: Document) -> None:
        self.document = document
        self.findings: list[Finding] = []

    def add(
        self, code: str, message: str, *steps: Step, level: Literal["error", "warning"] = "error"
    ) -> None:
        """Notes one thing, at the place that ``steps`` lead to; the same thing only once."""
        finding = self.document.finding(code, message, *steps, level=level)
        if finding not in self.findings:
            self.findings.append(finding)
