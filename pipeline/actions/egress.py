"""Which addresses an action may reach: not this machine, nor its link, unless they are allowed by name."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from contextlib import suppress
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from ..errors import ActionFailed

BANNER = 512
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Refused(ActionFailed):
    """Raised when a target is loopback or link-local and the settings do not allow it."""


def check(allow: frozenset[str], host: str, port: int, address: str) -> None:
    """Passes when ``host``, found at ``address``, may be reached at ``port``; else raises ``Refused``."""
    for one in {host, address}:
        if _spell(one, port) in allow or _spell(one, "*") in allow:
            return
    if not _near(address):
        return
    where = _spell(host, port) if host == address else f"{_spell(host, port)} (at {address})"
    raise Refused(
        f"{where} is on this machine or its link, which actions may not reach; "
        f"list it under http_allow in the settings to allow it"
    )


def check_literal(allow: frozenset[str], host: str, port: int) -> None:
    """Refuses ``host`` where it is an address that may not be reached; names are checked when resolved.

    The HTTP client takes anything of digits and dots (``2130706433``, ``127.1``) for an
    address and leaves its reading to the system, so what is no whole address is refused here.
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if ":" in host or host.replace(".", "").isdigit():
            raise Refused(f"{host!r} is neither a name nor a whole address; write it out") from None
        return
    check(allow, host, port, host)


class GuardedResolver(AbstractResolver):
    """Resolves names, and refuses those that lead where actions may not go.

    The addresses that it returns are those that are connected to, so a name cannot
    change its mind in between.
    """

    def __init__(self, allow: frozenset[str]) -> None:
        self._allow = allow

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await addresses(host, port, family)
        for kind, address in found:
            # One bad address among good ones is a trap, not a choice.
            check(self._allow, host, port, address)
            assert kind in (socket.AF_INET, socket.AF_INET6)
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST
            )
            for kind, address in found
        ]

    async def close(self) -> None:
        return None


async def addresses(
    host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
) -> list[tuple[socket.AddressFamily, str]]:
    """The addresses of ``host``. Raises ``OSError`` when it has none."""
    infos = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG
    )
    return list(dict.fromkeys((info[0], str(info[4][0])) for info in infos))


async def resolve(allow: frozenset[str], host: str, port: int) -> str:
    """An address of ``host`` that may be reached at ``port``, to be connected to instead of the name.

    Raises ``Refused`` when one of its addresses may not be reached, ``OSError`` when it has none.
    """
    check_literal(allow, host, port)
    found = await addresses(host, port)
    for _, address in found:
        check(allow, host, port, address)
    return found[0][1]


# The time limit is the caller's input and covers resolving, connecting and listening together.
async def converse(allow: frozenset[str], host: str, port: int, limit: float, *, listen: bool) -> str:
    """Connects to ``host:port``; returns what it said first when ``listen``, else ``""``.

    Raises ``ActionFailed`` when it cannot be reached, or says nothing, within ``limit`` seconds.
    """
    writer: Any = None
    try:
        async with asyncio.timeout(limit):
            address = await resolve(allow, host, port)
            reader, writer = await asyncio.open_connection(address, port)
            if not listen:
                return ""
            said = (await reader.read(BANNER)).decode(errors="replace").strip()
            if not said:
                raise ActionFailed(f"{host}:{port} closed the connection without a word")
            return said
    except TimeoutError:
        what = "said nothing" if writer is not None else "did not answer"
        raise ActionFailed(f"{host}:{port} {what} within {limit:g} s") from None
    except OSError as error:
        raise ActionFailed(f"{host}:{port} cannot be reached: {error.strerror or error}") from None
    finally:
        if writer is not None:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def _near(address: str) -> bool:
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        elif found in _NAT64:
            found = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    # The unspecified address reaches this machine too.
    return found.is_loopback or found.is_link_local or found.is_unspecified


def _spell(host: str, port: int | str) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
