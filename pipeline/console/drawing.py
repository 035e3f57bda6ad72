"""The graph as trees for the terminal: what contains what, and what caused what."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from rich.text import Text
from rich.tree import Tree

from .tables import STYLES, cell, moment

CONTAINS = ("contains", "comprised")
Node = tuple[str, str]
SHOWN = 50


def topology_tree(data: dict[str, Any]) -> Tree:
    """What ``/api/topology`` answers as a tree along ``contains``.

    Each entity has its state and, below it, its active alarms; other relationships stand
    under their source. What nothing contains stands at the top, by domain.
    """
    entities: dict[Node, dict[str, Any]] = {(one["domain"], one["key"]): one for one in data["entities"]}
    inside: dict[Node, list[Node]] = {}
    others: dict[Node, list[tuple[str, str]]] = {}
    contained: set[Node] = set()
    for edge in data["relationships"]:
        source, target = (edge["domain"], _key(edge["source"])), (edge["domain"], _key(edge["target"]))
        if source not in entities or target not in entities:
            continue
        if edge["type"] in CONTAINS:
            inside.setdefault(source, []).append(target)
            contained.add(target)
        else:
            others.setdefault(source, []).append((edge["type"], target[1]))
    alarms: dict[Node, list[dict[str, Any]]] = {}
    for alarm in data["alarms"]:
        alarms.setdefault((alarm["domain"], f"{alarm['resource_type']}/{alarm['resource_id']}"), []).append(
            alarm
        )

    drawn: set[Node] = set()

    def draw(node: Node, branch: Tree) -> None:
        drawn.add(node)
        below = branch.add(entity_line(entities[node]))
        for alarm in alarms.get(node, []):
            below.add(alarm_line(alarm))
        for label, target in others.get(node, []):
            below.add(Text(f"{label} → {target}", style="dim"))
        for inner in inside.get(node, []):
            if inner in drawn:
                below.add(Text(f"{inner[1]} (drawn above)", style="dim"))
            else:
                draw(inner, below)

    tops = [node for node in entities if node not in contained]
    domains = sorted({domain for domain, _ in entities})
    tree = Tree(_count(data), guide_style="dim")
    for domain in domains:
        branch = tree if len(domains) == 1 else tree.add(Text(f"domain {domain}", style="bold"))
        for node in tops:
            if node[0] == domain:
                draw(node, branch)
        for node in entities:
            # A ring of containment has no top.
            if node[0] == domain and node not in drawn:
                draw(node, branch)
    return tree


def cause_tree(found: dict[str, Any]) -> Tree:
    """What ``/api/rca`` answers: under each root, the path down to the alarm that was asked for."""
    tree = Tree(alarm_line(found["alarm"], full=True), guide_style="dim")
    rules = {(edge["source"], edge["target"]): edge["rules"] for edge in found["edges"]}
    for number, root in enumerate(found["roots"], 1):
        line = Text(f"{number}. ")
        line.append(alarm_line(root["alarm"], full=True))
        since = root["alarm"].get("since")
        line.append(f"  since {moment(since)}" if since else "", style="dim")
        line.append(f"  explains {root['explains']}", style="dim")
        branch = tree.add(line)
        if root.get("circle"):
            ring = ", ".join(key for key in root["circle"] if key != root["alarm"]["key"])
            branch.add(Text(f"in a circle of causes with {ring}", style="dim"))
        if root.get("way") and len(root["way"]) > 1:
            branch.add(Text(f"topology: {way(root['way'])}", style="dim"))
        for source, target in pairwise(root["path"]):
            step = Text("causes ", style="dim")
            step.append(alarm_line(found["alarms"].get(target, {"key": target}), full=True))
            named = rules.get((source, target), [])
            step.append(f"  by {', '.join(named)}" if named else "", style="dim")
            branch = branch.add(step)
    return tree


def suspect_tree(found: dict[str, Any]) -> Tree:
    """The suspects of ``/api/rca``: alarms where the alarm's entity leans on something."""
    tree = Tree(Text("no rule joins these to it, but it depends on where they are:"), guide_style="dim")
    for number, one in enumerate(found["suspects"], 1):
        line = Text(f"{number}. ")
        line.append(alarm_line(one["alarm"], full=True))
        when = "before it" if one["earlier"] else "after it"
        line.append(f"  since {moment(one['alarm']['since'])}, {when}", style="dim")
        branch = tree.add(line)
        branch.add(Text(way(one["way"]) if one["distance"] else "on the same entity", style="dim"))
    return tree


def impact_tree(found: dict[str, Any]) -> Tree:
    """What ``/api/impact`` answers: what is hit with its alarms and the way there; the rest by name."""
    tree = Tree(entity_line(found["entity"]), guide_style="dim")
    alarms = {one["key"]: one for one in found["alarms"]}
    own = [one for one in found["alarms"] if _on(one) == found["entity"]["key"]]
    for alarm in own:
        tree.add(alarm_line(alarm, full=True))
    hit = [one for one in found["entities"] if one["affected"] or one["alarms"]]
    rest = [one for one in found["entities"] if not (one["affected"] or one["alarms"])]
    branch = tree.add(
        Text(
            f"{many(len(found['entities']), 'entity depends', 'entities depend')} on it,"
            f" {found['affected'] or 'none'} showing a fault"
        )
    )
    for number, entity in enumerate(hit, 1):
        line = Text(f"{number}. ", style="not bold")
        below = branch.add(line + entity_line(entity))
        if len(entity["path"]) > 2 or any(step["kind"] == "alarm" for step in entity["path"]):
            below.add(Text(way(entity["path"]), style="dim"))
        for key in entity["alarms"]:
            shown = alarm_line(alarms[key], full=True)
            shown.append("  caused from here" if alarms[key]["caused"] else "", style="dim")
            below.add(shown)
    if rest:
        quiet = branch.add(Text(f"{len(rest)} without a fault so far", style="dim"))
        for entity in rest[:SHOWN]:
            quiet.add(entity_line(entity))
        if len(rest) > SHOWN:
            quiet.add(Text(f"and {len(rest) - SHOWN} more; --json has all", style="dim"))
    elsewhere = {key for one in found["entities"] for key in one["alarms"]} | {one["key"] for one in own}
    for alarm in found["alarms"]:
        if alarm["key"] not in elsewhere:
            tree.add(alarm_line(alarm, full=True).append("  on what is not known", style="dim"))
    return tree


def many(count: int, one: str, more: str) -> str:
    """A number with its noun."""
    return f"{count} {one if count == 1 else more}"


def way(steps: list[dict[str, str]]) -> str:
    """Steps with their labels, as one line."""
    parts = [f"{step['label']} {step['key']}" if step["label"] else step["key"] for step in steps]
    return " → ".join(parts)


def entity_line(entity: dict[str, Any]) -> Text:
    """One entity: key, name where it differs, state; a placeholder is called one."""
    line = Text(entity["key"], style="bold")
    if entity.get("name") and entity["name"] != entity["id"]:
        line.append(f" ({entity['name']})", style="not bold")
    if entity.get("placeholder"):
        return line.append("  placeholder", style="dim italic")
    state = entity.get("aggregated_state") or entity.get("state") or ""
    if state:
        operational = entity.get("operational_state") or ""
        line.append("  ")
        line.append(state, style=f"not bold {STYLES.get(operational, '')}")
    return line


def alarm_line(alarm: dict[str, Any], *, full: bool = False) -> Text:
    """One alarm: severity, name (or its key in ``full``), and whether a rule deduced it."""
    severity = alarm.get("operational_severity") or alarm.get("severity") or "?"
    line = Text()
    line.append("▲ ", style=STYLES.get(severity, ""))
    line.append(severity, style=STYLES.get(severity, ""))
    line.append(f" {alarm['key'] if full else alarm['name']}")
    if alarm.get("deduced"):
        line.append("  deduced", style="italic dim")
    if alarm.get("status") == "CLEARED":
        line.append("  cleared", style="dim")
    return line


def _count(data: dict[str, Any]) -> Text:
    words: Iterable[str] = (
        f"{len(data['entities'])} entities",
        f"{len(data['relationships'])} relationships",
        f"{len(data['alarms'])} active alarms",
    )
    return cell(", ".join(words))


def _key(ref: dict[str, str]) -> str:
    return f"{ref['type']}/{ref['id']}"


def _on(alarm: dict[str, Any]) -> str:
    return f"{alarm['resource_type']}/{alarm['resource_id']}"
