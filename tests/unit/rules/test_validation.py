"""What is accepted and refused, row by row: the tables beside this file change one template each.

A row has a ``name``; ``condition``, ``action``, ``metadata`` or ``version`` in place of the base's own,
lines to ``drop``, texts to ``change``; ``params`` given to it. It is refused with ``code``, or accepted,
perhaps with a ``warning``; the finding stands ``at`` a place of that text and ``says`` a text.
``vitrage`` is what Vitrage says of the same template where that is something else (0: accepts it); it has
none of what stands in ``extensions.yaml``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.document import Finding
from pipeline.errors import InvalidDocument
from pipeline.graph.hygiene import parse as parse_hygiene
from pipeline.rules.reading import parse

TABLES = Path(__file__).parent / "validation"
BASES = yaml.load((TABLES / "bases.yaml").read_text(), yaml.BaseLoader)
METADATA = {"1": "{name: cpu, version: 1}", "2": "{name: cpu, version: 2, type: standard}"}
ROWS = [
    pytest.param(base, row, id=f"{path.stem}: {base}: {row['name']}")
    for path in sorted(TABLES.glob("*.yaml"))
    if path.stem != "bases"
    for base, rows in yaml.load(path.read_text(), yaml.BaseLoader).items()
    for row in rows
]


def text_of(base: str, row: dict[str, Any]) -> str:
    """The template of a row."""
    form = BASES[base]
    text = form["text"].replace("<metadata>", row.get("metadata", METADATA[row.get("version", "2")]))
    for key in ("condition", "action"):
        text = text.replace(f"<{key}>", row.get(key, form.get(key, "")))
    lines = text.splitlines(keepends=True)
    text = "".join(line for line in lines if not any(part in line for part in row.get("drop", ())))
    for old, new in row.get("change", ()):
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def findings_of(base: str, row: dict[str, Any], text: str) -> list[Finding]:
    """Everything that is told of the template."""
    try:
        if base == "hygiene":
            parse_hygiene(text)
            return []
        names = row.get("with", ("definition", "more", "single")) if base == "including" else ()
        included = {each.name: each for each in (parse(BASES[name]["text"])[0] for name in names)}
        return parse(text, parameters=row.get("params"), included=included)[1]
    except InvalidDocument as error:
        return [finding for finding in error.findings if isinstance(finding, Finding)]


def places(text: str, part: str) -> set[tuple[int, int]]:
    """The line and column of each occurrence of ``part``."""
    before = [text[: found.start()] for found in re.finditer(re.escape(part), text)]
    return {(each.count("\n") + 1, len(each) - each.rfind("\n")) for each in before}


@pytest.mark.parametrize(("base", "row"), ROWS)
def test_row(base: str, row: dict[str, Any]) -> None:
    text = text_of(base, row)
    found = findings_of(base, row, text)
    refused = [each for each in found if each.level == "error"]
    assert bool(refused) == ("code" in row), found
    code = row.get("code") or row.get("warning")
    if code is None:
        assert not found
        return
    about = [each for each in found if each.code == code]
    assert about, found
    if "at" in row:
        assert places(text, row["at"]) & {(each.line, each.column) for each in about}, about
    if "says" in row:
        assert any(row["says"] in each.message for each in found), found


def test_every_table_has_rows() -> None:
    assert len(ROWS) > 300
