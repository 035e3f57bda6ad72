"""Where secrets come from: the environment, a file or directory, or a program that is asked.

The setting ``secrets`` names one:

    env:PREFIX      the variable PREFIX followed by the name in capitals, other signs as ``_``
    file:PATH       a YAML or JSON mapping of names to secrets, or a directory with a file a secret
    command:ARGS    the program's output, the name being its last argument

A secret is a text, or a mapping where it is several values that belong together, such as a cloud's
credentials; in the environment, in a directory and from a program a mapping is written as JSON.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import ActionFailed, InvalidInput, InvalidSetting

Provider = Callable[[str], Any]
"""A secret by its name; None when there is none of it. Raises ``ActionFailed``."""

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,199}")
COMMAND_LIMIT = 10.0
# A program that is asked may ask a service; a playbook with a hundred items is one question.
COMMAND_KEEPS = 30.0
KINDS = "env:PREFIX, file:PATH or command:PROGRAM"


def provider(setting: str) -> Provider:
    """The provider that ``setting`` names. Raises ``InvalidSetting``."""
    kind, colon, rest = setting.partition(":")
    if kind == "env" and colon and re.fullmatch(r"\w*", rest):
        if rest.upper().startswith("FAULTLINE_"):
            raise InvalidSetting(
                "secrets: variables that begin with FAULTLINE_ are settings; use another prefix"
            )
        return _environment(rest)
    if kind == "file" and rest:
        return _file(Path(rest).expanduser())
    if kind == "command":
        try:
            arguments = shlex.split(rest)
        except ValueError as error:
            raise InvalidSetting(f"secrets: the command cannot be read: {error}") from None
        if arguments:
            return _command(arguments)
    raise InvalidSetting(f"secrets must be {KINDS}")


def find(source: Provider | None, name: str) -> Any:
    """The secret ``name``. Raises ``ActionFailed`` when it cannot be had, ``InvalidInput`` at a bad name."""
    if source is None:
        raise ActionFailed(
            f"the secret {name!r} is asked for, but the setting `secrets` names no source: {KINDS}"
        )
    # It becomes a file's name, a variable's, and an argument.
    if not NAME.fullmatch(name):
        raise InvalidInput("the name of a secret is made of letters, digits, `_`, `-` and `.`")
    found = source(name)
    if found is None or found == "":
        raise ActionFailed(f"there is no secret {name!r} where the setting `secrets` points to")
    if not isinstance(found, str | Mapping):
        raise ActionFailed(f"the secret {name!r} is neither a text nor a mapping")
    return found


def _environment(prefix: str) -> Provider:
    def get(name: str) -> Any:
        return _read(os.environ.get(prefix + re.sub(r"\W", "_", name).upper()))

    return get


def _file(path: Path) -> Provider:
    def get(name: str) -> Any:
        try:
            if path.is_dir():
                file = path / name
                return _read(file.read_text(encoding="utf-8")) if file.is_file() else None
            return _mapping(path).get(name)
        except (OSError, UnicodeDecodeError) as error:
            # Not the error's own words: what it quotes may be the secret.
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise ActionFailed(f"the secret {name!r} cannot be read: {why}") from None

    return get


def _mapping(path: Path) -> Mapping[str, Any]:
    # Read anew each time: a secret that was changed is the one to be used.
    import yaml

    text = path.read_text(encoding="utf-8")
    try:
        found = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        found = None
    if not isinstance(found, dict):
        raise ActionFailed(f"{path.name}, where secrets are kept, is no mapping of names to secrets")
    return found


def _command(arguments: list[str]) -> Provider:
    kept: dict[str, tuple[float, Any]] = {}

    def get(name: str) -> Any:
        import subprocess

        until, found = kept.get(name, (0.0, None))
        if time.monotonic() < until:
            return found
        try:
            answer = subprocess.run(
                [*arguments, name], capture_output=True, text=True, timeout=COMMAND_LIMIT, check=False,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise ActionFailed(
                f"the secret {name!r}: {arguments[0]} did not answer in {COMMAND_LIMIT:g} s"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ActionFailed(
                f"the secret {name!r}: {arguments[0]} cannot be run: {type(error).__name__}"
            ) from None
        if answer.returncode:
            raise ActionFailed(f"the secret {name!r}: {arguments[0]} ended with status {answer.returncode}")
        found = _read(answer.stdout)
        kept[name] = time.monotonic() + COMMAND_KEEPS, found
        return found

    return get


def _read(text: str | None) -> Any:
    if text is None:
        return None
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except ValueError:
            pass
    # Editors and programs end a line; only a key needs that, and does without it.
    return text.rstrip("\r\n")
