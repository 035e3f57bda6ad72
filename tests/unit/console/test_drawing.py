from __future__ import annotations

import io
from typing import Any

from rich.console import Console
from rich.tree import Tree

from pipeline.console.drawing import cause_tree, topology_tree


def drawn(tree: Tree) -> list[str]:
    """The lines of a tree without its guides."""
    output = io.StringIO()
    Console(file=output, width=200).print(tree)
    return [line.lstrip(" │├└─").rstrip() for line in output.getvalue().splitlines()]


def entity(key: str, domain: str = "default", **more: Any) -> dict[str, Any]:
    identity = key.partition("/")[2]
    return {"domain": domain, "key": key, "id": identity, "name": identity, "state": "", **more}


def edge(source: str, label: str, target: str, domain: str = "default") -> dict[str, Any]:
    ends = [dict(zip(("type", "id"), key.split("/"), strict=True)) for key in (source, target)]
    return {"domain": domain, "source": ends[0], "type": label, "target": ends[1]}


def alarm(key: str, on: str, **more: Any) -> dict[str, Any]:
    kind, _, identity = on.partition("/")
    return {
        "domain": "default", "key": key, "name": key, "resource_type": kind, "resource_id": identity,
        "operational_severity": "CRITICAL", "deduced": False, "status": "ACTIVE", **more,
    }  # fmt: skip


def test_the_tree_follows_containment_and_shows_states_alarms_and_other_edges() -> None:
    lines = drawn(
        topology_tree(
            {
                "entities": [
                    entity("zone/z"),
                    entity("host/h", aggregated_state="ERROR", operational_state="ERROR"),
                    entity("vm/v", name="web"),
                    entity("net/n", placeholder=True),
                ],
                "relationships": [
                    edge("zone/z", "contains", "host/h"),
                    edge("host/h", "contains", "vm/v"),
                    edge("vm/v", "attached", "net/n"),
                    edge("host/h", "contains", "vm/gone"),
                ],
                "alarms": [alarm("port [red]down[/red]", "host/h"), alarm("cut off", "vm/v", deduced=True)],
            }
        )
    )
    assert lines == [
        "4 entities, 4 relationships, 2 active alarms",
        "zone/z",
        "host/h  ERROR",
        "▲ CRITICAL port [red]down[/red]",
        "vm/v (web)",
        "▲ CRITICAL cut off  deduced",
        "attached → net/n",
        "net/n  placeholder",
    ]


def test_rings_and_shared_parts_are_drawn_once() -> None:
    lines = drawn(
        topology_tree(
            {
                "entities": [entity("a/1"), entity("a/2"), entity("a/3"), entity("b/1", domain="east")],
                "relationships": [
                    edge("a/1", "contains", "a/2"),
                    edge("a/2", "contains", "a/1"),
                    edge("a/3", "contains", "a/2"),
                ],
                "alarms": [],
            }
        )
    )
    assert lines[1:] == [
        "domain default", "a/3", "a/2", "a/1", "a/2 (drawn above)", "domain east", "b/1"
    ]  # fmt: skip


def test_causes_are_drawn_from_each_root_down() -> None:
    down = alarm("app", "vm/v", deduced=True)
    lines = drawn(
        cause_tree(
            {
                "alarm": down,
                "roots": [
                    {"alarm": alarm("port", "host/h"), "path": ["port", "vm", "app"], "explains": 2},
                    {"alarm": {"key": "unknown"}, "path": ["unknown", "app"], "explains": 1},
                ],
                "edges": [{"source": "vm", "target": "app", "rules": ["r", "s"]}],
                "alarms": {"app": down, "vm": alarm("vm", "vm/v")},
            }
        )
    )
    assert lines == [
        "▲ CRITICAL app  deduced",
        "1. ▲ CRITICAL port  explains 2",
        "causes ▲ CRITICAL vm",
        "causes ▲ CRITICAL app  deduced  by r, s",
        "2. ▲ ? unknown  explains 1",
        "causes ▲ CRITICAL app  deduced",
    ]
