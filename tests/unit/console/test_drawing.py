from __future__ import annotations

import io
from typing import Any

from rich.console import Console
from rich.tree import Tree

from pipeline.console.drawing import cause_tree, impact_tree, suspect_tree, topology_tree


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


WAY = [{"key": "switch/s", "label": ""}, {"key": "host/h", "label": "attached"}]


def test_a_root_shows_its_circle_and_its_way_down_the_topology() -> None:
    down = alarm("down", "host/h")
    root = {
        "alarm": alarm("x", "switch/s", since="2026-01-05T10:00:00.000000Z"), "path": ["x", "down"],
        "explains": 1, "circle": ["x", "y"], "way": WAY,
    }  # fmt: skip
    found = {"alarm": down, "roots": [root], "edges": [], "alarms": {"down": down}}
    assert drawn(cause_tree(found))[1:4] == [
        "1. ▲ CRITICAL x  since 2026-01-05 10:00:00  explains 1",
        "in a circle of causes with y",
        "topology: switch/s → attached host/h",
    ]


def test_suspects_show_when_they_came_and_the_way() -> None:
    since = "2026-01-05T10:00:00.000000Z"
    suspects = [
        {"alarm": alarm("fan", "switch/s", since=since), "way": WAY, "distance": 1, "earlier": True},
        {"alarm": alarm("cpu", "host/h", since=since), "way": WAY[1:], "distance": 0, "earlier": False},
    ]
    assert drawn(suspect_tree({"suspects": suspects}))[1:] == [
        "1. ▲ CRITICAL fan  since 2026-01-05 10:00:00, before it",
        "switch/s → attached host/h",
        "2. ▲ CRITICAL cpu  since 2026-01-05 10:00:00, after it",
        "on the same entity",
    ]


def test_impact_shows_what_is_hit_and_counts_the_rest() -> None:
    def hit(key: str, *path: str, affected: bool = True, alarms: tuple[str, ...] = ()) -> dict[str, Any]:
        steps = [
            {"kind": "entity", "key": one, "label": "contains" if at else ""} for at, one in enumerate(path)
        ]
        return {**entity(key), "affected": affected, "alarms": list(alarms), "path": steps}

    vm = hit("vm/v", "host/h", "rack/r", "vm/v", alarms=("cut",))
    calm = [hit(f"vm/{number:02d}", "host/h", f"vm/{number:02d}", affected=False) for number in range(60)]
    found = {
        "entity": entity("host/h"), "entities": [vm, *calm], "affected": 1,
        "alarms": [alarm("own", "host/h", caused=False), alarm("cut", "vm/v", caused=True)],
    }  # fmt: skip
    lines = drawn(impact_tree(found))
    assert lines[:6] == [
        "host/h",
        "▲ CRITICAL own",
        "61 entities depend on it, 1 showing a fault",
        "1. vm/v",
        "host/h → contains rack/r → contains vm/v",
        "▲ CRITICAL cut  caused from here",
    ]
    assert lines[6] == "60 without a fault so far"
    assert lines[-1] == "and 10 more; --json has all"
    alone = {**found, "entities": [], "affected": 0, "alarms": []}
    assert drawn(impact_tree(alone))[1] == "0 entities depend on it, none showing a fault"
