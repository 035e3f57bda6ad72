"""Value mappings: what a type's own words for states and severities mean and how bad each is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from ..document import Document, Finding, read
from ..errors import InvalidDocument
from .hygiene import Hygiene
from .words import SEVERITIES, STATES, UNKNOWN

Words = Mapping[str, tuple[int, str]]
DEFAULT = "default"
REMEMBERED = 4096
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class TypeValues:
    """One file: the words of one entity type or alarm source, upper case, to
    (priority, operational value)."""

    type: str
    category: str
    words: Words


class Values:
    """All mappings of a rule set, by type; a type without one has the built-in words. ``hygiene``
    are the settings for restless alarms, None where there are none."""

    __slots__ = ("_aggregates", "_severities", "hygiene", "types")

    def __init__(self, types: Mapping[str, TypeValues] | None = None, hygiene: Hygiene | None = None) -> None:
        self.types: Mapping[str, TypeValues] = types or {}
        self.hygiene = hygiene
        # What was asked before: each change of a state or severity asks several times.
        self._severities: dict[tuple[str, str], tuple[int, str]] = {}
        self._aggregates: dict[tuple[str, str | None, str | None], tuple[str | None, str | None]] = {}

    def severity(self, source: str, word: str) -> tuple[int, str]:
        """Priority and operational severity of ``word``; (0, "N/A") when it is unknown."""
        found = self._severities.get((source, word))
        if found is None:
            found = _keep(self._severities, (source, word), self._severity(source, word))
        return found

    def _severity(self, source: str, word: str) -> tuple[int, str]:
        known = self.types.get(source)
        if known is None:
            return SEVERITIES.get(word.upper(), (0, UNKNOWN))
        return known.words.get(word.upper()) or SEVERITIES.get(word.upper(), (0, UNKNOWN))

    def unknown(self, type_: str, state: str | None, severity: str | None) -> str | None:
        """The word, if it is one that no mapping and no built-in list knows."""
        if state is not None and self.state(type_, state) == (0, UNKNOWN):
            return state
        if severity and self.severity(type_, severity) == (0, UNKNOWN):
            return severity
        return None

    def state(self, type_: str, word: str) -> tuple[int, str]:
        """Priority and operational state of ``word``; (0, "N/A") when it is unknown."""
        known = self.types.get(type_)
        if known is not None:
            return known.words.get(word.upper(), (0, UNKNOWN))
        default = self.types.get(DEFAULT)
        if default is not None and word.upper() in default.words:
            return default.words[word.upper()]
        return STATES.get(word.upper(), (0, UNKNOWN))

    def aggregate(self, type_: str, own: str | None, derived: str | None) -> tuple[str | None, str | None]:
        """The aggregated state and its operational value: the worse of the source's own
        word and the one that rules set; the source's wins a tie."""
        asked = type_, own, derived
        found = self._aggregates.get(asked)
        if found is None:
            found = _keep(self._aggregates, asked, self._aggregate(type_, own, derived))
        return found

    def _aggregate(self, type_: str, own: str | None, derived: str | None) -> tuple[str | None, str | None]:
        if derived is None:
            return (None, None) if own is None else (own.upper(), self.state(type_, own)[1])
        priority, operational = self.state(type_, derived)
        if own is not None:
            own_priority, own_operational = self.state(type_, own)
            if own_priority >= priority:
                return own.upper(), own_operational
        return derived.upper(), operational


def _keep(known: dict[K, V], asked: K, answer: V) -> V:
    # Sources have few words; one that makes up new ones does not make this grow.
    if len(known) >= REMEMBERED:
        known.clear()
    known[asked] = answer
    return answer


# Every partition holds the same files.
@lru_cache(maxsize=512)
def parse(name: str, text: str, path: str = "-") -> TypeValues:
    """A value file in Vitrage's form, for the type ``name``.

    Raises ``InvalidDocument``.
    """
    document = read(text, path, scalars="text")
    findings: list[Finding] = []
    words = _words(document, findings)
    if findings:
        raise InvalidDocument(list(findings))
    return TypeValues(name, str(document.value.get("category", "RESOURCE")).upper(), words)


def looks_like(value: Any) -> bool:
    """Whether a document's content is a value mapping."""
    return isinstance(value, dict) and "values" in value and "scenarios" not in value


def _words(document: Document, findings: list[Finding]) -> dict[str, tuple[int, str]]:
    words: dict[str, tuple[int, str]] = {}
    value = document.value
    groups = value.get("values") if isinstance(value, dict) else None
    if not isinstance(groups, list):
        findings.append(
            document.finding("values", "a value file is `category` and a list `values`", "values")
        )
        return words
    for index, group in enumerate(groups):
        place: tuple[str | int, ...] = ("values", index, "aggregated values")
        body = group.get("aggregated values") if isinstance(group, dict) else None
        if not isinstance(body, dict) or not isinstance(body.get("original values"), list):
            message = "each of `values` is `aggregated values: {priority: N, original values: [...]}`"
            findings.append(document.finding("values", message, *place))
            continue
        try:
            priority = int(body.get("priority", ""))
        except (TypeError, ValueError):
            findings.append(
                document.finding("values", "`priority` must be a whole number", *place, "priority")
            )
            continue
        for at, original in enumerate(body["original values"]):
            if not isinstance(original, dict) or "name" not in original:
                message = "each of `original values` is `{name: WORD, operational_value: WORD}`"
                findings.append(document.finding("values", message, *place, "original values", at))
                continue
            operational = str(original.get("operational_value", UNKNOWN)).upper()
            words[str(original["name"]).upper()] = (priority, operational)
    return words
