"""Version 3 templates in the form of versions 1 and 2, so that one scenario is played in all three."""

from __future__ import annotations

import re
from typing import Any

import yaml

from pipeline.document import read

_LINK = re.compile(r"(\w+)\s*\[(\w+)\]\s*(\w+)")
_FLAT = ("target", "source")


def older(text: str, version: int) -> str | None:
    """The same template in an older version; None when it says what that one cannot."""
    value = read(text, "-", scalars="text").value
    if "causing_alarm" in text or "equivalences" in value or "of:" in text or "all:" in text:
        return None
    if version == 1 and ("get_attr" in text or "parameters" in value):
        return None
    links: dict[str, dict[str, str]] = {}

    def named(found: re.Match[str]) -> str:
        source, label, target = found.groups()
        name = f"{source}_{label}_{target}"
        links[name] = {
            "source": source,
            "relationship_type": label,
            "target": target,
            "template_id": name,
        }
        return name

    scenarios = [
        {
            "scenario": {
                **{key: each for key, each in item.items() if key not in ("condition", "actions")},
                "condition": _LINK.sub(named, item["condition"]),
                "actions": [_action(action, version) for action in item["actions"]],
            }
        }
        for item in value["scenarios"]
    ]
    entities = [
        {"entity": {"category": "RESOURCE", **wants, "template_id": name}}
        for name, wants in value["entities"].items()
    ]
    metadata = {**value["metadata"], "version": str(version)} | ({"type": "standard"} if version == 2 else {})
    relationships = [{"relationship": link} for link in links.values()]
    definitions = {"entities": entities} | ({"relationships": relationships} if links else {})
    made = {"metadata": metadata, "definitions": definitions, "scenarios": scenarios}
    return yaml.safe_dump(made, sort_keys=False)


def _action(action: dict[str, Any], version: int) -> dict[str, Any]:
    ((kind, body),) = action.items()
    kind = "execute_mistral" if kind == "execute_workflow" else kind
    target = {key: body[key] for key in _FLAT if key in body}
    properties = {key: each for key, each in body.items() if key not in _FLAT}
    if version == 1 and "input" in properties:
        properties |= properties.pop("input")
    made: dict[str, Any] = {"action_type": kind}
    if target:
        made["action_target"] = target
    if properties:
        made["properties"] = properties
    return {"action": made}
