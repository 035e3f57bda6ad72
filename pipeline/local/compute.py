"""The demo cloud's servers and hosts: what they are, and how they change when asked to.

Changes take real time, as a cloud's do, and nothing changes that was not asked for.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Protocol

BANNER = b"SSH-2.0-OpenSSH_9.2p1 faultline-demo\r\n"
ADDRESS = "127.0.0.1"


class Refusal(Exception):
    """Raised when a call cannot be obeyed; ``code`` is the HTTP status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Publisher(Protocol):
    """Whom the cloud tells what has become of a server."""

    def state(self, server: Server) -> None:
        """``server`` has another status."""

    def moved(self, server: Server, source: str) -> None:
        """``server`` has left the host ``source`` for the one that it names now."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take, in seconds; ``answer`` is what the API takes for any call."""

    answer: float = 0.15
    resize: float = 2.0
    verify: float = 1.5
    migrate_live: float = 2.0
    reboot: float = 1.0

    def stretched(self, factor: float) -> Pace:
        """The same, ``factor`` times as long."""
        return Pace(*[getattr(self, name) * factor for name in self.__slots__])


@dataclass(slots=True)
class Server:
    """A server; ``answers`` tells whether it will still answer where a migration takes it."""

    id: str
    name: str
    host: str
    answers: bool = True
    status: str = "ACTIVE"
    busy: str | None = None
    before: str | None = None
    port: int = 0
    listener: asyncio.Server | None = None
    work: asyncio.Task[None] | None = None


@dataclass(slots=True)
class Compute:
    """All servers and hosts, and how often each server was told to change."""

    servers: dict[str, Server]
    hosts: list[str]
    publisher: Publisher
    pace: Pace = field(default_factory=Pace)
    disabled: set[str] = field(default_factory=set)
    calls: dict[str, Counter[str]] = field(default_factory=dict)
    refused: dict[str, Counter[str]] = field(default_factory=dict)

    async def open(self) -> None:
        """Has every server answer."""
        for server in self.servers.values():
            await _answer(server)

    async def close(self) -> None:
        """Ends what is going on."""
        for server in self.servers.values():
            if server.work is not None:
                server.work.cancel()
            await _silence(server)

    def find(self, id_: str) -> Server:
        """The server ``id_``. Raises ``Refusal`` 404."""
        server = self.servers.get(id_)
        if server is None:
            raise Refusal(404, f"Instance {id_} could not be found.")
        return server

    def act(self, id_: str, verb: str, details: Any) -> None:
        """Begins what ``verb`` asks of the server ``id_``; it goes on by itself.

        Raises ``Refusal``: 400 for an unknown verb, 404 for an unknown server, 409 when the
        server's state does not allow it.
        """
        server = self.find(id_)
        self.calls.setdefault(id_, Counter())[verb] += 1
        try:
            self._begin(server, verb, details if isinstance(details, dict) else {})
        except Refusal:
            self.refused.setdefault(id_, Counter())[verb] += 1
            raise

    def _begin(self, server: Server, verb: str, details: dict[str, Any]) -> None:
        if verb in ("migrate", "os-migrateLive", "evacuate"):
            _need(server, verb, "ACTIVE", "SHUTOFF")
            target = self._target(server, details.get("host"))
            if verb == "os-migrateLive":
                server.work = asyncio.create_task(self._migrate_live(server, target))
            else:
                server.work = asyncio.create_task(self._migrate(server, target))
            server.busy = verb
        elif verb in ("confirmResize", "revertResize"):
            _need(server, verb, "VERIFY_RESIZE")
            assert server.work is not None
            server.work.cancel()
            server.busy = verb
            back = server.before if verb == "revertResize" else None
            server.work = asyncio.create_task(self._settle(server, back))
        elif verb == "reboot":
            _need(server, verb, "ACTIVE", "SHUTOFF")
            server.busy = verb
            server.work = asyncio.create_task(self._reboot(server))
        elif verb in ("os-stop", "os-start"):
            _need(server, verb, "ACTIVE" if verb == "os-stop" else "SHUTOFF")
            server.busy = verb
            server.work = asyncio.create_task(self._switch(server, on=verb == "os-start"))
        else:
            raise Refusal(400, f"There is no such action: {verb}")

    def _target(self, server: Server, wanted: Any) -> str:
        free = [host for host in self.hosts if host not in self.disabled and host != server.host]
        if wanted:
            if wanted not in free:
                raise Refusal(400, f"Compute host {wanted} could not be found.")
            return str(wanted)
        if not free:
            raise Refusal(400, "No valid host was found.")
        load = Counter(one.host for one in self.servers.values())
        return min(free, key=lambda host: (load[host], host))

    async def _migrate(self, server: Server, target: str) -> None:
        self._become(server, "RESIZE")
        await _silence(server)
        await asyncio.sleep(self.pace.resize)
        self._move(server, target)
        if server.answers:
            await _answer(server)
        server.busy = None
        self._become(server, "VERIFY_RESIZE")
        await asyncio.sleep(self.pace.verify)
        await self._settle(server, None)

    async def _settle(self, server: Server, back: str | None) -> None:
        if back is not None:
            self._move(server, back)
        server.before = None
        server.busy = None
        self._become(server, "ACTIVE")

    async def _migrate_live(self, server: Server, target: str) -> None:
        self._become(server, "MIGRATING")
        await asyncio.sleep(self.pace.migrate_live)
        self._move(server, target)
        if not server.answers:
            await _silence(server)
        server.busy = None
        self._become(server, "ACTIVE")

    async def _reboot(self, server: Server) -> None:
        self._become(server, "REBOOT")
        await _silence(server)
        await asyncio.sleep(self.pace.reboot)
        await _answer(server)
        server.busy = None
        self._become(server, "ACTIVE")

    async def _switch(self, server: Server, *, on: bool) -> None:
        await (_answer(server) if on else _silence(server))
        server.busy = None
        self._become(server, "ACTIVE" if on else "SHUTOFF")

    def _become(self, server: Server, status: str) -> None:
        server.status = status
        self.publisher.state(server)

    def _move(self, server: Server, target: str) -> None:
        source, server.host = server.host, target
        server.before = source
        self.publisher.moved(server, source)


def _need(server: Server, verb: str, *statuses: str) -> None:
    if server.busy is not None or server.status not in statuses:
        doing = f" and busy with {server.busy}" if server.busy else ""
        raise Refusal(409, f"Cannot '{verb}' instance {server.id} while it is {server.status}{doing}")


async def _answer(server: Server) -> None:
    """Opens the server's port, the same each time, where something like ssh says its name."""
    if server.listener is None:
        server.listener = await asyncio.start_server(_greet, ADDRESS, server.port)
        server.port = server.listener.sockets[0].getsockname()[1]


async def _silence(server: Server) -> None:
    if server.listener is not None:
        server.listener.close()
        server.listener = None


async def _greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(BANNER)
    try:
        await writer.drain()
    except ConnectionError:
        return
    finally:
        writer.close()
