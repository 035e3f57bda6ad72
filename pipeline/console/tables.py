"""Tables for people, documents for programs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .. import settings

STYLES = {
    "CRITICAL": "bold red",
    "SEVERE": "red",
    "WARNING": "yellow",
    "OK": "green",
    "ACTIVE": "bold",
    "CLEARED": "dim",
    "ERROR": "bold red",
    "SUCCESS": "green",
    "RUNNING": "cyan",
    "PAUSED": "magenta",
    "HELD": "bold magenta",
    "UNDOING": "yellow",
    "CANCELLED": "dim",
    "SKIPPED": "dim",
    "SUBOPTIMAL": "yellow",
    "DELETED": "dim",
}
#: Wide enough for a key where the output goes to a file, which has no width of its own.
WIDE = 220


def configure(parser: argparse.ArgumentParser) -> None:
    """The flags that every reading command has."""
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    settings.add_arguments(parser, "data", "api", "token", "clickhouse")


def show(*renderables: Any) -> None:
    """Prints to standard output, without colours where it is no terminal."""
    console = Console() if sys.stdout.isatty() else Console(width=WIDE, no_color=True)
    for renderable in renderables:
        console.print(renderable, soft_wrap=False)


def show_json(value: Any) -> None:
    """Prints one JSON document."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    print()


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> Table:
    """A table; values are shown as they are, never as markup."""
    drawn = Table(
        title=title, title_justify="left", box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0)
    )
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*[cell(value) for value in row])
    return drawn


def cell(value: Any) -> Text:
    """``value`` as one cell: words with a meaning in their colour."""
    if isinstance(value, Text):
        return value
    if value is None:
        return Text("")
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    text = str(value)
    return Text(text, style=STYLES.get(text, ""))


def moment(text: str | None) -> str:
    """A time to the second, as people read it."""
    return text[:19].replace("T", " ") if text else ""


def span(start: str | None, end: str | None) -> str:
    """How long from ``start`` to ``end``; nothing while one of them is missing."""
    if not start or not end:
        return ""
    from ..times import micros, normalize

    seconds = (micros(normalize(end)) - micros(normalize(start))) / 1_000_000
    return f"{seconds:.2f} s" if seconds < 60 else f"{int(seconds) // 60} min {int(seconds) % 60} s"
