"""Explanations for the terminal: why an alarm is there, why a rule does not hold."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import dedent, indent
from typing import Any

from rich.text import Text
from rich.tree import Tree

from .drawing import alarm_line, entity_line, many
from .tables import STYLES, moment, table

#: The condition of an element is shown without what every alarm or resource says.
_SILENT = ("category", "vitrage_category")
_FIRST = ("type", "vitrage_type")
NEAREST = 3


def explanation(found: dict[str, Any], *, whole: bool = False) -> list[Any]:
    """What ``/api/explain`` answers; ``whole`` shows all of the rule's text."""
    alarm, records = found["alarm"], found["records"]
    began = records[0]["event_time"] if records else alarm["since"]
    ended = next(
        (one["event_time"] for one in reversed(records) if one["what"] in ("CLEARED", "REMOVED")), None
    )
    shown: list[Any] = [
        alarm_line({**alarm, "status": "CLEARED" if ended else "ACTIVE"}, full=True),
        f"from {moment(began)} to {moment(ended)}" if ended else f"since {moment(began)}",
    ]
    rule = found["rule"]
    if rule is not None:
        shown += ["", *_rule(rule, whole=whole), "", _head("MATCH"), _match(found["match"])]
    shown += ["", _head("RECORDS" if rule else "REPORTS"), _records(records, deduced=bool(alarm["deduced"]))]
    repeated = found["repeated"]
    if repeated and repeated["count"]:
        often = "once" if repeated["count"] == 1 else f"{repeated['count']} times"
        shown.append(f"said again {often}, last at {moment(repeated['last'])}")
    if found["chain"] is not None:
        shown += ["", _head("CHAIN, down to what was reported"), _chain(found["chain"])]
    elif not alarm["deduced"]:
        resource = f"{alarm['resource_type']}/{alarm['resource_id']}"
        shown += ["", Text(f"no rule made it: {alarm['source']} reported it."
                           f" What follows from it: faultline impact {resource}", style="dim")]  # fmt: skip
    return shown


def why_not(found: dict[str, Any]) -> list[Any]:
    """What ``/api/why-not`` answers: a tree for each scenario, and alternative of one, that speaks of it."""
    rule, entity = found["rule"], found["entity"]
    line = Text(rule["name"], style="bold")
    verdict = "holds" if found["holds"] else "does not hold"
    if found["waits"] and not found["holds"]:
        verdict = "holds, as far as the present tells,"
    line.append(f" {verdict} for ", style="not bold")
    shown: list[Any] = [line + _thing(entity)]
    if rule["shadow"]:
        said = "the rule is in shadow mode, nothing comes of what it deduces; see faultline rules promote"
        shown.append(Text(said, style=STYLES["WARNING"]))
    if rule["error"]:
        shown.append(Text(f"the rule is in ERROR and takes no part: {rule['error']}", style=STYLES["ERROR"]))
    for number, alternatives in _alike(found["walks"]).items():
        walk = alternatives[0]
        title = f"scenario {number[0]}: {' '.join(walk['condition'].split())}"
        if len(alternatives) > 1:
            title += f"  ({len(alternatives)} alternatives)"
        tree = Tree(Text(title), guide_style="dim")
        for at in range(len(walk["elements"])):
            _element(tree, [each["elements"][at] for each in alternatives], first=not at)
        if walk["count"]:
            few = (
                "" if walk["count"] == len(walk["matches"]) else f", {len(walk['matches'])} of them are shown"
            )
            branch = tree.add(Text(f"it holds: {many(walk['count'], 'match', 'matches')}{few}"))
            for match in walk["matches"]:
                branch.add(", ".join(f"{name}: {key}" for name, key in match.items()))
            if walk["waits"]:
                branch.add(Text(walk["waits"]))
        shown += ["", tree]
    if not found["walks"] and not rule["error"]:
        shown.append("it has no scenarios: it says what others may include, or what stands for one another")
    silent = sorted({walk["scenario"] for walk in found["walks"] if not walk["start"]})
    if silent:
        which = f"scenario{'s' if len(silent) > 1 else ''} {', '.join(map(str, silent))}"
        verb = "say" if len(silent) > 1 else "says"
        # What its elements are is the same in all alternatives of a scenario, seldom in several scenarios.
        reasons = {
            each["reason"] for walk in found["walks"] if not walk["start"] for each in walk["elements"]
        }
        spoken = sorted({reason.rpartition(": it ")[2] for reason in reasons})
        more = f": it {spoken[0]}" if len(spoken) == 1 and spoken[0] else ""
        shown += ["", Text(f"{which} {verb} nothing of a {entity['type']}{more}", style="dim")]
    return shown


def _rule(rule: dict[str, Any], *, whole: bool) -> list[Any]:
    name = _head("RULE ")
    name.append(f"{rule['name']}, scenario {rule['scenario']}", style="not dim bold")
    about = [f"revision {rule['revision']}"]
    if rule["live_since"]:
        about.append(f"live since {moment(rule['live_since'])}")
    if rule["path"]:
        about.append(rule["path"])
    about += [f"{key}={value}" for key, value in rule["parameters"].items()]
    name.append(f"  ({', '.join(about)})", style="dim not bold")
    if rule["live"] is None:
        about = ["this is how it was; it has been taken away since"]
    elif rule["live"] != rule["revision"]:
        about = [f"this is how it was; it has been changed since, to revision {rule['live']}"]
    else:
        about = []
    after = [Text(text, style="dim") for text in about]
    if rule["text"] is None:
        unknown = "its text is not known: it was put live before history kept texts"
        return [name, Text(unknown, style="dim"), *after]
    text = rule["text"].rstrip() if whole or not rule["excerpt"] else rule["excerpt"]
    return [name, Text(indent(dedent(text), "  ")), *after]


def _match(match: list[dict[str, Any]]) -> Any:
    rows = []
    for one in match:
        alarm, entity = one.get("alarm"), one.get("entity")
        then = ""
        if alarm is not None:
            then = alarm["operational_severity"] or alarm["severity"]
        elif entity is not None:
            then = entity["aggregated_state"] or entity["state"] or ""
        rows.append([one["element"], _wants(one["wants"]), one["key"], then])
    return table(["ELEMENT", "WANTS", "WAS", "THEN"], rows)


def _records(records: list[dict[str, Any]], *, deduced: bool) -> Any:
    columns = ["TIME", "WHAT", "SEVERITY", "RECORD", "FROM", "LOG"]
    rows = []
    for one in records:
        what = (
            one["what"] + (" (late)" if one["late"] else "") + (f" {one['reason']}" if one["reason"] else "")
        )
        log = f"{one['log']['topic']}[{one['log']['partition']}]@{one['log']['offset']}"
        row = [_exact(one["event_time"]), what, one["severity"], one["record"], _origin(one["origin"]), log]
        rows.append([*row, one["said"]] if deduced else row)
    return table([*columns, "BECAUSE OF"] if deduced else columns, rows)


def _chain(node: dict[str, Any]) -> Tree:
    tree = Tree(_link(node), guide_style="dim")
    _grow(tree, node)
    return tree


def _grow(tree: Tree, node: dict[str, Any]) -> None:
    for below in node["from"]:
        line = Text(f"{below['as']}: ", style="dim")
        _grow(tree.add(line + _link(below)), below)


def _link(node: dict[str, Any]) -> Text:
    if "entity" in node:
        line = Text(f"{node['entity']}  ")
        line.append(node["state"], style=STYLES.get(node["operational_state"], ""))
        return line.append(f"  set by {node['rule']} at {moment(node['event_time'])}", style="dim")
    line = alarm_line({**node, "key": node["alarm"], "deduced": False}, full=True)
    if node["deduced"]:
        why = f"  deduced by {node['rule']}, scenario {node['scenario']}, at {moment(node['event_time'])}"
        return line.append(why + (" (told above)" if node["again"] else ""), style="dim")
    origin = _origin(node["origin"])
    by = f" in record {node['record']}" + (f", {origin}" if origin else "")
    return line.append(f"  reported at {moment(node['event_time'])}{by}", style="dim")


def _alike(walks: list[dict[str, Any]]) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    """Walks of scenarios that speak of the entity; alternatives that miss the same element together, as
    those that equivalences make."""
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for walk in walks:
        if walk["start"]:
            elements = tuple((each["what"], each["holds"]) for each in walk["elements"])
            apart = walk["alternative"] if walk["count"] else None
            found.setdefault((walk["scenario"], walk["start"], elements, apart), []).append(walk)
    return found


def _element(tree: Tree, alternatives: list[dict[str, Any]], *, first: bool) -> None:
    element = alternatives[0]
    line = Text("✓ " if element["holds"] else "✗ ", style=STYLES["OK" if element["holds"] else "ERROR"])
    line.append(element["what"], style="bold")
    if element["holds"]:
        more = element["count"] - len(element["found"])
        if element["found"]:
            line.append(f"  {', '.join(element['found'])}{f' and {more} more' if more > 0 else ''}")
        tree.add(line)
        return
    negative = element["what"].startswith("NOT ")
    # The first is the entity itself.
    counts = element["what"].startswith("having ")
    found = "is not met" if counts else "finds no partner"
    why = "is violated" if negative else "cannot be this one" if first else found
    line.append(f"  {why}", style=STYLES["ERROR"])
    branch = tree.add(line)
    if not negative:
        for wants in dict.fromkeys(_wants(each["wants"]) for each in alternatives):
            branch.add(Text(f"wanted: {wants}", style="dim"))
    # What differs least says most, once for each that came near.
    misses = sorted(
        (
            (miss["why"].count("; "), miss["key"], miss["why"])
            for each in alternatives
            for miss in each["misses"]
        ),
        reverse=True,
    )
    nearest = {key: (differences, key, why) for differences, key, why in misses}
    for _, key, reason in sorted(nearest.values())[:NEAREST]:
        branch.add(Text(f"{key}: {reason}"))
    for reason in dict.fromkeys(each["reason"] for each in alternatives if each["reason"]):
        branch.add(Text(reason))


def _thing(entity: dict[str, Any]) -> Text:
    if entity["category"] == "ALARM":
        return alarm_line({**entity, "name": entity["key"]})
    return entity_line(entity)


def _wants(wants: Mapping[str, str]) -> str:
    ordered = sorted(wants.items(), key=lambda want: (want[0] not in _FIRST, want[0]))
    return ", ".join(f"{name}: {value}" for name, value in ordered if name not in _SILENT)


def _origin(origin: dict[str, Any] | None) -> str:
    return f"{origin['topic']}[{origin['partition']}]@{origin['offset']}" if origin else ""


def _head(text: str) -> Text:
    return Text(text, style="dim")


def _exact(text: str) -> str:
    """A time to the millisecond: which came first matters here."""
    return text[:23].replace("T", " ")
