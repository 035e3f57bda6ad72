from __future__ import annotations

from pathlib import Path

from pipeline.history.database import statements
from pipeline.history.rows import COLUMNS


def test_statements_end_with_a_semicolon_at_the_end_of_a_line() -> None:
    text = "-- a; comment\nCREATE TABLE x (a String DEFAULT ';'\n);\n\n  -- more;\nSELECT 1;\n;\n"
    assert statements(text) == ["CREATE TABLE x (a String DEFAULT ';'\n)", "SELECT 1"]


def test_every_column_that_rows_fill_is_in_its_table(checkout: Path) -> None:
    tables: dict[str, set[str]] = {}
    migrations = sorted((checkout / "infra" / "clickhouse").glob("[0-9]*.sql"))
    for statement in [one for path in migrations for one in statements(path.read_text())]:
        lines = [line.strip() for line in statement.splitlines()]
        name = lines[0].rpartition(".")[2]
        if lines[0].startswith("CREATE TABLE"):
            body = lines[lines.index("(") + 1 : lines.index(")")]
            tables[name] = {line.split()[0].strip("`") for line in body if not line.startswith("INDEX")}
        elif lines[0].startswith("ALTER TABLE"):
            tables[name] |= {
                line.split()[5].strip("`") for line in lines[1:] if line.startswith("ADD COLUMN")
            }
    tables.pop("positions")
    assert tables == {table: set(columns) for table, columns in COLUMNS.items()}
