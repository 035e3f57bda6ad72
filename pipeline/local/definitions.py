"""Rules, playbooks and value mappings of directories, put live at the start of a pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ..author import author
from ..checking import Checked, check_files, value_files
from ..document import Finding
from ..errors import FaultlineError
from ..events import FILES, Definition
from ..kafka.definitions import held, key, record, send
from ..resources import shipped
from ..settings import Settings

SHOWN = 10


@dataclass(slots=True)
class Found:
    """What directories hold: definitions that were accepted, and what is wrong with the rest."""

    definitions: list[Definition] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


@dataclass(slots=True)
class Differences:
    """How directories differed from what was live, by ``KIND/NAME``.

    ``left`` are those that came from files which are gone, and were not removed.
    """

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """How many records it took."""
        return len(self.added) + len(self.changed) + len(self.removed)

    def __str__(self) -> str:
        parts = ((name, getattr(self, name)) for name in ("added", "changed", "removed"))
        return "; ".join(f"{name} {shortened(keys)}" for name, keys in parts if keys)


def shortened(names: list[str]) -> str:
    """The first of ``names``, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def collect(settings: Settings) -> Found:
    """Reads and checks every definition that ``settings`` name. A bad file is a finding, the rest goes on.

    Raises ``FaultlineError`` when a directory that was given is not there.
    """
    places = [
        *directories(settings.rules, "rules"),
        *directories(settings.playbooks, "playbooks"),
        *directories([settings.values] if settings.values else value_files(None), "values"),
    ]
    return _unique(check_files(_apart(places)))


def directories(given: Iterable[Path], name: str) -> list[Path]:
    """The directories to read: those given, else ``./NAME`` where there is one, else those shipped.

    Raises ``FaultlineError`` when one that was given is not there.
    """
    chosen = list(given)
    for place in chosen:
        if not place.exists():
            raise FaultlineError(f"{name}: {place} is not there")
    if chosen or name == "values":
        return chosen
    own = Path.cwd() / name
    return [own if own.is_dir() else shipped(name)]


def publish(bootstrap: str, found: Found, *, prune: bool = False) -> Differences:
    """Puts live what differs from what the topic holds.

    What files no longer hold is taken away with ``prune``, else only named; what an
    operator put live under a name of its own stays either way. Raises ``BrokerUnavailable``.
    """
    live = held(bootstrap)
    wanted = {key(item.kind, item.name): item for item in found.definitions}
    # A file that is refused now leaves its earlier version in force.
    refused = {finding.path for finding in found.findings}
    differences = Differences()
    by = author()
    records = []
    for name, item in wanted.items():
        if name not in live:
            differences.added.append(name)
        elif _differs(live[name], item):
            differences.changed.append(name)
        else:
            continue
        records.append(record("UPSERT", item, FILES, by))
    for name, known in live.items():
        path = known.get("definition", {}).get("path", "")
        if known.get("source") != FILES or name in wanted or path in refused:
            continue
        if not prune:
            differences.left.append(name)
            continue
        differences.removed.append(name)
        kind, _, own = name.partition("/")
        gone = msgspec.convert({"kind": kind, "name": own}, Definition)
        records.append(record("DELETE", gone, FILES, by))
    if records:
        send(bootstrap, records)
    return differences


def _differs(known: dict[str, object], item: Definition) -> bool:
    definition = known.get("definition")
    if known.get("source") != FILES and isinstance(definition, dict):
        # The parameters that an operator gave it go with the same text.
        return bool(definition.get("text") != item.text)
    return bool(definition != msgspec.to_builtins(item))


def _apart(places: Iterable[Path]) -> Iterator[Path]:
    """``places`` without those that lie in another."""
    resolved = {place.resolve(): place for place in places}
    for whole, place in resolved.items():
        if not any(parent in resolved for parent in whole.parents):
            yield place


def _unique(files: list[Checked]) -> Found:
    """The first file that has a name keeps it; a later one is a finding."""
    found = Found()
    kept: dict[str, Definition] = {}
    for checked in files:
        found.findings += [finding for finding in checked.findings if finding.level == "error"]
        item = checked.definition
        if item is None:
            continue
        first = kept.setdefault(key(item.kind, item.name), item)
        if first is not item:
            message = f"the name {item.name!r} is taken by {first.path}; give this one another"
            found.findings.append(Finding(item.path, 1, 1, "name-taken", message))
    found.definitions += kept.values()
    return found
