"""Secrets by name, resolved where they are used and nowhere else, and masked in all that leaves.

An input may hold a reference, at any depth: ``{secret: NAME}``, or ``{secret: NAME, key: KEY}`` for one
value of a secret that is a mapping. Whatever was given out is remembered, so that it can be blanked out
of every result, error and log line of this process, those of other actions among them.
"""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec

from ..errors import ActionFailed, InvalidInput
from .secrets import Provider, find

MASK = "***"
# A shorter secret would blank out half the words of an answer.
SHORTEST = 4
# Keys are written over several lines, and tools show one of them alone; short ones say nothing.
LINE = 16
MOST = 1_000
# What is no secret in a mapping of credentials: people must be able to read where a call went.
PUBLIC = frozenset(
    {
        *("auth_url", "auth_type", "url", "server", "host", "port", "username", "user", "user_domain_name"),
        *("user_domain_id", "project_name", "project_id", "project_domain_name", "project_domain_id"),
        *("domain_name", "domain_id", "region_name", "region", "interface", "endpoints", "name", "namespace"),
        *("cluster", "context", "current-context", "certificate-authority-data", "ca", "verify", "kind"),
        *("apiVersion", "identity_api_version", "profile", "system_scope", "preferences"),
    }
)
REFERENCE = ({"secret"}, {"secret", "key"})


@dataclass(slots=True)
class Vault:
    """Gives secrets out by name and remembers which; safe to be used from several threads."""

    provider: Provider | None = None
    known: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, name: str, key: str | None = None) -> Any:
        """The secret ``name``, or its value ``key``.

        It may wait for a program: call it in a thread. Raises ``ActionFailed`` naming the secret.
        """
        value = find(self.provider, name)
        self.note(value)
        if key is None:
            return value
        if not isinstance(value, Mapping) or key not in value:
            raise ActionFailed(f"the secret {name!r} has no value {key!r}")
        return value[key]

    def resolve(self, given: Any) -> Any:
        """``given`` with every reference in it replaced by the secret. Raises ``ActionFailed``."""
        if isinstance(given, Mapping):
            if refers(given):
                name, key = given["secret"], given.get("key")
                if not isinstance(name, str) or not isinstance(key, str | None):
                    raise InvalidInput(
                        "a secret is referred to as {secret: NAME} or {secret: NAME, key: KEY}"
                    )
                return self.find(name, key)
            return {name: self.resolve(value) for name, value in given.items()}
        if isinstance(given, list):
            return [self.resolve(value) for value in given]
        return given

    def note(self, value: Any) -> None:
        """Has every text in ``value`` masked from now on."""
        found = {form for text in _texts(value) for form in _forms(text)}
        if not found:
            return
        with self._lock:
            # Those used last are kept: of tokens that services issue there is no end.
            kept = {form: self.known[form] for form in self.known if form not in found}
            kept |= {form: _written(form) for form in found}
            for form in list(kept)[: max(0, len(kept) - MOST)]:
                del kept[form]
            # Whoever is masking in another thread goes on with what it began with.
            self.known = kept

    def mask(self, value: Any) -> Any:
        """``value`` with every known secret blanked out, in keys as well."""
        known = self.known
        if not known or value is None:
            return value
        try:
            text = msgspec.json.encode(value).decode()
        except (TypeError, ValueError, msgspec.MsgspecError):
            found = list(known)
        else:
            # Nearly always there is none, and then the value need not be walked.
            found = [form for form, written in known.items() if written in text]
        # The longest first: one may be a part of another.
        return _masked(value, sorted(found, key=len, reverse=True)) if found else value


def refers(given: Any) -> bool:
    """Whether ``given`` is a reference to a secret."""
    return isinstance(given, Mapping) and given.keys() in REFERENCE


def holds_reference(given: Any) -> bool:
    """Whether a reference stands anywhere in ``given``."""
    if isinstance(given, Mapping):
        return refers(given) or any(holds_reference(value) for value in given.values())
    return isinstance(given, list) and any(holds_reference(value) for value in given)


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, one in value.items():
            if name not in PUBLIC or isinstance(one, Mapping | list):
                yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


def _forms(text: str) -> Iterable[str]:
    """The spellings in which ``text`` may show."""
    text = text.strip()
    lines = text.splitlines()
    whole = {text, quote(text, safe=""), quote_plus(text), b64encode(text.encode()).decode()}
    parts = {line.strip() for line in lines if len(line.strip()) >= LINE} if len(lines) > 1 else set()
    # The frame around a key is no secret.
    parts = {part for part in parts if not part.startswith("-----")}
    return (form for form in whole | parts if len(form) >= SHORTEST)


def _written(text: str) -> str:
    """``text`` as it stands within a text of JSON."""
    return msgspec.json.encode(text).decode()[1:-1]


def _masked(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, MASK)
        return value
    if isinstance(value, Mapping):
        return {_masked(name, secrets): _masked(one, secrets) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(one, secrets) for one in value]
    return value
