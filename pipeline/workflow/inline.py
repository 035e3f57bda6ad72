"""Parameters written on one line: ``std.echo output="hi" count=3``, ``fail(msg='no')``."""

from __future__ import annotations

import json
import re
from typing import Any

HEAD = re.compile(r"\s*((?:<%.*?%>|{{.*?}}|<\|.*?\|>|[^\s=(\"'])+)", re.DOTALL)
PAIR = re.compile(
    r"""\s*,?\s*(?P<name>[-\w]+)\s*=\s*(?P<value>
        "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | \[[^\]]*\]
        | (?:<%.*?%> | {{.*?}} | {%.*?%} | <\|.*?\|> | [^\s,)])+ )""",
    re.DOTALL | re.VERBOSE,
)
WORDS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def split(text: str) -> tuple[str, dict[str, Any], str]:
    """The command, its parameters, and what at the end could not be read (empty when all could)."""
    head = HEAD.match(text)
    if not head:
        return text.strip(), {}, ""
    rest = text[head.end() :].strip()
    if rest.startswith("(") and rest.endswith(")"):
        rest = rest[1:-1].strip()
    parameters, left = pairs(rest)
    return head.group(1), parameters, left


def pairs(text: str) -> tuple[dict[str, Any], str]:
    """``name=value`` pairs, and what could not be read."""
    parameters: dict[str, Any] = {}
    position = 0
    while match := PAIR.match(text, position):
        parameters[match["name"]] = value(match["value"])
        position = match.end()
    return parameters, text[position:].strip()


def value(text: str) -> Any:
    """One value: a quoted text, an expression, a list, a word of JSON, a number, or the bare text."""
    if text in WORDS:
        return WORDS[text]
    if text[0] in "\"'" and text[-1] == text[0] and len(text) > 1:
        return re.sub(r"\\([\"'\\])", r"\1", text[1:-1])
    if NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    if text[0] == "[":
        try:
            return json.loads(text.replace("'", '"'))
        except ValueError:
            return text
    return text
