"""Plays the tests of a file, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import FaultlineError
from . import cases
from .cases import Case
from .compare import Difference
from .shelf import Shelf


@dataclass(frozen=True, slots=True)
class Result:
    """What a test came to: where it stands, and the lines of the file that expected something else."""

    path: str
    line: int
    name: str
    differences: tuple[tuple[int, str], ...] = ()

    @property
    def passed(self) -> bool:
        return not self.differences


def run(path: Path, shelf: Shelf) -> Iterator[Result]:
    """The result of each test of the file. Raises ``InvalidDocument`` when it is no test file."""
    for case in cases.read(path):
        yield play(case, shelf)


def play(case: Case, shelf: Shelf) -> Result:
    """The result of one test."""
    # Each language is loaded only where a test needs it: an author waits for the answer.
    if case.of_workflow:
        from . import playbooks as player
    else:
        from . import rules as player  # type: ignore[no-redef]
    try:
        found = player.play(case, shelf)
    except FaultlineError as error:
        # One test that cannot be played says nothing of the others.
        found = [Difference((), str(error))]
    lines = tuple((case.line(*one.steps), one.message) for one in found)
    return Result(case.path, case.line(), case.name, lines)
