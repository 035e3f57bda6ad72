"""The language in tables: what is accepted, what is refused where and why, what is warned about."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipeline.document import read
from pipeline.errors import InvalidDocument
from pipeline.workflow.definition import check

TABLES = sorted((Path(__file__).parent / "language").glob("*.yaml"))
ROWS = [
    pytest.param(row, id=f"{path.stem}-{number}")
    for path in TABLES
    for number, row in enumerate(yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader), 1)
]


def findings(text):
    try:
        return check(read(text, "wf.yaml", aliases=False))
    except InvalidDocument as error:
        return list(error.findings)


@pytest.mark.parametrize("row", ROWS)
def test_a_document(row):
    found = findings(row["document"])
    errors = [each for each in found if each.level == "error"]
    first = [(each.message, [each.line, each.column]) for each in errors[:1]]
    if "error" in row:
        ((message, place),) = first
        assert message.startswith(row["error"])
        assert place == row["at"]
    else:
        assert first == []
    assert sorted({each.code for each in found if each.level == "warning"}) == row.get("warnings", [])
    assert all(each.line >= 1 and each.column >= 1 and each.code for each in found)
