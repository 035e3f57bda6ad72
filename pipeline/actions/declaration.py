"""What an action is: a name, an async function, the input it takes, and its effect outside."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec

from ..errors import ActionFailed, InvalidInput
from .clients import Clients
from .vault import Vault

Effect = Literal["none", "reads", "changes"]
"""``none``: computes only. ``reads``: asks something outside. ``changes``: may alter something outside."""


Secret = Annotated[str, msgspec.Meta(extra={"secret": True})]
"""The type of an input that nobody may read: it is masked wherever the host writes."""


class Pending:
    """What an action returns whose result comes later, by another's word."""


PENDING = Pending()


@dataclass(frozen=True, slots=True)
class Call:
    """Which call of which execution an action is run for; all empty outside of one."""

    workflow: str = ""
    execution: str = ""
    task: str = ""
    action: str = ""


@dataclass(slots=True)
class Context:
    """What the host lends to the actions that it runs; shared by all but for ``call``.

    ``allow`` holds the ``host:port`` that may be reached although loopback or link-local.
    ``sleep`` is how time passes: a host with virtual time gives its own. ``commands``: the
    programs that may be run on this machine. ``kafka`` and ``topics``: where records go, and
    which of Faultline's own topics playbooks may write. ``known_hosts``: the file with the keys
    of ssh servers, or ``any``. ``clouds``, ``kubeconfig``: files that name clouds and clusters.
    """

    allow: frozenset[str] = frozenset()
    cloud_url: str = ""
    cloud_token: str = ""
    sleep: Callable[[float], Awaitable[None]] | None = None
    vault: Vault = field(default_factory=Vault)
    clients: Clients = field(default_factory=Clients)
    call: Call = Call()
    commands: tuple[str, ...] = ()
    kafka: str = ""
    topics: frozenset[str] = frozenset()
    known_hosts: str = ""
    clouds: str = ""
    kubeconfig: str = ""

    async def close(self) -> None:
        """Closes what actions have opened to share."""
        await self.clients.close()


@dataclass(frozen=True, slots=True)
class Action:
    """A declared action; ``run`` takes the context and the input as keywords."""

    name: str
    function: Callable[..., Awaitable[Any]]
    effect: Effect | Callable[[Mapping[str, Any]], Effect]
    summary: str = field(default="", compare=False)

    def effect_of(self, given: Mapping[str, Any]) -> Effect:
        """What a call with the input ``given`` may do outside."""
        return self.effect(given) if callable(self.effect) else self.effect

    @property
    def inputs(self) -> Mapping[str, Any]:
        """The names of what it takes, with their types."""
        return _parameters(self.function)[0]

    def secrets(self, given: Mapping[str, Any]) -> list[Any]:
        """The values in ``given`` of inputs that are declared ``Secret``."""
        takes = self.inputs
        return [value for name, value in given.items() if name in takes and _secret(takes[name])]

    def check(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """``given`` with its values converted to what the action declares.

        Raises ``InvalidInput``, which names the parameter, when one is unknown, absent or of a wrong type.
        """
        takes, required = _parameters(self.function)
        for name in given:
            if name not in takes:
                known = ", ".join(takes) or "none"
                raise InvalidInput(f"{self.name} has no input `{name}`; it takes: {known}")
        for name in required:
            if name not in given:
                raise InvalidInput(f"{self.name} needs the input `{name}`")
        checked = {}
        for name, value in given.items():
            try:
                checked[name] = msgspec.convert(value, takes[name], strict=False)
            except msgspec.ValidationError as error:
                raise InvalidInput(f"{self.name}: input `{name}`: {error}") from None
        return checked

    async def run(self, context: Context, given: Mapping[str, Any]) -> Any:
        """The action's result for the input ``given``.

        Raises ``InvalidInput`` before anything is done, ``ActionFailed`` when it did not work.
        """
        return await self.function(context, **self.check(given))


def action(
    name: str, effect: Effect | Callable[[Mapping[str, Any]], Effect]
) -> Callable[[Callable[..., Awaitable[Any]]], Action]:
    """Declares an async function ``f(context, ...)`` as the action ``name``; its parameters are its input."""

    def declare(function: Callable[..., Awaitable[Any]]) -> Action:
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"action {name}: write it as `async def`, so that it holds up no other")
        summary = (function.__doc__ or "").strip().split("\n", 1)[0]
        return Action(name, function, effect, summary)

    return declare


def failure(error: BaseException) -> Any:
    """What the ERROR result of ``error`` carries: the action's own details, else the message."""
    if isinstance(error, ActionFailed) and error.details is not None:
        return error.details
    return str(error) or type(error).__name__


@lru_cache(maxsize=1024)
def _parameters(function: Callable[..., Awaitable[Any]]) -> tuple[dict[str, Any], list[str]]:
    hints = typing.get_type_hints(function, include_extras=True)
    takes: dict[str, Any] = {}
    required: list[str] = []
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        takes[parameter.name] = hints.get(parameter.name, Any)
        if parameter.default is inspect.Parameter.empty:
            required.append(parameter.name)
    return takes, required


def _secret(hint: Any) -> bool:
    if typing.get_origin(hint) is Annotated:
        marks = typing.get_args(hint)[1:]
        return any(isinstance(mark, msgspec.Meta) and (mark.extra or {}).get("secret") for mark in marks)
    return any(_secret(one) for one in typing.get_args(hint))
