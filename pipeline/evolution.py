"""Whether a schema can read what an older one wrote, by Avro's rules of resolution.

Registries ask the same before they take a new version (their BACKWARD); asked here,
a mistake shows before it is shipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .avro import Schema

#: What a number or a text may have been written as.
PROMOTIONS = {
    "long": {"int"},
    "float": {"int", "long"},
    "double": {"int", "long", "float"},
    "string": {"bytes"},
    "bytes": {"string"},
}


def unreadable(reader: Schema, writer: Schema) -> list[str]:
    """What ``reader`` could not read of what ``writer`` wrote; empty when it is compatible."""
    return list(_compare(reader, reader.parsed, writer, writer.parsed, "", set()))


def _compare(
    reader: Schema, read: Any, writer: Schema, wrote: Any, path: str, open_pairs: set[tuple[str, str]]
) -> Iterator[str]:
    place = path or "the record"
    read, wrote = reader.named(read), writer.named(wrote)
    if isinstance(wrote, list):
        # Every branch may have been written.
        for branch in wrote:
            yield from _compare(reader, read, writer, branch, path, open_pairs)
        return
    if isinstance(read, list):
        tries = [list(_compare(reader, branch, writer, wrote, path, open_pairs)) for branch in read]
        if all(tries):
            yield f"{place}: no branch reads {_kind(wrote)}"
        return
    ours, theirs = _kind(read), _kind(wrote)
    if ours != theirs:
        if theirs not in PROMOTIONS.get(ours, ()):
            yield f"{place}: was {theirs}, is {ours}"
        return
    if ours in ("array", "map"):
        inner = "items" if ours == "array" else "values"
        yield from _compare(reader, read[inner], writer, wrote[inner], f"{path}[]", open_pairs)
    elif ours == "enum":
        lost = set(wrote["symbols"]) - set(read["symbols"])
        if lost and "default" not in read:
            yield f"{place}: no longer knows {', '.join(sorted(lost))}, and has no default"
    elif ours == "fixed":
        if read["size"] != wrote["size"]:
            yield f"{place}: was {wrote['size']} bytes, is {read['size']}"
    elif ours == "record":
        pair = (read["name"], wrote["name"])
        if pair in open_pairs:
            return
        yield from _compare_records(reader, read, writer, wrote, path, open_pairs | {pair})


def _compare_records(
    reader: Schema, read: Any, writer: Schema, wrote: Any, path: str, open_pairs: set[tuple[str, str]]
) -> Iterator[str]:
    if read["name"].rpartition(".")[2] != wrote["name"].rpartition(".")[2]:
        yield f"{path or 'the record'}: was {wrote['name']}, is {read['name']}"
    written = {entry["name"]: entry for entry in wrote["fields"]}
    for entry in read["fields"]:
        names = [entry["name"], *entry.get("aliases", [])]
        old = next((written[name] for name in names if name in written), None)
        inner = f"{path}.{entry['name']}" if path else entry["name"]
        if old is not None:
            yield from _compare(reader, entry["type"], writer, old["type"], inner, open_pairs)
        elif "default" not in entry:
            yield f"{inner}: is new and has no default"


def _kind(schema: Any) -> str:
    return schema if isinstance(schema, str) else str(schema["type"])
