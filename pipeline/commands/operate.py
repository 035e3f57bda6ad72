"""Operates an execution: the command is put in the order of what happens to it, and takes effect there.

It waits for the answer: where the command cannot be obeyed it prints why, and the exit status is 1."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ..workflow.records import REPORTS
from . import _sending

SUMMARY = "operate an execution"
WAIT = 10.0


def configure(parser: argparse.ArgumentParser) -> None:
    command = parser.get_default("command")
    parser.add_argument("id", metavar="ID", help="the execution")
    parser.add_argument("--root", metavar="ID", help="the execution that it belongs to, if it is not its own")
    parser.add_argument("--message", default="", metavar="TEXT", help="why; it is kept")
    told = f"how long to wait until it is carried out or refused, 0 not at all (default {WAIT:g})"
    parser.add_argument("--wait", type=float, default=WAIT, metavar="SECONDS", help=told)
    if command == "stop":
        parser.add_argument("--state", choices=["SUCCESS", "ERROR"], default="ERROR", help="how it ends")
    elif command in ("resume", "rerun"):
        parser.add_argument("--env", metavar="JSON|@FILE", help="values for its environment, an object")
    if command in ("rerun", "skip", "complete"):
        parser.add_argument("--task", required=True, metavar="NAME", help="the task's name")
    if command == "rerun":
        parser.add_argument("--failed", action="store_true", help="of its items, only those that failed")
    elif command == "complete":
        parser.add_argument("--action", metavar="ID", help="the action execution, where there are several")
        parser.add_argument("--state", choices=REPORTS, default="SUCCESS", help="what it came to, or is in")
        parser.add_argument("--result", metavar="JSON|@FILE", help="the result")
    elif command == "approve":
        said = "the role that decides; not needed where only one is waited for"
        parser.add_argument("--as", dest="role", default="", metavar="ROLE", help=said)
        parser.add_argument("--reject", action="store_true", help="decide against it")
        parser.add_argument("--comment", default="", metavar="TEXT", help="why; it is kept")
        parser.add_argument("--task", metavar="NAME", help="which approval, where several wait")
        parser.add_argument("--action", metavar="ID", help="the same, by its action execution")
    if command in ("cancel", "stop"):
        parser.add_argument("--undo", action="store_true", help="first undo what its tasks did (compensate)")
    _sending.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    told = _sending.operate(args, _record(args), args.wait)
    if told is None or not args.wait:
        return 0
    if told.get("refused"):
        print(f"{args.command} refused: {told['refused']}", file=sys.stderr)
        return 1
    if not told.get("settled"):
        print(
            f"sent, but not yet carried out after {args.wait:g} s: {told.get('detail')};"
            f" see faultline executions {args.id}",
            file=sys.stderr,
        )
    return 0


def _record(args: argparse.Namespace) -> dict[str, Any]:
    record: dict[str, Any] = {
        "command": args.command.upper(),
        "root": args.root or "",
        "execution": args.id,
        "message": args.message,
    }
    given = vars(args)
    for name in ("state", "task", "action", "role", "comment"):
        if given.get(name) is not None:
            record[name] = given[name]
    if "reject" in given:
        record["approve"] = not args.reject
    if given.get("undo"):
        record["undo"] = True
    if "failed" in given:
        record["reset"] = not args.failed
    if given.get("env") is not None:
        record["env"] = _sending.mapping(args.env, "--env")
    if given.get("result") is not None:
        record["result"] = _sending.document(args.result, "--result")
    return record
