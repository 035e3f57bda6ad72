"""Settings: flags win over ``FAULTLINE_*`` variables, those over the file, that over defaults."""

from __future__ import annotations

import argparse
import os
import re
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from .errors import InvalidDocument, InvalidSetting

DEFAULT_FILE = "faultline.yaml"
PREFIX = "FAULTLINE_"
# Variables of that prefix that are no settings: where downloads go, and which file to read.
OTHER_VARIABLES = ("FAULTLINE_CACHE", "FAULTLINE_CONFIG")
MASK = "********"


@dataclass(frozen=True, slots=True)
class Settings:
    """What one process was told (``HELP`` explains each); ``origins`` says where each value comes from."""

    data: Path
    kafka: str | None
    clickhouse: str | None
    api: str | None
    token: str | None
    partitions: int
    rules: tuple[Path, ...]
    playbooks: tuple[Path, ...]
    values: Path | None
    registry: str | None
    http_allow: tuple[str, ...]
    cloud_url: str | None
    cloud_token: str | None
    secrets: str | None
    clouds: Path | None
    kubeconfig: Path | None
    ssh_known_hosts: str | None
    command_allow: tuple[str, ...]
    topic_allow: tuple[str, ...]
    executor_slots: int
    instance: str
    log_level: str
    log_format: Literal["text", "json"]
    origins: Mapping[str, str]


SECRETS = ("token", "cloud_token")
LISTS = ("rules", "playbooks", "http_allow", "command_allow", "topic_allow")
LEVELS = ("debug", "info", "warning", "error")
HELP = {
    "data": "the data directory (default ./.faultline)",
    "kafka": "bootstrap servers of your Kafka; without it a local broker is started",
    "clickhouse": "DSN of your ClickHouse; without it one runs inside the history role",
    "api": "URL of the HTTP API of a running pipeline",
    "token": "token of the API",
    "partitions": "partitions of each topic that does not declare its own number (default 8)",
    "rules": "directories of correlation rules (default ./rules, else those shipped)",
    "playbooks": "directories of playbooks (default ./playbooks, else those shipped)",
    "values": "directory of value mappings",
    "registry": "URL of a schema registry; with it outbound records are Avro",
    "http_allow": "HOST:PORT that actions may reach although it is this machine or its network",
    "cloud_url": "URL of the compute API that nova actions call",
    "cloud_token": "token for it",
    "secrets": "where actions find secrets: env:PREFIX, file:PATH or command:PROGRAM (default nowhere)",
    "clouds": "clouds.yaml that names the OpenStack clouds of playbooks",
    "kubeconfig": "kubeconfig whose contexts are the Kubernetes clusters of playbooks",
    "ssh_known_hosts": "known_hosts file that std.ssh checks servers against; `any` accepts every server",
    "command_allow": "programs, by full path, that std.command may run (default none)",
    "topic_allow": "topics of Faultline's own that kafka.produce may write (default none)",
    "executor_slots": "actions that one executor runs at a time (default 128)",
    "instance": "name of this worker among those of its role (default: the host's name)",
    "log_level": "debug, info, warning or error (default info)",
    "log_format": "text or json (default text)",
}
NAMES = tuple(HELP)


def defaults() -> dict[str, Any]:
    """Every setting's value where nobody says otherwise."""
    return {
        "data": Path(".faultline"),
        "kafka": None,
        "clickhouse": None,
        "api": None,
        "token": None,
        "partitions": 8,
        "rules": (),
        "playbooks": (),
        "values": None,
        "registry": None,
        "http_allow": (),
        "cloud_url": None,
        "cloud_token": None,
        "secrets": None,
        "clouds": None,
        "kubeconfig": None,
        "ssh_known_hosts": None,
        "command_allow": (),
        "topic_allow": (),
        "executor_slots": 128,
        "instance": socket.gethostname().partition(".")[0] or "0",
        "log_level": "info",
        "log_format": "text",
    }


def add_arguments(parser: argparse.ArgumentParser, *names: str) -> None:
    """Gives ``parser`` a flag for each of ``names``, and those of the file and the logs."""
    group = parser.add_argument_group("settings")
    group.add_argument("--config", metavar="FILE", help=f"settings file (default ./{DEFAULT_FILE} if there)")
    for name in dict.fromkeys([*names, "log_level", "log_format"]):
        flag = "--" + name.replace("_", "-")
        several = {"nargs": "+"} if name in LISTS else {}
        kind = "DIR" if name in ("data", "rules", "playbooks", "values") else name.rpartition("_")[2].upper()
        group.add_argument(flag, dest=name, metavar=kind, default=None, help=HELP[name], **several)  # type: ignore[arg-type]


def load(
    arguments: argparse.Namespace | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """The settings in force.

    Raises ``InvalidSetting`` naming the key, where it stands, what is wrong and the nearest known key.
    """
    given = vars(arguments) if arguments is not None else {}
    variables = os.environ if environment is None else environment
    values = defaults()
    values["data"] = values["data"].resolve()
    origins = dict.fromkeys(values, "default")

    chosen = given.get("config") or variables.get("FAULTLINE_CONFIG")
    path = Path(chosen if chosen else DEFAULT_FILE)
    # An empty FAULTLINE_CONFIG says: no file. Children get everything from their parent.
    if chosen or ("FAULTLINE_CONFIG" not in variables and path.is_file()):
        for name, value, place in _from_file(path):
            values[name] = _convert(name, value, place, path.resolve().parent)
            origins[name] = place
    for variable, text in variables.items():
        if not variable.startswith(PREFIX) or variable in OTHER_VARIABLES:
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in NAMES or variable != PREFIX + name.upper():
            near = _nearest(name, lambda known: PREFIX + known.upper())
            raise InvalidSetting(f"environment variable {variable} is no setting{near}")
        values[name] = _convert(name, _split(name, text), variable, Path.cwd())
        origins[name] = variable
    for name in NAMES:
        if given.get(name) is not None:
            flag = "--" + name.replace("_", "-")
            values[name] = _convert(name, given[name], flag, Path.cwd())
            origins[name] = flag
    return Settings(**values, origins=origins)


def environment(settings: Settings) -> dict[str, str]:
    """The variables that give a child process the same settings, whatever files lie about."""
    result = {"FAULTLINE_CONFIG": ""}
    for name in NAMES:
        value = getattr(settings, name)
        if value is None or value == ():
            continue
        joined = (
            _separator(name).join(str(item) for item in value) if isinstance(value, tuple) else str(value)
        )
        result[PREFIX + name.upper()] = joined
    return result


def shown(settings: Settings) -> list[tuple[str, Any, str]]:
    """Each setting as (name, printable value, origin), secrets masked."""
    return [(name, _masked(name, getattr(settings, name)), settings.origins[name]) for name in NAMES]


def _masked(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in SECRETS:
        return MASK
    if isinstance(value, tuple):
        return [str(item) for item in value]
    if isinstance(value, int):
        return value
    # A password within a DSN or URL: scheme://user:password@host
    return re.sub(r"(://[^/:@\s]*:)[^/@\s]+@", rf"\g<1>{MASK}@", str(value))


def _from_file(path: Path) -> Iterable[tuple[str, Any, str]]:
    # Here, for commands that read no file must not pay for a YAML parser.
    from .document import read_file

    try:
        document = read_file(path)
    except InvalidDocument as error:
        raise InvalidSetting(str(error)) from error
    if document.value is None:
        return
    if not isinstance(document.value, dict):
        raise InvalidSetting(f"{path}:1: settings are a mapping of names to values")
    for name, value in document.value.items():
        place = f"{path}:{document.at(name).line}"
        if name not in NAMES:
            raise InvalidSetting(f"{place}: {name!r} is no setting{_nearest(str(name), str)}")
        yield name, value, place


def _nearest(name: str, spell: Callable[[str], str]) -> str:
    close = get_close_matches(name.lower().replace("-", "_"), NAMES, 1, 0.5)
    return f"; did you mean {spell(close[0])}?" if close else f"; settings are {', '.join(map(spell, NAMES))}"


def _separator(name: str) -> str:
    return "," if name in ("http_allow", "topic_allow") else os.pathsep


def _split(name: str, text: str) -> Any:
    if name not in LISTS:
        return text
    return [part.strip() for part in text.split(_separator(name)) if part.strip()]


def _convert(name: str, value: Any, place: str, base: Path) -> Any:
    """``value`` as the setting's type; relative paths count from ``base``."""

    def refuse(expected: str) -> InvalidSetting:
        shown_value = MASK if name in SECRETS else repr(value)
        return InvalidSetting(f"{place}: {name} must be {expected}, not {shown_value}")

    if name in ("partitions", "executor_slots"):
        try:
            number = int(str(value))
        except ValueError:
            raise refuse("a whole number") from None
        if isinstance(value, bool) or not 1 <= number <= 10_000:
            raise refuse("a number from 1 to 10000")
        return number
    if name in ("rules", "playbooks"):
        parts = [value] if isinstance(value, str) else value
        if not isinstance(parts, list | tuple) or not all(isinstance(part, str | Path) for part in parts):
            raise refuse("a directory or a list of directories")
        return tuple((base / Path(part).expanduser()).resolve() for part in parts)
    if name == "http_allow":
        parts = [value] if isinstance(value, str) else value
        if not isinstance(parts, list | tuple) or not all(
            isinstance(part, str) and re.fullmatch(r"\S+:(\d+|\*)", part) for part in parts
        ):
            raise refuse("HOST:PORT or a list of them (a PORT of * is any)")
        return tuple(parts)
    if name in ("command_allow", "topic_allow"):
        parts = [value] if isinstance(value, str) else value
        fits = r"/.+" if name == "command_allow" else r"[\w.\-]+"
        if not isinstance(parts, list | tuple) or not all(
            isinstance(part, str) and re.fullmatch(fits, part) for part in parts
        ):
            one = "a full path" if name == "command_allow" else "a topic"
            raise refuse(f"{one} or a list of them")
        return tuple(parts)
    if value is None:
        return defaults()[name]
    if isinstance(value, bool) or not isinstance(value, str | int | Path) or str(value) == "":
        raise refuse("a text")
    text = str(value)
    if name == "secrets":
        if not re.match(r"(env|file|command):", text):
            raise refuse("env:PREFIX, file:PATH or command:PROGRAM")
        kind, _, rest = text.partition(":")
        return f"file:{(base / Path(rest).expanduser()).resolve()}" if kind == "file" else text
    if name == "ssh_known_hosts":
        return text if text == "any" else str((base / Path(text).expanduser()).resolve())
    if name in ("data", "values", "clouds", "kubeconfig"):
        return (base / Path(text).expanduser()).resolve()
    if name == "log_level" and text.lower() not in LEVELS:
        raise refuse(f"one of {', '.join(LEVELS)}")
    if name == "log_format" and text not in ("text", "json"):
        raise refuse("text or json")
    if name in ("api", "registry", "cloud_url"):
        if not re.match(r"https?://[^/\s]+", text):
            raise refuse("a URL such as http://127.0.0.1:8080")
        return text.rstrip("/")
    return text.lower() if name == "log_level" else text
