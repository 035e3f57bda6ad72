"""Identifiers as hashes of what caused them, so the same log gives the same ids in every host."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b


def identify(*causes: object) -> str:
    """A UUID-shaped id of ``causes`` (their ``str``), stable across processes and versions."""
    text = "\x1f".join([str(cause) for cause in causes])
    digest = blake2b(text.encode(), digest_size=16).hexdigest()
    # RFC 9562 leaves version 8 and variant 8-b to the application.
    return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-8{digest[17:20]}-{digest[20:]}"


def revision(text: str, parameters: Mapping[str, str] | None = None) -> str:
    """A short hash of a rule's or workflow's text, and of the values that its parameters were given,
    shown as its revision."""
    given = "".join(f"\x1f{name}={value}" for name, value in sorted((parameters or {}).items()))
    return blake2b((text + given).encode(), digest_size=8).hexdigest()
