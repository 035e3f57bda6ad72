"""Check rules, playbooks, value mappings, topics and schemas: accepted or refused, and why."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ..errors import FaultlineError, InvalidCall

SUMMARY = "check rules, playbooks, topics and schemas"


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of ``validate``."""
    parser.add_argument("paths", metavar="PATH", nargs="+", type=Path, help="files, or directories to search")
    parser.add_argument(
        "--param", metavar="K=V", action="append", default=[], help="the value of a parameter"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON list instead of lines")


def parameters(given: list[str]) -> dict[str, str]:
    """``K=V`` arguments as a mapping. Raises ``InvalidCall``."""
    found: dict[str, str] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise InvalidCall(f"--param {text}: write NAME=VALUE")
        found[name] = value
    return found


def run(args: argparse.Namespace) -> int:
    """Checks the files; 1 if any is refused."""
    from ..checking import SUFFIXES, check_files

    try:
        files = check_files(args.paths, parameters(args.param))
    except InvalidCall:
        raise
    except FaultlineError as error:
        raise InvalidCall(str(error)) from error
    if not files:
        places = ", ".join(map(str, args.paths))
        raise InvalidCall(f"nothing to check below {places}: files end in {', '.join(SUFFIXES)}")
    if args.json:
        print(json.dumps([_object(checked) for checked in files], indent=2, ensure_ascii=False))
    else:
        for checked in files:
            for finding in checked.findings:
                print(finding if finding.level == "error" else f"{finding} (warning)")
        refused = sum(not checked.accepted for checked in files)
        print(f"{len(files)} checked, {refused} refused", file=sys.stderr)
    return 0 if all(checked.accepted for checked in files) else 1


def _object(checked: Any) -> dict[str, Any]:
    return {
        "path": checked.path,
        "kind": checked.kind,
        "name": checked.name,
        "accepted": checked.accepted,
        "findings": [
            {
                "line": finding.line,
                "column": finding.column,
                "code": finding.code,
                "level": finding.level,
                "message": finding.message,
            }
            for finding in checked.findings
        ],
    }
