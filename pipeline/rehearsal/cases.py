"""Test files (``NAME.test.yaml``): found, read, and checked before anything is played."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..document import Document, Finding, Step, meant, read_file
from ..errors import InvalidCall, InvalidDocument

ENDINGS = (".test.yaml", ".test.yml")
SECTIONS = ("alarms", "states", "causes", "workflows")
OUTCOME = ("state", "state_info", "output", "tasks")
BOTH = ("name", "playbooks", "answers", "expect")
OF_RULES = (*BOTH, "rules", "shadow", "values", "parameters", "events", "partial")
OF_A_WORKFLOW = (*BOTH, "workflow", "input", "env", "params")
_LISTS = ("rules", "shadow", "playbooks", "events")
_MAPPINGS = ("parameters", "input", "env", "params", "expect")


@dataclass(frozen=True, slots=True)
class Case:
    """One test: ``value`` is entry ``index`` of its file, whose form has been checked."""

    document: Document
    index: int
    value: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.value["name"])

    @property
    def path(self) -> str:
        return self.document.path

    @property
    def of_workflow(self) -> bool:
        return "workflow" in self.value

    def line(self, *steps: Step) -> int:
        """The line in the file to which ``steps`` within this test lead."""
        return self.document.at(self.index, *steps).line

    def paths(self, key: str) -> list[Path]:
        """The files that ``key`` names: beside the test file, else as seen from where one stands."""
        return [self.place(path) for path in self.value.get(key) or ()]

    def place(self, path: object) -> Path:
        """``path`` as seen from the test file, else from the current directory."""
        beside = Path(self.path).parent / str(path)
        return beside if beside.exists() else Path(str(path))

    def subject(self) -> Path | None:
        """The file beside the test file that has its name: what is tested where nothing else is said."""
        own = Path(self.path)
        for ending in ENDINGS:
            if own.name.endswith(ending):
                for suffix in (".yaml", ".yml"):
                    beside = own.with_name(own.name.removesuffix(ending) + suffix)
                    if beside.is_file():
                        return beside
        return None


def is_test(path: Path) -> bool:
    """Whether a file is a test by its name."""
    return path.name.endswith(ENDINGS)


def find(paths: Iterable[Path]) -> list[Path]:
    """The test files at and below ``paths``; for a rule or playbook those beside it.

    Raises ``InvalidCall`` when a path is not there or there is no test at all.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise InvalidCall(f"{path} is not there")
        if path.is_dir():
            found |= dict.fromkeys(below for below in sorted(path.rglob("*.test.y*ml")) if is_test(below))
        elif is_test(path):
            found[path] = None
        else:
            beside = (path.with_name(path.stem + ending) for ending in ENDINGS)
            found |= dict.fromkeys(test for test in beside if test.is_file())
    if not found:
        raise InvalidCall(f"no NAME.test.yaml at or below {', '.join(map(str, paths))}")
    return list(found)


def read(path: Path) -> list[Case]:
    """The tests of a file. Raises ``InvalidDocument`` with all that is wrong with its form."""
    return of(read_file(path))


def of(document: Document) -> list[Case]:
    """The tests of a document. Raises ``InvalidDocument``."""
    if not isinstance(document.value, list):
        message = "a test file is a list of tests, each with `name`, what is played and `expect`"
        raise InvalidDocument([document.finding("test", message)])
    findings = [note for index, entry in enumerate(document.value) for note in _wrong(document, index, entry)]
    if findings:
        raise InvalidDocument(list(findings))
    return [Case(document, index, entry) for index, entry in enumerate(document.value)]


def _wrong(document: Document, index: int, entry: Any) -> Iterator[Finding]:
    def note(message: str, *steps: Step) -> Finding:
        return document.finding("test", message, index, *steps)

    if not isinstance(entry, dict):
        yield note("a test is a mapping with `name`, what is played and `expect`")
        return
    keys = OF_A_WORKFLOW if "workflow" in entry else OF_RULES
    for key in entry:
        if key not in keys:
            kind = "of a workflow" if "workflow" in entry else "of rules"
            yield note(f"a test {kind} has no {key!r}{_nearest(key, keys)}", key)
    if not isinstance(entry.get("name"), str) or not entry["name"].strip():
        yield note("a test needs a `name` that says what must happen")
    for key in _LISTS:
        if not isinstance(entry.get(key) or [], list):
            yield note(f"`{key}` is a list", key)
    for key in _MAPPINGS:
        if not isinstance(entry.get(key) or {}, dict):
            yield note(f"`{key}` is a mapping", key)
    if not isinstance(entry.get("expect"), dict):
        yield note("a test needs `expect`: what must have come of it")
        return
    if "workflow" not in entry and not entry.get("events"):
        yield note("a test of rules needs `events`, lines as in simulate")
    expected = (*OUTCOME,) if "workflow" in entry else (*SECTIONS, "shadow", "partial")
    for key, value in entry["expect"].items():
        if key not in expected:
            yield note(f"`expect` has no {key!r}{_nearest(key, expected)}", "expect", key)
        elif key in (*SECTIONS, "tasks") and not isinstance(value or [], list | dict):
            yield note(f"`{key}` is a list", "expect", key)
    shadow = entry["expect"].get("shadow")
    if shadow is not None and (not isinstance(shadow, dict) or shadow.keys() - set(SECTIONS)):
        yield note(f"`shadow` is a mapping of {', '.join(SECTIONS)}", "expect", "shadow")
    for where, holder in (((), entry), (("expect",), entry["expect"])):
        if not isinstance(holder.get("partial", False), bool):
            yield note("`partial` is true or false", *where, "partial")


def _nearest(word: object, known: Iterable[str]) -> str:
    return "; " + meant(str(word), known, f"it has {', '.join(known)}")
