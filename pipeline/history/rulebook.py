"""Definitions as history has them: which are live, and the text that a revision stood for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from ..document import meant
from ..errors import InvalidDocument, NotFound
from ..events import Definition
from ..graph.undo import Undo
from ..graph.values import Values
from ..rules.clause import Clause
from ..rules.engine import Engine
from ..rules.reading import parse
from ..rules.ruleset import RuleSet
from ..rules.template import Scenario, Template
from .reading import Reading

_TEXT = "kind, name, revision, path, parameters, text, event_time"


@dataclass(frozen=True, slots=True)
class Compiled:
    """A live rule ready to be walked; ``error`` says why it takes no part ("" when it does), ``shadow``
    that nothing comes of what it deduces."""

    name: str
    revision: str
    clauses: tuple[Clause, ...]
    values: Values
    error: str
    shadow: bool = False


def text(history: Reading, name: str, revision: str, until: str | None = None) -> dict[str, Any] | None:
    """The rule ``name`` as it was put live in that ``revision``, last before ``until``; None where history
    never saw it."""
    before = " AND event_time <= parseDateTime64BestEffort({until:String}, 6, 'UTC')" if until else ""
    # A clock that differs, or a record that came late, must not hide the only text there is.
    for condition in dict.fromkeys((before, "")):
        found = history.rows(
            f"SELECT {_TEXT} FROM faultline.definitions WHERE kind = 'RULE' AND name = {{name:String}}"
            f" AND revision = {{revision:String}} AND op = 'UPSERT'{condition}"
            " ORDER BY epoch DESC, `offset` DESC LIMIT 1",
            name=name,
            revision=revision,
            **({"until": until} if condition and until else {}),
        )
        if found:
            return found[0]
    return None


def live(history: Reading, name: str) -> str | None:
    """The revision of a rule that is live now; None when it was taken away."""
    found = history.rows("SELECT revision FROM faultline.rules_now WHERE name = {name:String}", name=name)
    return str(found[0]["revision"]) if found else None


def scenario(history: Reading, row: dict[str, Any], number: int) -> tuple[Template, Scenario] | None:
    """The template of a rule's text and one of its scenarios; None when it can no longer be read."""
    definition = _definition(row)
    try:
        template, _ = parse(definition.text, definition.path or "-", definition.parameters, {})
    except InvalidDocument:
        try:
            template, _ = parse(
                definition.text, definition.path or "-", definition.parameters, _included(history)
            )
        except InvalidDocument:
            return None
    found = next((one for one in template.scenarios if one.index == number), None)
    return None if found is None else (template, found)


def excerpt(row: dict[str, Any], template: Template, number: int) -> str:
    """The lines of the text that spell a scenario."""
    lines = row["text"].splitlines()
    marks = [template.document.at(*each.place).line for each in template.scenarios]
    first = template.document.at(*template.scenarios[number].place).line if number < len(marks) else 1
    last = min((mark for mark in marks if mark > first), default=len(lines) + 1)
    cut = lines[first - 1 : last - 1]
    while cut and (not cut[-1].strip() or cut[-1].lstrip().startswith("#")):
        cut.pop()
    return "\n".join(cut)


def compiled(history: Reading, name: str) -> Compiled:
    """The live rule ``name``, compiled with the includes, equivalences and values that are live.

    Raises ``NotFound`` when there is none of that name.
    """
    standing = history.rows(
        "SELECT kind, name, revision, op, reason, mode FROM ("
        " SELECT kind, name, log_partition, argMax(r.op, (r.epoch, r.log_offset, r.n)) AS op,"
        " argMax(r.revision, (r.epoch, r.log_offset, r.n)) AS revision,"
        " argMax(r.reason, (r.epoch, r.log_offset, r.n)) AS reason,"
        " argMax(r.mode, (r.epoch, r.log_offset, r.n)) AS mode FROM faultline.rules AS r"
        " WHERE r.op NOT IN ('REPEATED', 'IGNORED') AND r.kind IN ('RULE', 'VALUES')"
        " GROUP BY kind, name, log_partition)"
        " WHERE op != 'REMOVED' ORDER BY kind, name, op = 'ERROR' DESC LIMIT 1 BY kind, name"
    )
    rules = {row["name"]: row for row in standing if row["kind"] == "RULE"}
    known = rules.get(name)
    if known is None:
        hint = meant(name, rules, "faultline rules list shows those that are")
        raise NotFound(f"no rule {name!r} is live; {hint}")
    engine = Engine()
    book, undo = RuleSet(engine), Undo()
    texts = _texts(history)
    for row in standing:
        kept = texts.get((row["kind"], row["name"], row["revision"]))
        if kept is None:
            continue
        # Other rules say nothing about this one: only what it may include and what stands for its entities.
        if row["kind"] == "VALUES" or row["name"] == name or "scenarios" not in kept["text"]:
            book.put(undo, _definition(kept))
    engine.values = book.mapping(undo)
    book.compile(undo)
    rule = book.rules.get(name)
    if rule is None:
        error = "history does not have its text: it was put live before texts were kept"
        return Compiled(name, known["revision"], (), engine.values, error)
    error = known["reason"] if known["op"] == "ERROR" else rule.error
    shadow = known["mode"] == "shadow"
    return Compiled(name, known["revision"], tuple(rule.clauses), engine.values, error, shadow)


def _texts(history: Reading) -> dict[tuple[str, str, str], dict[str, Any]]:
    found = history.rows(
        f"SELECT {_TEXT} FROM faultline.definitions WHERE op = 'UPSERT' AND kind IN ('RULE', 'VALUES')"
        " ORDER BY epoch DESC, `offset` DESC LIMIT 1 BY kind, name, revision"
    )
    return {(row["kind"], row["name"], row["revision"]): row for row in found}


def _included(history: Reading) -> dict[str, Template]:
    """The definition templates that there are, by name."""
    found: dict[str, Template] = {}
    for row in _texts(history).values():
        if row["kind"] != "RULE" or "scenarios" in row["text"]:
            continue
        definition = _definition(row)
        try:
            template, _ = parse(definition.text, definition.path or "-", definition.parameters)
        except InvalidDocument:
            continue
        if template.kind == "definition":
            found.setdefault(template.name, template)
    return found


def _definition(row: dict[str, Any]) -> Definition:
    parameters = msgspec.json.decode(row["parameters"] or "{}", type=dict[str, str])
    return Definition(row["kind"], row["name"], row["text"], row["path"], parameters)
