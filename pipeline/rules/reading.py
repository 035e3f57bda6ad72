"""From a template's text to a ``Template``: kind, metadata, parameters, then the version's own reader."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..document import Finding, Step, close, read
from ..errors import InvalidDocument
from . import legacy, version3
from .entities import read_properties
from .notes import Notes
from .properties import canonical
from .template import Kind, Template

_PARAM = re.compile(r"get_param\s*\(([^()]*)\)")
_MALFORMED = re.compile(r"\s*get_param|.*get_param\s*\(", re.DOTALL)
_KINDS = ("standard", "definition", "equivalence")
_TOP = ("metadata", "parameters", "includes", "entities", "definitions", "scenarios", "equivalences")
_MODES = ("shadow", "active")


def is_template(value: Any) -> bool:
    """Whether a document's content is a rule template of any kind."""
    return isinstance(value, dict) and any(
        key in value for key in ("scenarios", "equivalences", "definitions")
    )


def parse(
    text: str,
    path: str = "-",
    parameters: Mapping[str, str] | None = None,
    included: Mapping[str, Template] | None = None,
) -> tuple[Template, list[Finding]]:
    """The template that ``text`` spells, and warnings about it.

    ``included`` are the definition templates that may be included, by name.
    Raises ``InvalidDocument`` with every error found.
    """
    document = read(text, path, scalars="text")
    notes = Notes(document)
    value = document.value
    if not isinstance(value, dict) or not is_template(value):
        code = "80" if isinstance(value, dict) and "metadata" in value else "4"
        if isinstance(value, dict):
            notes.only(value, _TOP, "a template")
        notes.add(
            code, "a template needs `scenarios` (or is a list of `equivalences`, or only `definitions`)"
        )
        raise InvalidDocument(list(notes.findings))
    value = _filled(notes, value, dict(parameters or {}))
    kind: Kind = (
        "standard" if "scenarios" in value else "equivalence" if "equivalences" in value else "definition"
    )
    name, version, mode = _metadata(notes, value, kind)
    template = Template(name, version, kind, document, mode=mode)
    if kind == "equivalence":
        template = replace(template, equivalences=_equivalences(notes, value))
    elif version == 3 and kind == "standard":
        template = version3.read_template(notes, template, value)
    else:
        template = legacy.read_template(notes, template, value, included or {})
    errors = [finding for finding in notes.findings if finding.level == "error"]
    if errors:
        raise InvalidDocument(list(errors))
    return template, [*document.warnings, *notes.findings]


def name_of(text: str, path: str = "-", parameters: Mapping[str, str] | None = None) -> str:
    """``metadata.name`` after parameters are filled in. Raises ``InvalidDocument``."""
    document = read(text, path, scalars="text")
    notes = Notes(document)
    value = document.value
    metadata = value.get("metadata") if isinstance(value, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not name:
        notes.add("60", "`metadata.name` is missing; every template needs one", "metadata")
        raise InvalidDocument(list(notes.findings))
    filled = _filled(
        notes,
        {"parameters": value.get("parameters"), "name": name, "metadata": metadata},
        dict(parameters or {}),
    )
    return str(filled["name"])


def _metadata(notes: Notes, value: dict[str, Any], kind: Kind) -> tuple[str, int, str]:
    metadata = value.get("metadata")
    likely = 3 if "entities" in value else 2
    if not isinstance(metadata, dict):
        notes.add("62", "`metadata` with at least a `name` is missing", "metadata")
        return "", likely, ""
    name = metadata.get("name")
    if not isinstance(name, str) or not name.strip():
        if name is None or isinstance(name, str):
            notes.add("60", "`metadata.name` is missing; every template needs one", "metadata")
        name = ""
    version = metadata.get("version") or "1"
    if version not in ("1", "2", "3"):
        notes.add("63", f"version {version!r} is not known; write 1, 2 or 3", "metadata", "version")
        version = str(likely)
    notes.only(metadata, ("name", "version", "type", "description", "mode"), "`metadata`", "metadata")
    for key, text in metadata.items():
        if key not in ("version", "type", "mode") and not isinstance(text, str):
            notes.add("4", f"`{key}` is text", "metadata", key)
    mode = metadata.get("mode") or ""
    if mode and mode not in _MODES:
        meant = close(str(mode), _MODES, listed=True)
        notes.add("mode", f"mode {mode!r} is not known{meant}", "metadata", "mode")
        mode = ""
    _check_type(notes, value, metadata, kind, version)
    return name, int(version), mode


def _check_type(
    notes: Notes, value: dict[str, Any], metadata: dict[str, Any], kind: Kind, version: str
) -> None:
    """What ``metadata.type`` says must be what the content is."""
    declared = metadata.get("type")
    place = ("metadata", "type")
    if declared is None:
        if version == "2":
            notes.add("64", "version 2 usually says `type` in `metadata`", "metadata", level="warning")
    elif declared not in _KINDS:
        meant = close(str(declared), _KINDS, listed=True)
        notes.add("65", f"type {declared!r} is not known{meant}", *place)
    elif declared == "definition" and kind == "standard":
        message = "a definition template has no `scenarios`; take them out, or say `type: standard`"
        notes.add("143", message, "scenarios")
    elif declared == "standard" and kind == "definition":
        message = "a standard template needs `scenarios`; add them, or say `type: definition`"
        notes.add("80", message, *place)
    elif declared != kind:
        notes.add("64", f"type is {declared!r}, but the content is that of {kind}: make them agree", *place)


def _filled(notes: Notes, value: dict[str, Any], given: dict[str, str]) -> dict[str, Any]:
    """The document with every ``get_param`` replaced."""
    metadata = value.get("metadata")
    first = not isinstance(metadata, dict) or (metadata.get("version") or "1") == "1"
    values = _parameters(notes, value.get("parameters"), given)

    def fill(node: Any, steps: tuple[Step, ...]) -> Any:
        if isinstance(node, dict):
            return {key: fill(child, (*steps, key)) for key, child in node.items()}
        if isinstance(node, list):
            return [fill(child, (*steps, index)) for index, child in enumerate(node)]
        if not isinstance(node, str) or "get_param" not in node:
            return node
        called = _PARAM.search(node)
        if first:
            if called:
                message = "parameters and get_param need version 2 or 3; say so in `metadata`"
                notes.add("160", message, *steps)
            return node
        if not called:
            if _MALFORMED.match(node):
                notes.add("162", f"{node!r}: write get_param(NAME)", *steps)
            return node

        def one(found: re.Match[str]) -> str:
            name = found.group(1).strip().strip("'\"")
            if not re.fullmatch(r"[\w.-]+", name):
                notes.add("162", f"{found.group(0)!r}: write get_param(NAME)", *steps)
            elif name not in values:
                meant = close(name, values) or f"; add `{name}: {{description: ...}}` there"
                notes.add("161", f"parameter {name} is not declared under `parameters`{meant}", *steps)
            elif not values[name]:
                notes.add(
                    "163",
                    f"parameter {name} has no default and no value was given; use --param {name}=VALUE",
                    *steps,
                )
            else:
                return str(values[name])
            return found.group(0)

        return _PARAM.sub(one, node)

    return {key: child if key == "parameters" else fill(child, (key,)) for key, child in value.items()}


def _parameters(notes: Notes, declared: Any, given: dict[str, str]) -> dict[str, str | None]:
    """The parameters by name with their values, None (or nothing) where there is none."""
    if declared is None or declared == "":
        return {}
    if not isinstance(declared, dict):
        notes.add("4", "`parameters` is a mapping of names to `{description, default}`", "parameters")
        return {}
    found: dict[str, str | None] = {}
    for name, body in declared.items():
        if isinstance(body, dict):
            notes.only(body, ("description", "default"), f"parameter {name}", "parameters", name)
        elif not isinstance(body, str):
            notes.add("4", f"parameter {name} is `{{description, default}}`", "parameters", name)
        default = body.get("default") if isinstance(body, dict) else None
        found[name] = given.get(name) or default
    return found


def _equivalences(notes: Notes, value: dict[str, Any]) -> tuple[tuple[dict[str, str], ...], ...]:
    groups: list[tuple[dict[str, str], ...]] = []
    seen: set[frozenset[tuple[str, str]]] = set()
    known = ("metadata", "parameters", "equivalences")
    notes.only(value, known, "an equivalence template", level="warning")
    listed = value.get("equivalences")
    if not isinstance(listed, list):
        notes.add("4", "`equivalences` is a list of `equivalence: [entities]`", "equivalences")
        return ()
    for index, item in enumerate(listed):
        place: tuple[Step, ...] = ("equivalences", index, "equivalence")
        members = item.get("equivalence") if isinstance(item, dict) else None
        if not isinstance(members, list) or not members:
            notes.add("4", "an `equivalence` is a list of two entities or more", *place)
            continue
        if len(members) == 1:
            notes.add("4", "one entity alone is equivalent to nothing", *place, level="warning")
        group: list[dict[str, str]] = []
        for at, member in enumerate(members):
            entity = notes.within(member, "entity", "46", "{category, type, name, ...}", *place, at)
            if entity is None:
                continue
            where = (*place, at, "entity")
            properties = read_properties(notes, "of an equivalence", entity, where, "warning")
            form = frozenset((canonical(key), text) for key, text in properties.items())
            if form in seen:
                message = (
                    "this entity is in an equivalence already; join the two, since they must not overlap"
                )
                notes.add("equivalence-twice", message, *where)
            seen.add(form)
            group.append(properties)
        groups.append(tuple(group))
    return tuple(groups)
