"""The files that tests play, checked once for all tests of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..events import Definition
from ..simulate import accepted

Key = tuple[tuple[Path, ...], tuple[tuple[str, str], ...]]


@dataclass(slots=True)
class Shelf:
    """What has been read so far; many tests play the same rules and value mappings."""

    _read: dict[Key, list[Definition]] = field(default_factory=dict)

    def take(self, paths: Sequence[Path], parameters: Mapping[str, str] | None = None) -> list[Definition]:
        """The definitions at ``paths``. Raises ``BadLine`` naming what is wrong with those refused."""
        given = dict(parameters or {})
        key = (tuple(paths), tuple(sorted(given.items())))
        if key not in self._read:
            files = accepted(paths, given)
            self._read[key] = [one.definition for one in files if one.definition is not None]
        return self._read[key]
