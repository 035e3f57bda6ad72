"""What an expression can see: variables in layers, and facts about the execution."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipeline.ids import identify


class Facts(Protocol):
    """What Mistral's functions ask of the engine; every answer is plain data."""

    def task(self, name: str | None) -> dict[str, Any] | None:
        """The newest task of that name, without a name the current one; None when there is none."""

    def tasks(
        self, execution: str | None, recursive: bool, state: str | None, flat: bool
    ) -> list[dict[str, Any]]:
        """All tasks of an execution."""

    def execution(self) -> dict[str, Any]:
        """The current execution."""

    def executions(self, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The executions known here that fit."""

    def env(self) -> Mapping[str, Any]:
        """The environment of the root execution."""

    def globals(self) -> Mapping[str, Any]:
        """Variables of the execution: ``vars`` and what was published globally."""


class View(Mapping[str, Any]):
    """Layers of variables; the first that holds a name wins."""

    __slots__ = ("layers",)

    def __init__(self, *layers: Mapping[str, Any]) -> None:
        self.layers = [layer for layer in layers if layer]

    def __getitem__(self, name: str) -> Any:
        for layer in self.layers:
            if name in layer:
                return layer[name]
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(name in layer for layer in self.layers)

    def __iter__(self) -> Iterator[str]:
        return iter(self.flat())

    def __len__(self) -> int:
        return len(self.flat())

    def flat(self) -> dict[str, Any]:
        """The layers as one dict."""
        result: dict[str, Any] = {}
        for layer in reversed(self.layers):
            result.update(layer)
        return result


class Nothing:
    """Facts where there is no execution: expressions over plain data."""

    def task(self, name: str | None) -> dict[str, Any] | None:
        return None

    def tasks(
        self, execution: str | None, recursive: bool, state: str | None, flat: bool
    ) -> list[dict[str, Any]]:
        return []

    def execution(self) -> dict[str, Any]:
        return {}

    def executions(self, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
        return []

    def env(self) -> Mapping[str, Any]:
        return {}

    def globals(self) -> Mapping[str, Any]:
        return {}


@dataclass(slots=True)
class Seed:
    """Where ``uuid()`` and ``random()`` come from: the record that is being applied."""

    record: str = ""
    time: int = 0
    drawn: int = 0

    def draw(self) -> str:
        """The next id of this record; the same ones again when the record is applied again."""
        self.drawn += 1
        return identify("drawn", self.record, self.drawn)


@dataclass(frozen=True, slots=True)
class Scope:
    """All that one evaluation may read: ``view`` is ``$``, most often variables."""

    view: Any
    facts: Facts = field(default_factory=Nothing)
    seed: Seed = field(default_factory=Seed)


def data(scope: Scope) -> Any:
    """``$`` as plain data."""
    return scope.view.flat() if isinstance(scope.view, View) else scope.view
