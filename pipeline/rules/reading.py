"""From a template's text to a ``Template``: kind, metadata, parameters, then the version's own reader."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..document import Finding, Step, read
from ..errors import InvalidDocument
from . import legacy, version3
from .notes import Notes
from .properties import canonical
from .template import Kind, Template

_PARAM = re.compile(r"get_param\(([^()]*)\)")
_KINDS = ("standard", "definition", "equivalence")


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
        notes.add(code, "a template has `scenarios`, `equivalences` or `definitions`")
        raise InvalidDocument(list(notes.findings))
    metadata = value.get("metadata")
    first = isinstance(metadata, dict) and metadata.get("version", "1") == "1"
    if first and ("parameters" in value or "get_param" in text):
        notes.add("160", "parameters and get_param need version 2 or 3", "parameters")
    value = _filled(notes, value, dict(parameters or {}))
    kind: Kind = (
        "standard" if "scenarios" in value else "equivalence" if "equivalences" in value else "definition"
    )
    name, version = _metadata(notes, value, kind)
    template = Template(name, version, kind, document)
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


def _metadata(notes: Notes, value: dict[str, Any], kind: Kind) -> tuple[str, int]:
    metadata = value.get("metadata")
    if not isinstance(metadata, dict):
        notes.add("62", "`metadata` with at least a `name` is missing")
        return "", 3
    name = metadata.get("name")
    if not isinstance(name, str) or not name.strip():
        notes.add("60", "`metadata.name` is missing; every template needs one", "metadata")
        name = ""
    version = metadata.get("version", "1")
    if version not in ("1", "2", "3"):
        notes.add("63", f"version {version!r} is not known; write 1, 2 or 3", "metadata", "version")
        version = "3"
    declared = metadata.get("type")
    if declared is not None and declared not in _KINDS:
        notes.add(
            "65",
            f"type {declared!r} is not known; write standard, definition or equivalence",
            "metadata",
            "type",
        )
    elif declared is not None and declared != kind:
        notes.add("64", f"type is {declared!r}, but the content is that of {kind}", "metadata", "type")
    elif declared is None and version == "2":
        notes.add("64", "version 2 usually says `type` in `metadata`", "metadata", level="warning")
    return name, int(version)


def _filled(notes: Notes, value: dict[str, Any], given: dict[str, str]) -> dict[str, Any]:
    """The document with every ``get_param`` replaced."""
    declared = value.get("parameters") or {}
    if not isinstance(declared, dict):
        notes.add("160", "`parameters` is a mapping of names to `{description, default}`", "parameters")
        declared = {}
    values: dict[str, str | None] = {}
    for name, body in declared.items():
        default = body.get("default") if isinstance(body, dict) else None
        values[name] = given.get(name, default)

    def fill(node: Any, steps: tuple[Step, ...]) -> Any:
        if isinstance(node, dict):
            return {key: fill(child, (*steps, key)) for key, child in node.items()}
        if isinstance(node, list):
            return [fill(child, (*steps, index)) for index, child in enumerate(node)]
        if not isinstance(node, str) or "get_param" not in node:
            return node
        if not _PARAM.search(node):
            notes.add("162", f"{node!r}: write get_param(NAME)", *steps)
            return node

        def one(found: re.Match[str]) -> str:
            name = found.group(1).strip().strip("'\"")
            if not re.fullmatch(r"[\w.-]+", name):
                notes.add("162", f"{found.group(0)!r}: write get_param(NAME)", *steps)
            elif name not in values:
                notes.add("161", f"parameter {name} is not declared under `parameters`", *steps)
            elif values[name] is None:
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


def _equivalences(notes: Notes, value: dict[str, Any]) -> tuple[tuple[dict[str, str], ...], ...]:
    groups: list[tuple[dict[str, str], ...]] = []
    seen: set[frozenset[tuple[str, str]]] = set()
    listed = value.get("equivalences")
    if not isinstance(listed, list):
        notes.add("4", "`equivalences` is a list", "equivalences")
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
            entity = member.get("entity") if isinstance(member, dict) else None
            if (
                not isinstance(entity, dict)
                or not entity
                or not all(isinstance(v, str) for v in entity.values())
            ):
                notes.add("4", "a member is `entity: {category, type, name, ...}`", *place, at)
                continue
            properties = {str(key): text for key, text in entity.items() if key != "template_id"}
            form = frozenset((canonical(key), text) for key, text in properties.items())
            if form in seen:
                message = "this entity is in an equivalence already; equivalences must not overlap"
                notes.add("equivalence-twice", message, *place, at)
            seen.add(form)
            group.append(properties)
        groups.append(tuple(group))
    return tuple(groups)
