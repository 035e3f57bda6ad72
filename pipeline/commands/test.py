"""Runs the tests of rules and playbooks that lie beside them (NAME.test.yaml), without a broker.

One line a test; where one fails, the lines of the test file that expected something else."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ..errors import InvalidDocument

SUMMARY = "run the tests beside rules and playbooks"


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of ``test``."""
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="+",
        type=Path,
        help="test files, directories to search, or rules and playbooks with a test beside them",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON list instead of lines")


def run(args: argparse.Namespace) -> int:
    """Prints what each test came to; 1 if any failed or could not be read."""
    from ..rehearsal import cases
    from ..rehearsal.run import run as played
    from ..rehearsal.shelf import Shelf

    shelf = Shelf()
    told: list[dict[str, Any]] = []
    passed = failed = 0
    for path in cases.find(args.paths):
        try:
            for result in played(path, shelf):
                passed += result.passed
                failed += not result.passed
                if args.json:
                    told.append(_object(result))
                else:
                    _print(result)
        except InvalidDocument as error:
            failed += 1
            if args.json:
                wrong = [{"line": 1, "message": str(error)}]
                told.append(
                    {"path": str(path), "line": 1, "name": None, "passed": False, "differences": wrong}
                )
            else:
                print(f"FAIL {path}: it cannot be played\n{_indented(str(error))}")
    if args.json:
        print(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        print(f"{passed} passed" + (f", {failed} failed" if failed else ""))
    return 1 if failed else 0


def _print(result: Any) -> None:
    mark = "ok  " if result.passed else "FAIL"
    print(f"{mark} {result.path}:{result.line}: {result.name}")
    for line, message in result.differences:
        print(_indented(message if message.startswith(result.path) else f"{result.path}:{line}: {message}"))


def _indented(text: str) -> str:
    return "\n".join(f"       {line}" for line in text.splitlines())


def _object(result: Any) -> dict[str, Any]:
    return {
        "path": result.path,
        "line": result.line,
        "name": result.name,
        "passed": result.passed,
        "differences": [{"line": line, "message": message} for line, message in result.differences],
    }
