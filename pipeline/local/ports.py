"""Free ports of this machine, of the kind that stays free while a server restarts."""

from __future__ import annotations

import random
import socket
from pathlib import Path

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
WIDTH = 12_000


def free(host: str = "127.0.0.1") -> int:
    """A port of ``host`` that nobody listens on, below those that the kernel hands to clients.

    A server on one of the kernel's may not get it back: while it is away, a client that keeps
    connecting to it is one day given that very port as its own, and is connected to itself.
    """
    lowest = _lowest_of_clients()
    # Not seeded: two starts at the same time must not walk the same way.
    chance = random.SystemRandom()
    for _ in range(200):
        port = chance.randrange(max(1024, lowest - WIDTH), lowest)
        if is_free(port, host):
            return port
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on ``port`` (connections that only linger do not count)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def _lowest_of_clients() -> int:
    try:
        lowest = int(RANGE.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 32_768
    return lowest if lowest > 2_048 else 32_768
