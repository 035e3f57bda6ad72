"""Play events against rules without a broker, and print every record that follows."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from ..errors import FaultlineError, InvalidCall
from .validate import parameters

SUMMARY = "play events against rules without a broker"


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of ``simulate``."""
    parser.add_argument("events", metavar="EVENTS", help="JSON lines, or - for standard input")
    parser.add_argument(
        "--rules",
        metavar="PATH",
        action="append",
        default=[],
        type=Path,
        help="a rule file or directory; again for more",
    )
    parser.add_argument(
        "--shadow",
        metavar="PATH",
        action="append",
        default=[],
        type=Path,
        help="rules in shadow mode: what they would do is told in graph.journal, and nothing comes of it",
    )
    parser.add_argument(
        "--param", metavar="K=V", action="append", default=[], help="the value of a rule's parameter"
    )
    parser.add_argument(
        "--playbooks", metavar="PATH", action="append", default=[], type=Path, help="workflows to run"
    )
    parser.add_argument("--answers", metavar="FILE", type=Path, help="what the workflows' actions return")
    parser.add_argument("--values", metavar="DIR", type=Path, help="value mappings (default: those shipped)")
    parser.add_argument(
        "--state", metavar="FILE|-", help="where to write the end state, as one JSON document"
    )


def run(args: argparse.Namespace) -> int:
    """Prints each output record as a line; 1 when a line of the events could not be applied."""
    from ..checking import value_files
    from ..simulate import BadLine, Simulation, accepted, in_shadow

    given = parameters(args.param)
    try:
        files = accepted([*args.rules, *args.shadow, *value_files(args.values)], given)
        playbooks = [
            checked.definition
            for checked in accepted(args.playbooks, {})
            if checked.definition is not None and checked.definition.kind not in ("RULE", "VALUES")
        ]
    except BadLine as error:
        print(error, file=sys.stderr)
        return 1
    except FaultlineError as error:
        raise InvalidCall(str(error)) from error
    found = [checked.definition for checked in files if checked.definition is not None]
    definitions = in_shadow(found, args.shadow)
    definitions.sort(key=lambda definition: definition.kind != "VALUES")
    workflows = _workflows(playbooks, args.answers) if args.playbooks else None
    simulation = Simulation(
        [definition for definition in definitions if definition.kind in ("RULE", "VALUES")],
        given,
        workflows,
        playbooks,
    )
    status = 0
    for number, value in _lines(args.events):
        try:
            _print(simulation.line(value))
        except (BadLine, FaultlineError) as error:
            print(f"{args.events}:{number}: {error}", file=sys.stderr)
            status = 1
    _print(simulation.finish())
    if args.state is not None:
        text = json.dumps(simulation.state(), ensure_ascii=False, indent=1) + "\n"
        if args.state == "-":
            sys.stdout.write(text)
        else:
            Path(args.state).write_text(text, encoding="utf-8")
    return status


def _workflows(playbooks: list[Any], answers: Path | None) -> Any:
    from ..document import read_file
    from ..simulate import runner
    from ..workflow import answers as scripted

    script = scripted.read(read_file(answers)) if answers is not None else None
    return runner(playbooks, script)


def _lines(path: str) -> Iterator[tuple[int, Any]]:
    if path == "-":
        yield from _decoded(sys.stdin.buffer, path)
        return
    try:
        with Path(path).open("rb") as file:
            yield from _decoded(file, path)
    except OSError as error:
        raise InvalidCall(f"{path} cannot be read: {error.strerror}") from error


def _decoded(file: IO[bytes], path: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(file, 1):
        if line.strip():
            try:
                yield number, msgspec.json.decode(line)
            except (msgspec.MsgspecError, ValueError) as error:
                raise InvalidCall(f"{path}:{number}: not a JSON line: {error}") from error


def _print(outputs: Iterable[Any]) -> None:
    for output in outputs:
        line = {"topic": output.topic, "key": output.key, "value": output.value}
        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
