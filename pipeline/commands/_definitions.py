"""What ``faultline rules`` and ``faultline workflows`` have in common: definitions of a running pipeline."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..author import author
from ..document import meant
from ..errors import FaultlineError, InvalidCall, NotFound
from ..events import FILES

WAIT = 30.0
LARGEST = 2 * 2**20
"""Of one request; the API takes twice as much."""
NOUNS = {
    "RULE": "rule",
    "VALUES": "value mapping",
    "WORKFLOW": "playbook",
    "TRIGGER": "document of triggers",
    "ENVIRONMENT": "environment",
}
ELSEWHERE = {
    "playbook": "use faultline workflows add",
    "triggers": "use faultline triggers add",
    "environment": "use faultline environments add",
    "standard": "use faultline rules add",
}
Entries = list[dict[str, Any]]


def configure(parser: argparse.ArgumentParser, kinds: Sequence[str]) -> None:
    """Gives ``parser`` the verbs for definitions of ``kinds``; the first is the one meant by a name."""
    from .. import settings

    noun = NOUNS[kinds[0]]
    known = "add|remove|promote|list|show|status" if kinds[0] == "RULE" else "add|remove|list|show|status"
    verbs = parser.add_subparsers(dest="verb", required=True, metavar=known)

    def verb(name: str, text: str) -> argparse.ArgumentParser:
        return verbs.add_parser(name, help=text, description=text)

    add = verb("add", f"check {noun}s and put them live, or none of them if one is refused")
    add.add_argument("paths", metavar="PATH", nargs="+", type=Path, help="files, or directories to search")
    remove = verb("remove", f"take a {noun} away")
    show = verb("show", f"print the text of a {noun} as it is live")
    changing = [add, remove]
    listing = verb("list", "what is live: revision, where from, state, matches")
    status = verb("status", "the same with the reason of each error")
    for one in (remove, show):
        one.add_argument("name", metavar="NAME", help="exactly this name")
    if kinds[0] == "RULE":
        add.add_argument(
            "--param", metavar="K=V", action="append", default=[], help="the value of a parameter"
        )
        shadow = "in shadow mode: what they would deduce is recorded, and nothing else comes of it"
        add.add_argument("--shadow", action="store_true", help=shadow)
        promote = verb("promote", "let a rule that is in shadow mode deduce in earnest")
        promote.add_argument("name", metavar="NAME", help="exactly this name")
        changing.append(promote)
        for one in (remove, show, listing, status):
            one.add_argument("--mapping", action="store_true", help="of value mappings instead of rules")
    else:
        add.add_argument("--namespace", metavar="NAME", help="where their workflows are looked for first")
    for one in (show, listing):
        one.add_argument("--history", action="store_true", help="who changed what, and when")
    for one in changing:
        one.add_argument("--by", metavar="NAME", help="who changes it (default: the user), kept in history")
        one.add_argument(
            "--wait",
            metavar="SECONDS",
            type=float,
            default=WAIT,
            help=f"how long to wait until it holds in all partitions (default {WAIT:g})",
        )
    for one in (*changing, show, listing, status):
        one.add_argument("--json", action="store_true", help="one JSON document instead of a table")
        settings.add_arguments(one, "data", "api", "token")


def run(args: argparse.Namespace, kinds: Sequence[str]) -> int:
    """Carries out the verb. Raises ``NotRunning``, ``NotFound`` and what the API says is wrong."""
    from .. import settings
    from ..console.client import Client
    from ..local import instance

    kind = "VALUES" if getattr(args, "mapping", False) else kinds[0]
    if getattr(args, "history", False):
        return _history(args, kind)
    found = instance.find(settings.load(args))
    client = Client(found.api, found.token)
    entries: Entries = client.get("/api/definitions")
    if args.verb == "add":
        return _add(args, client, entries, kinds)
    own = [entry for entry in entries if entry["kind"] == kind]
    if args.verb == "remove":
        return _remove(args, client, _named(own, args, kind), entries)
    if args.verb == "promote":
        return _promote(args, client, _named(own, args, kind), entries)
    if args.verb == "show":
        return _show(_named(own, args, kind), args.json)
    _list(own, args.json, args.verb == "status")
    return 0


def _add(args: argparse.Namespace, client: Any, live: Entries, kinds: Sequence[str]) -> int:
    import msgspec

    from ..checking import check_files
    from ..events import Definition
    from ..rehearsal.cases import is_test
    from .validate import parameters

    known = [msgspec.convert(entry, Definition) for entry in live if entry["text"]]
    # A pattern of the shell such as rules/* also names the tests beside the rules.
    paths = [path for path in args.paths if not is_test(path)]
    try:
        files = check_files(paths, parameters(getattr(args, "param", [])), known)
    except InvalidCall:
        raise
    except FaultlineError as error:
        raise InvalidCall(str(error)) from error
    if not files:
        raise InvalidCall(f"no file to add at or below {', '.join(map(str, args.paths))}")
    refused = 0
    names: dict[tuple[str, str], str] = {}
    for checked in files:
        for finding in checked.findings:
            print(finding if finding.level == "error" else f"{finding} (warning)", file=sys.stderr)
        refused += not checked.accepted
        if checked.definition is not None:
            one = checked.definition
            other = names.setdefault((one.kind, one.name), checked.path)
            if one.kind not in kinds or other != checked.path:
                what = f"this is a {checked.kind}; {ELSEWHERE.get(checked.kind, 'it cannot be added here')}"
                text = what if one.kind not in kinds else f"the name {one.name!r} is also that of {other}"
                print(f"{checked.path}:1:1: kind: {text}", file=sys.stderr)
                refused += 1
        elif checked.accepted:
            print(f"{checked.path}:1:1: kind: a {checked.kind} cannot be put live", file=sys.stderr)
            refused += 1
    if refused:
        print(f"{len(files)} checked, {refused} refused; nothing was changed", file=sys.stderr)
        return 1
    before = {(entry["kind"], entry["name"]): entry for entry in live}
    told: Entries = []
    changes: Entries = []
    for checked in files:
        assert checked.definition is not None
        definition = msgspec.to_builtins(checked.definition)
        definition["path"] = str(Path(checked.path).resolve())
        if getattr(args, "namespace", None):
            # Documents are told apart by name: the same one may live in several namespaces.
            definition["name"] = f"{args.namespace}/{definition['name']}"
            definition["parameters"] = {"namespace": args.namespace}
        if getattr(args, "shadow", False):
            definition["mode"] = "shadow"
        was = before.get((definition["kind"], definition["name"]))
        fields = {"parameters": {}, "mode": "", **definition}
        same = was is not None and all(
            was[field] == fields[field] for field in ("text", "parameters", "mode")
        )
        outcome = "unchanged" if same else "added" if was is None else "changed"
        told.append({"kind": definition["kind"], "name": definition["name"], "outcome": outcome})
        # Again, where it does not hold everywhere yet, or was set aside over a record.
        if not same or (was is not None and was["state"] not in ("ACTIVE", "SHADOW")):
            changes.append({"op": "UPSERT", "definition": definition})
    return _change(args, client, changes, told, live)


def _remove(args: argparse.Namespace, client: Any, entry: Mapping[str, Any], live: Entries) -> int:
    definition = {"kind": entry["kind"], "name": entry["name"]}
    return _change(
        args,
        client,
        [{"op": "DELETE", "definition": definition}],
        [{**definition, "outcome": "removed"}],
        [one for one in live if one is not entry],
    )


def _promote(args: argparse.Namespace, client: Any, entry: Mapping[str, Any], live: Entries) -> int:
    if entry["state"] == "ACTIVE":
        print(f"unchanged rule {entry['name']}: it is not in shadow mode")
        return 0
    definition = {key: entry[key] for key in ("kind", "name", "text", "path", "parameters")}
    change = {"op": "UPSERT", "definition": {**definition, "mode": "active"}}
    told = {"kind": entry["kind"], "name": entry["name"], "outcome": "promoted"}
    return _change(args, client, [change], [told], live)


def _change(args: argparse.Namespace, client: Any, changes: Entries, told: Entries, live: Entries) -> int:
    """Sends, waits, and tells what came of it; 1 unless all of it holds."""
    from ..console import tables

    answer: dict[str, Any] = {"settled": True, "detail": "", "errors": []}
    by = author(args.by)
    while changes:
        part, changes = _portion(changes)
        # They hold in the order of the topic: it is enough to wait for the last.
        wait = 0 if changes else args.wait
        body = {"changes": part, "wait": wait, "by": by}
        answer = client.post("/api/definitions", body, patience=wait + 60)
    mine = {entry["name"] for entry in told if entry["kind"] == "RULE" and entry["outcome"] != "removed"}
    before = {entry["name"] for entry in live if entry["kind"] == "RULE" and entry["state"] == "ERROR"}
    # Also what was well before: a rule may have lost what it includes.
    errors = [one for one in answer["errors"] if one["name"] in mine or one["name"] not in before]
    if args.json:
        tables.show_json(
            {"changes": told, "holds": answer["settled"], "detail": answer["detail"], "errors": errors}
        )
    else:
        for entry in told:
            print(f"{entry['outcome']} {NOUNS[entry['kind']]} {entry['name']}")
        if not answer["settled"]:
            print(f"not in force in all partitions yet: {answer['detail']}", file=sys.stderr)
        for error in errors:
            print(f"{error['name']}: ERROR: {error['reason']}", file=sys.stderr)
    return 0 if answer["settled"] and not errors else 1


def _portion(changes: Entries) -> tuple[Entries, Entries]:
    """As many changes as go into one request, at least one, and the rest."""
    size = 0
    for number, change in enumerate(changes):
        size += len(change["definition"].get("text", "")) * 2
        if number and size > LARGEST:
            return changes[:number], changes[number:]
    return changes, []


def _named(entries: Entries, args: argparse.Namespace, kind: str) -> dict[str, Any]:
    """The one of exactly this name. Raises ``NotFound`` with the nearest."""
    names = {entry["name"]: entry for entry in entries}
    if args.name not in names:
        hint = meant(args.name, names, f"see faultline {args.command} list")
        raise NotFound(f"no {NOUNS[kind]} {args.name!r} is live; {hint}")
    return names[args.name]


def _show(entry: dict[str, Any], as_json: bool) -> int:
    from ..console import tables

    if as_json:
        tables.show_json(entry)
    else:
        # Not by way of print: the text goes out byte for byte.
        sys.stdout.flush()
        sys.stdout.buffer.write(entry["text"].encode())
        sys.stdout.buffer.flush()
    return 0


def _list(entries: Entries, as_json: bool, reasons: bool) -> None:
    from ..console import tables

    if as_json:
        tables.show_json([{key: value for key, value in entry.items() if key != "text"} for entry in entries])
        return
    columns = [
        "NAME",
        "KIND",
        "REVISION",
        "STATE",
        "MATCHES",
        *(["REASON"] if reasons else ["FROM", "SINCE"]),
    ]
    rows = [
        [
            *(entry[key] for key in ("name", "kind", "revision", "state", "matches")),
            *([entry["reason"]] if reasons else [_origin(entry), tables.moment(entry["time"])]),
        ]
        for entry in entries
    ]
    tables.show(tables.table(columns, rows) if rows else "none is live")
    if reasons and entries:
        states = [entry["state"] for entry in entries]
        tables.show(", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(sorted(states))))


def _origin(entry: Mapping[str, Any]) -> str:
    """The file it came from, and who put it live where that was not the pipeline at its start."""
    parameters = "".join(f" {key}={value}" for key, value in entry["parameters"].items())
    by = f" by {entry['by']}" if entry["by"] and entry["source"] != FILES else ""
    return f"{entry['path'] or entry['source']}{parameters}{by}"


def _history(args: argparse.Namespace, kind: str) -> int:
    """Every change to definitions of ``kind``, or to one of them, as history has it."""
    from .. import settings
    from ..console import tables
    from ..console.source import source

    with source(settings.load(args)) as history:
        found = history.get("/api/definitions/history", kind=kind, name=getattr(args, "name", None))
    if args.json:
        tables.show_json(found)
        return 0
    columns = ["TIME", "NAME", "WHAT", "REVISION", "BY", "FROM", "REASON"]
    rows = [
        [
            tables.moment(one["event_time"]),
            one["name"],
            one["what"],
            one["revision"],
            one["by"],
            one["path"],
            one["reason"],
        ]
        for one in found
    ]
    tables.show(tables.table(columns, rows) if rows else f"no {NOUNS[kind]} was ever changed here")
    return 0
