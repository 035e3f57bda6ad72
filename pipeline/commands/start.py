"""Starts an execution of a workflow and prints its id. The same ``--id`` twice starts one."""

from __future__ import annotations

import argparse
from uuid import uuid4

from ..errors import InvalidCall
from . import _sending

SUMMARY = "start an execution of a workflow"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workflow", metavar="WORKFLOW")
    parser.add_argument("--input", metavar="JSON|@FILE", help="the workflow's input, an object")
    parser.add_argument(
        "--env",
        metavar="NAME|JSON|@FILE",
        help="its environment, what env() gives: one kept by name, or an object",
    )
    parser.add_argument("--namespace", metavar="NAME", help="where the workflow is looked for first")
    parser.add_argument("--params", metavar="JSON|@FILE", help="other parameters, such as task_name")
    parser.add_argument("--id", metavar="ID", help="the execution's id (default: a new one)")
    _sending.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    id_ = str(uuid4()) if args.id is None else args.id.strip()
    if not id_:
        raise InvalidCall("--id is empty; leave it out to have one made")
    record = {
        "command": "START",
        "root": id_,
        "execution": id_,
        "workflow": args.workflow,
        "input": _sending.mapping(args.input, "--input"),
    }
    if args.env is not None:
        env = args.env.strip()
        record["env"] = _sending.mapping(env, "--env") if env.startswith(("{", "@")) else env
    if args.namespace:
        record["namespace"] = args.namespace
    if args.params is not None:
        record["params"] = _sending.mapping(args.params, "--params")
    _sending.command(args, record, "start", id_)
    print(id_)
    return 0
