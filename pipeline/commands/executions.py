"""What playbooks did and do: the latest executions, or one with its tasks and actions."""

from __future__ import annotations

import argparse
from typing import Any

from rich.text import Text
from rich.tree import Tree

from .. import settings
from ..console import tables
from ..console.client import segment
from ..console.source import source

SUMMARY = "what playbooks did and do"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", nargs="?", help="one execution, with its tasks and actions")
    parser.add_argument("--limit", type=int, default=100, metavar="N", help="the latest N (default 100)")
    tables.configure(parser)


def run(args: argparse.Namespace) -> int:
    with source(settings.load(args)) as history:
        if args.id is None:
            found = history.get("/api/executions", limit=args.limit)
        else:
            found = history.get(f"/api/executions/{segment(args.id)}")
    if args.json:
        tables.show_json(found)
    elif args.id is None:
        rows = [
            [
                one["id"],
                one["workflow"],
                one["state"],
                tables.moment(one["started_at"]),
                tables.span(one["started_at"], one["ended_at"]),
                one["state_info"],
            ]
            for one in found
        ]
        columns = ["EXECUTION", "WORKFLOW", "STATE", "STARTED", "TOOK", "INFO"]
        tables.show(tables.table(columns, rows) if rows else "no executions")
    else:
        tables.show(drawn(found))
    return 0


def drawn(execution: dict[str, Any]) -> Tree:
    """An execution as a tree: its tasks in order, under each its actions."""
    tree = Tree(_line(execution["workflow"], execution, execution["id"]), guide_style="dim")
    for name in ("started_by", "input", "output"):
        if execution[name] is not None:
            tree.add(_value(name.replace("_", " "), execution[name]))
    for task in execution["tasks"]:
        branch = tree.add(_line(task["name"], task))
        for name in ("published", "result"):
            if task[name]:
                branch.add(_value(name, task[name]))
        for action in task["actions"]:
            leaf = branch.add(
                _line(action["name"], action, f"attempt {action['attempt']}" if action["attempt"] else "")
            )
            for name in ("input", "result"):
                if action[name] is not None:
                    leaf.add(_value(name, action[name]))
        for child in execution["children"]:
            if child["task"] == task["id"]:
                branch.add(_line(child["workflow"], child, child["id"]))
    return tree


def _line(name: str, one: dict[str, Any], more: str = "") -> Text:
    line = Text(name, style="bold")
    line.append("  ")
    line.append(one["state"], style=f"not bold {tables.STYLES.get(one['state'], '')}")
    took = tables.span(one["started_at"], one["ended_at"])
    for words in (tables.moment(one["started_at"]), took, more):
        if words:
            line.append(f"  {words}", style="not bold dim")
    if one["state_info"]:
        line.append(f"  {one['state_info']}", style="not bold")
    return line


def _value(name: str, value: Any) -> Text:
    return Text.assemble((f"{name} ", "dim"), tables.cell(value))
