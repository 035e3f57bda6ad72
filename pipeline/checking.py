"""Which kind of file a file is, and whether it is accepted: what ``validate`` tells and every loader asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .document import Document, Finding, close, read_file
from .errors import FaultlineError, InvalidDocument
from .events import Definition
from .rehearsal.cases import is_test

SUFFIXES = (".yaml", ".yml", ".avsc")


@dataclass(slots=True)
class Checked:
    """One file: its kind by content, the name under which it goes live, what is wrong with it,
    and the definition that it makes when it is one and nothing is. ``content`` is what was
    read: a rule's template, or what a playbook holds."""

    path: str
    kind: str = "unknown"
    name: str = ""
    findings: list[Finding] = field(default_factory=list)
    definition: Definition | None = None
    content: Any = None

    @property
    def accepted(self) -> bool:
        return not any(finding.level == "error" for finding in self.findings)


def find(paths: Iterable[Path]) -> Iterator[Path]:
    """The files at and below ``paths``, sorted; tests beside them (``NAME.test.yaml``) left out.

    Raises ``FaultlineError`` when a path is not there.
    """
    for path in paths:
        if not path.exists():
            raise FaultlineError(f"{path} is not there")
        if path.is_file():
            yield path
            continue
        for below in sorted(path.rglob("*")):
            if below.suffix in SUFFIXES and below.is_file() and ".test." not in below.name:
                yield below


def value_files(given: Path | None) -> list[Path]:
    """Where value mappings lie: in ``given``, else those shipped, if there are any."""
    from .resources import shipped

    if given is not None:
        return [given]
    place = shipped("infra") / "values"
    return [place] if place.is_dir() else []


def check_files(
    paths: Iterable[Path], parameters: Mapping[str, str] | None = None, live: Iterable[Definition] = ()
) -> list[Checked]:
    """Every file, checked; rules also against each other (includes, circles through NOT),
    and against ``live``, the definitions among which they are to stand."""
    files = [_read(path) for path in find(paths)]
    live = list(live)
    rules = [
        (checked, document) for checked, document in files if checked.kind in _RULES and document is not None
    ]
    if rules:
        _check_rules(rules, dict(parameters or {}), [one for one in live if one.kind in ("RULE", "VALUES")])
    for checked, document in files:
        if document is not None and checked.kind not in _RULES:
            _CHECKS[checked.kind](checked, document)
    triggers = [
        (checked, document)
        for checked, document in files
        if checked.kind == "triggers" and document is not None
    ]
    _check_starts(rules, [checked for checked, _ in files if checked.kind == "playbook"], triggers, live)
    if any(checked.kind == "playbook" for checked, _ in files):
        from . import calls

        calls.check_files(files, live)
    checked_files = [checked for checked, _ in files]
    _check_names(files)
    for checked in checked_files:
        checked.findings.sort(key=lambda finding: (finding.line, finding.column))
    return checked_files


_RULES = ("standard", "equivalence", "definition")
# The keys by which a file's kind is told.
_TELLING = (
    "metadata",
    "scenarios",
    "equivalences",
    "definitions",
    "entities",
    "triggers",
    "variables",
    "values",
    "hygiene",
)


def kind_of(value: Any) -> str:
    """The kind of a document by its content."""
    if not isinstance(value, dict):
        return "unknown"
    for key, kind in (
        ("scenarios", "standard"),
        ("equivalences", "equivalence"),
        ("definitions", "definition"),
    ):
        if key in value:
            return kind
    if "triggers" in value and value.keys() <= {"triggers", "name", "version", "description"}:
        return "triggers"
    if isinstance(value.get("variables"), dict) and not {"tasks", "workflows", "actions"} & value.keys():
        return "environment"
    # Also where the version is left out or another one, which is then what is wrong.
    told = any(isinstance(each, dict) and each.keys() & {"tasks", "base"} for each in value.values())
    if "metadata" not in value and (told or str(value.get("version")) in ("2.0", "2")):
        return "playbook"
    if "values" in value:
        return "values"
    if "hygiene" in value:
        return "hygiene"
    if {"cleanup", "description"} <= value.keys():
        return "topic"
    if "metadata" in value:
        return "standard"
    return "unknown"


def _read(path: Path) -> tuple[Checked, Document | None]:
    checked = Checked(str(path))
    if path.suffix == ".avsc":
        checked.kind, checked.name = "schema", path.stem
        _check_schema(checked, path)
        return checked, None
    try:
        if is_test(path):
            checked.kind, checked.name = "test", path.name.partition(".test.")[0]
            return checked, read_file(path)
        document = read_file(path, scalars="text")
        checked.kind = kind_of(document.value)
        if checked.kind in ("playbook", "triggers", "environment"):
            document = read_file(path, aliases=False)
        elif checked.kind == "topic":
            document = read_file(path)
    except InvalidDocument as error:
        checked.findings += _found(error)
        return checked, None
    return checked, document


def _check_rules(
    files: list[tuple[Checked, Document]], parameters: dict[str, str], live: list[Definition]
) -> None:
    from .rules.reading import name_of, parse
    from .rules.together import faults, includable

    included = includable(live)
    # Those that others include come first, whatever the order of the files.
    for checked, document in sorted(files, key=lambda entry: entry[0].kind != "definition"):
        # What hinders telling the name is told with all the rest.
        with suppress(InvalidDocument):
            checked.name = name_of(document.text, checked.path, parameters)
        try:
            template, warnings = parse(document.text, checked.path, parameters, included)
        except InvalidDocument as error:
            checked.findings += _found(error)
            continue
        checked.findings += warnings
        checked.content = template
        if template.kind == "definition":
            included[template.name] = template
        declared = document.value.get("parameters")
        own = (
            {name: parameters[name] for name in declared if name in parameters}
            if isinstance(declared, dict)
            else {}
        )
        checked.definition = Definition("RULE", template.name, document.text, checked.path, own)
    known = faults([*live, *(checked.definition for checked, _ in files if checked.definition is not None)])
    for checked, document in files:
        if checked.definition is not None and checked.name in known:
            checked.findings.append(document.finding(*known[checked.name], "metadata", "name"))
            checked.definition = None


def _check_starts(
    rules: list[tuple[Checked, Document]],
    playbooks: list[Checked],
    triggers: list[tuple[Checked, Document]],
    live: Iterable[Definition],
) -> None:
    """Rules and triggers beside playbooks, where there are: alone they cannot tell what they start."""
    from . import starts

    if not rules and not triggers:
        return
    known = starts.known([one.content for one in playbooks if one.content is not None], live)
    for checked, document in triggers if known else ():
        if checked.content is not None:
            checked.findings += starts.check_triggers(checked.content, document, known)
    for checked, document in rules:
        if known and checked.content is not None:
            checked.findings += starts.check(checked.content, document, known)


def _check_playbook(checked: Checked, document: Document) -> None:
    from .workflow import definition

    value = document.value
    names = [str(name) for name in value if name not in ("version", "name", "description", "tags")]
    book = value.get("name")
    checked.name = book if isinstance(book, str) else names[0] if len(names) == 1 else Path(checked.path).stem
    checked.content, findings = definition.parse(document)
    checked.findings += findings
    if checked.accepted:
        checked.definition = Definition("WORKFLOW", checked.name, document.text, checked.path)


def _check_triggers(checked: Checked, document: Document) -> None:
    from .workflow import triggers

    _check_beside(checked, document, triggers.parse(document), "TRIGGER")


def _check_environment(checked: Checked, document: Document) -> None:
    from .workflow import environments

    _check_beside(checked, document, environments.parse(document), "ENVIRONMENT")


def _check_beside(
    checked: Checked,
    document: Document,
    parsed: tuple[Any, list[Finding]],
    kind: Literal["TRIGGER", "ENVIRONMENT"],
) -> None:
    """What stands beside playbooks, and has its ``name`` or the file's."""
    name = document.value.get("name")
    checked.name = name if isinstance(name, str) and name else Path(checked.path).stem
    checked.content, findings = parsed
    checked.findings += findings
    if checked.accepted:
        checked.definition = Definition(kind, checked.name, document.text, checked.path)


def _check_values(checked: Checked, document: Document) -> None:
    from .graph.values import parse

    checked.name = Path(checked.path).stem
    try:
        parse(checked.name, document.text, checked.path)
    except InvalidDocument as error:
        checked.findings += _found(error)
    else:
        checked.definition = Definition("VALUES", checked.name, document.text, checked.path)


def _check_hygiene(checked: Checked, document: Document) -> None:
    from .graph.hygiene import parse

    checked.name = Path(checked.path).stem
    try:
        parse(document.text, checked.path)
    except InvalidDocument as error:
        checked.findings += _found(error)
    else:
        checked.definition = Definition("VALUES", checked.name, document.text, checked.path)


def _check_topic(checked: Checked, document: Document) -> None:
    from .kafka.declarations import declaration

    checked.name = str(document.value.get("name", ""))
    try:
        declaration(document)
    except InvalidDocument as error:
        checked.findings += _found(error)


def _check_schema(checked: Checked, path: Path) -> None:
    from .avro import schema

    try:
        schema(path.read_text(encoding="utf-8"))
    except Exception as error:  # the parser raises what it likes
        checked.findings.append(Finding(checked.path, 1, 1, "schema", f"not an Avro schema: {error}"))


def _check_test(checked: Checked, document: Document) -> None:
    from .rehearsal import cases

    try:
        listed = cases.of(document)
    except InvalidDocument as error:
        checked.findings += _found(error)
        return
    for case in listed:
        for key in ("rules", "playbooks"):
            for index, path in enumerate(case.value.get(key) or ()):
                if not case.place(path).exists():
                    message = f"{path} is not there"
                    checked.findings.append(document.finding("test", message, case.index, key, index))


def _check_unknown(checked: Checked, document: Document) -> None:
    value = document.value
    message = (
        "a rule has `scenarios`, `equivalences` or `definitions`, a playbook `version: '2.0'`, "
        "triggers `triggers`, an environment `variables`, a value mapping `values`, "
        "settings for restless alarms `hygiene`"
    )
    if value is None or value == "":
        checked.findings.append(document.finding("kind", f"the file is empty; {message}"))
    elif not isinstance(value, dict):
        what = "a list" if isinstance(value, list) else "mere text"
        checked.findings.append(document.finding("kind", f"it is {what}, where keys are expected: {message}"))
    else:
        typos = [(key, meant) for key in value if (meant := close(str(key), _TELLING))]
        for key, meant in typos:
            checked.findings.append(document.finding("kind", f"{key!r} is not known{meant}", key))
        if not typos:
            checked.findings.append(document.finding("kind", f"cannot tell what this file is: {message}"))


def _check_names(files: list[tuple[Checked, Document | None]]) -> None:
    seen: dict[tuple[str, str], Checked] = {}
    for checked, document in files:
        if checked.definition is None or document is None:
            continue
        key = (checked.definition.kind, checked.definition.name)
        first = seen.setdefault(key, checked)
        if first is not checked:
            message = f"the name {checked.name!r} is also that of {first.path}; the one put live last counts"
            place = ("metadata", "name") if checked.kind in _RULES else ("name",)
            checked.findings.append(document.finding("name-taken", message, *place, level="warning"))


def _found(error: InvalidDocument) -> list[Finding]:
    return [finding for finding in error.findings if isinstance(finding, Finding)]


_CHECKS = {
    "playbook": _check_playbook,
    "triggers": _check_triggers,
    "environment": _check_environment,
    "values": _check_values,
    "hygiene": _check_hygiene,
    "topic": _check_topic,
    "test": _check_test,
    "unknown": _check_unknown,
}
