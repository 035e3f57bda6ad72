"""How restless alarms are steadied before rules see them: settings per source, in one YAML file.

::

    hygiene:
      flapping: {changes: 10, within: 10m, quiet: 5m}   # the default; `off` lets alarms flap
      hold_down: 0s                                     # the default: a clear is passed on at once
      sources:
        zabbix:
          hold_down: 30s
          alarms:
            Public network port down: {hold_down: 2m, flapping: off}

An alarm that changes (is raised, cleared, or given another severity) more than ``changes``
times ``within`` that time is flapping: it stands at its worst severity, with the attribute
``flapping``, until it has not changed for ``quiet``; then what was last reported of it is
passed on. With ``hold_down`` an alarm must be clear for so long before its clear is passed
on. Without such a file nothing is held back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..document import Document, Finding, Step, close, read
from ..errors import InvalidDocument
from .durations import duration

_OFF = ("off", "false", "no", "never")


@dataclass(frozen=True, slots=True)
class Flapping:
    """More than ``changes`` within ``within``, until ``quiet`` without one (microseconds)."""

    changes: int = 10
    within: int = 600_000_000
    quiet: int = 300_000_000


@dataclass(frozen=True, slots=True)
class Care:
    """How one kind of alarm is steadied; ``flapping`` is None where that is off."""

    flapping: Flapping | None = Flapping()
    hold_down: int = 0


@dataclass(frozen=True, slots=True)
class Hygiene:
    """All settings: in general, by source, and by source and alarm name."""

    general: Care = Care()
    sources: dict[str, Care] = field(default_factory=dict)
    alarms: dict[tuple[str, str], Care] = field(default_factory=dict)

    def of(self, source: str, name: str) -> Care:
        """The settings for an alarm."""
        return self.alarms.get((source, name)) or self.sources.get(source) or self.general


def looks_like(value: Any) -> bool:
    """Whether a document's content is hygiene settings."""
    return isinstance(value, dict) and "hygiene" in value and "scenarios" not in value


def parse(text: str, path: str = "-") -> Hygiene:
    """The settings that ``text`` spells. Raises ``InvalidDocument`` with every error found."""
    document = read(text, path, scalars="text")
    if not looks_like(document.value):
        raise InvalidDocument([document.finding("hygiene", "the settings stand under `hygiene`")])
    findings: list[Finding] = [
        document.finding("hygiene", f"{key!r} is not known beside `hygiene`", key)
        for key in document.value
        if key != "hygiene"
    ]
    body = document.value["hygiene"]
    general = _care(document, findings, body, Care(), ("hygiene",), ("sources",))
    found = Hygiene(general)
    for source, settings in _mapping(document, findings, body, "sources", ("hygiene",)).items():
        place: tuple[Step, ...] = ("hygiene", "sources", source)
        found.sources[source] = _care(document, findings, settings, general, place, ("alarms",))
        for name, own in _mapping(document, findings, settings, "alarms", place).items():
            at = (*place, "alarms", name)
            found.alarms[source, name] = _care(document, findings, own, found.sources[source], at, ())
    if findings:
        raise InvalidDocument(list(findings))
    return found


def _mapping(
    document: Document, findings: list[Finding], body: Any, key: str, place: tuple[Step, ...]
) -> dict[str, Any]:
    value = body.get(key) if isinstance(body, dict) else None
    if value is None or isinstance(value, dict):
        return value or {}
    findings.append(document.finding("hygiene", f"`{key}` maps names to settings", *place, key))
    return {}


def _care(
    document: Document,
    findings: list[Finding],
    body: Any,
    above: Care,
    place: tuple[Step, ...],
    more: tuple[str, ...],
) -> Care:
    if body is None or body == "":
        return above
    if not isinstance(body, dict):
        findings.append(document.finding("hygiene", "settings are `{flapping: ..., hold_down: 30s}`", *place))
        return above
    for key in body:
        if key not in ("flapping", "hold_down", *more):
            known = ("flapping", "hold_down", *more)
            meant = close(str(key), known, listed=True)
            findings.append(document.finding("hygiene", f"{key!r} is not known{meant}", *place, key))
    flapping, hold_down = above.flapping, above.hold_down
    if "hold_down" in body:
        hold_down = _length(document, findings, body["hold_down"], hold_down, (*place, "hold_down"))
    if "flapping" in body:
        flapping = _flapping(document, findings, body["flapping"], flapping, (*place, "flapping"))
    return Care(flapping, hold_down)


def _flapping(
    document: Document, findings: list[Finding], body: Any, above: Flapping | None, place: tuple[Step, ...]
) -> Flapping | None:
    if isinstance(body, str) and body.lower() in _OFF:
        return None
    base = above or Flapping()
    if not isinstance(body, dict):
        message = "`flapping` is `{changes: 10, within: 10m, quiet: 5m}` or `off`"
        findings.append(document.finding("hygiene", message, *place))
        return base
    changes, within, quiet = base.changes, base.within, base.quiet
    for key, value in body.items():
        at = (*place, key)
        if key == "changes" and str(value).isdecimal() and 1 <= int(str(value)[:9]) <= 1000:
            changes = int(value)
        elif key == "changes":
            findings.append(document.finding("hygiene", "`changes` is a number from 1 to 1000", *at))
        elif key == "within":
            within = _length(document, findings, value, within, at)
        elif key == "quiet":
            quiet = _length(document, findings, value, quiet, at)
        else:
            message = f"{key!r} is not known; there are changes, within, quiet"
            findings.append(document.finding("hygiene", message, *at))
    return Flapping(changes, within, quiet)


def _length(
    document: Document, findings: list[Finding], value: Any, above: int, place: tuple[Step, ...]
) -> int:
    try:
        return duration(value)
    except ValueError as error:
        findings.append(document.finding("hygiene", str(error), *place))
        return above
