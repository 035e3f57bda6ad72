"""Run a workflow without a broker: actions are answered from a script, time passes at once."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from ..document import Document, read, read_file
from ..errors import InvalidCall, InvalidDocument
from ..events import Definition
from ..ids import identify
from ..times import SECOND

SUMMARY = "run a workflow without a broker"


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument("file", metavar="FILE", type=Path, help="a playbook: workflows or a workbook")
    parser.add_argument(
        "workflow", metavar="WORKFLOW", nargs="?", help="which one; not needed when there is one"
    )
    parser.add_argument("--input", metavar="JSON|@FILE", default="{}", help="the input of the workflow")
    parser.add_argument("--env", metavar="JSON|@FILE", help="the environment, what env() gives")
    parser.add_argument(
        "--params", metavar="JSON|@FILE", default="{}", help="other parameters, such as task_name"
    )
    parser.add_argument(
        "--answers", metavar="FILE", type=Path, help="YAML: what actions return, and events at times"
    )
    parser.add_argument("--real-time", action="store_true", help="let waits and delays really pass")


def run(args: argparse.Namespace) -> int:
    """Prints what became of the execution; 0 when it is SUCCESS, 1 otherwise."""
    from ..actions.harmless import perform_harmless
    from ..workflow import answers
    from ..workflow.run import Runner, report

    document, name = chosen(args.file, args.workflow)
    given, params = mapping(args.input, "--input"), mapping(args.params, "--params")
    if args.env is not None:
        params["env"] = mapping(args.env, "--env")
    try:
        script = answers.read(read_file(args.answers)) if args.answers else answers.Answers()
    except InvalidDocument as error:
        raise InvalidCall(str(error)) from error
    definition = Definition("WORKFLOW", str(args.file), document.text, str(args.file))
    runner = Runner([definition], script, perform_harmless)
    root = identify("run", name, json.dumps(given, sort_keys=True), json.dumps(params, sort_keys=True))
    target = {"root": root, "execution": root}
    begin = runner.now
    runner.start({"command": "START", **target, "workflow": name, "input": given, "params": params})
    for at, command, value in script.events:
        asked = {"command": command.upper(), **target, **answers.fields(command, value)}
        runner.plan(begin + round(at * SECOND), asked)
    if args.real_time:
        in_real_time(runner, begin)
    else:
        runner.advance()
    told = report(runner, root)
    json.dump(told, sys.stdout, indent=2, ensure_ascii=False)
    print()
    return 0 if told["state"] == "SUCCESS" else 1


def chosen(path: Path, name: str | None) -> tuple[Document, str]:
    """The document and the name of the workflow to run. Raises ``InvalidCall`` when there is no such."""
    from ..workflow.definition import load

    try:
        document = read_file(path, aliases=False)
        names = [workflow.name for workflow in load(document)]
    except InvalidDocument as error:
        raise InvalidCall(str(error)) from error
    if name is None and len(names) != 1:
        raise InvalidCall(f"{path} has {len(names)} workflows; name one of: {', '.join(names)}")
    if name is not None and name not in names:
        raise InvalidCall(f"{path} has no workflow {name!r}; it has: {', '.join(names)}")
    return document, name or names[0]


def mapping(text: str, option: str) -> dict[str, Any]:
    """The JSON (or YAML) object given on the command line or in ``@FILE``."""
    try:
        if text.startswith("@"):
            text = Path(text[1:]).read_text(encoding="utf-8")
        value = json.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidCall(f"{option}: {error}") from error
    except ValueError:
        try:
            value = read(text).value
        except InvalidDocument as error:
            raise InvalidCall(f"{option} is not a JSON object: {error}") from error
    if not isinstance(value, dict):
        raise InvalidCall(f'{option} is a JSON object such as \'{{"vm_id": "vm-1"}}\'')
    return value


def in_real_time(runner: Any, begin: int) -> None:
    """Lets what falls due happen when it does."""
    started = time.monotonic()
    while (due := runner.due()) is not None:
        left = (due - begin) / SECOND - (time.monotonic() - started)
        if left > 0:
            time.sleep(left)
        runner.advance(due)
