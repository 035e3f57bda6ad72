"""Who does something, and from where, as records and history name them."""

from __future__ import annotations

import os
import pwd
import socket


def operator() -> str:
    """The user's name by the operating system, else the number."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def author(name: str | None = None) -> dict[str, str]:
    """``by`` of a record: the user, or ``name`` where that was said, and this machine."""
    return {"operator": name or operator(), "host": socket.gethostname()}
