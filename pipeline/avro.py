"""Avro schemas, and records between plain values and what a schema can hold.

Our own schemas hold free-form values in a union whose ``bytes`` branch is JSON text.
Two fields in them are not part of the record: ``extra`` keeps fields that the schema
does not name, ``nulls`` lists fields that are said to be null rather than left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.schema import fingerprint, to_parsing_canonical_form

from .checks import wrong
from .errors import InvalidRecord

_OURS = "faultline."
_EXTRA = "extra"
_NULLS = "nulls"
_LONG = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Schema:
    """A parsed schema; ``text`` is what it was made of."""

    text: str
    parsed: Any
    names: dict[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> bytes:
        """Its CRC-64-AVRO as the eight bytes that follow ``C3 01``."""
        return bytes.fromhex(fingerprint(to_parsing_canonical_form(self.parsed), "CRC-64-AVRO"))

    def read(self, body: bytes) -> Any:
        """``body``, written with this schema, as plain values. Raises ``InvalidRecord``."""
        stream = BytesIO(body)
        try:
            datum = schemaless_reader(stream, self.parsed, None)
        except Exception as error:
            # The reader trusts its input: what false bytes make it raise is not a closed list.
            raise InvalidRecord("bad-avro", f"not readable with its schema: {error!r}"[:300]) from error
        if stream.tell() != len(body):
            left = len(body) - stream.tell()
            raise InvalidRecord("bad-avro", f"{left} bytes are left over after reading with its schema")
        return self._plain(self.parsed, datum)

    def write(self, value: Any) -> bytes:
        """``value`` in its binary form. Raises ``InvalidRecord`` naming the field that does not fit."""
        stream = BytesIO()
        datum = self._datum(self.parsed, value, "")
        try:
            schemaless_writer(stream, self.parsed, datum)
        except (ValueError, TypeError, OverflowError) as error:
            raise InvalidRecord("bad-value", f"not writable with its schema: {error!r}"[:300]) from error
        return stream.getvalue()

    def check(self, value: Any) -> None:
        """Raises ``InvalidRecord`` naming the field where ``value`` does not fit."""
        self._datum(self.parsed, value, "")

    def _plain(self, schema: Any, datum: Any) -> Any:
        if isinstance(datum, dict):
            shape = self._container(schema, datum)
            if shape["type"] == "map":
                return {key: self._plain(shape["values"], value) for key, value in datum.items()}
            return self._plain_record(shape, datum)
        if isinstance(datum, list | tuple):
            shape = self._container(schema, datum)
            return [self._plain(shape["items"], value) for value in datum]
        return _plain_scalar(datum)

    def _plain_record(self, shape: Any, datum: dict[str, Any]) -> dict[str, Any]:
        ours = shape["name"].startswith(_OURS)
        nulls = set(datum.get(_NULLS) or ()) if ours else set()
        record = {}
        for entry in shape["fields"]:
            name = entry["name"]
            value = datum[name]
            if ours and name in (_EXTRA, _NULLS):
                continue
            # A field that Avro must have and the record lacks is null there.
            if value is not None or name in nulls:
                record[name] = self._plain(entry["type"], value)
        if ours and datum.get(_EXTRA):
            record |= {key: _plain_scalar(value) for key, value in datum[_EXTRA].items()}
        return record

    def _container(self, schema: Any, datum: Any) -> Any:
        """The record, map or array of ``schema`` that ``datum`` was read with."""
        wanted = ("record", "error", "map") if isinstance(datum, dict) else ("array",)
        shapes = [self.named(part) for part in (schema if isinstance(schema, list) else [schema])]
        fitting = [shape for shape in shapes if isinstance(shape, dict) and shape["type"] in wanted]
        for shape in fitting:
            if "fields" in shape and {entry["name"] for entry in shape["fields"]} == set(datum):
                return shape
        return next((shape for shape in fitting if "fields" not in shape), fitting[0])

    def named(self, schema: Any) -> Any:
        """What ``schema``, a part of this one, stands for where it is a name."""
        while isinstance(schema, dict) and isinstance(schema["type"], dict | list):
            schema = schema["type"]
        return self.names.get(schema, schema) if isinstance(schema, str) else schema

    def _datum(self, schema: Any, value: Any, path: str) -> Any:
        if isinstance(schema, list):
            if "bytes" in schema:
                return _free(value, path)
            if value is None and "null" in schema:
                return None
            return self._datum(next(part for part in schema if part != "null"), value, path)
        shape = self.named(schema)
        kind = shape if isinstance(shape, str) else shape["type"]
        if kind == "record":
            return self._datum_record(shape, value, path)
        if kind == "map":
            if not isinstance(value, dict):
                raise wrong(path, "an object", value)
            return {key: self._datum(shape["values"], item, f"{path}.{key}") for key, item in value.items()}
        if kind == "array":
            if not isinstance(value, list | tuple):
                raise wrong(path, "a list", value)
            return [self._datum(shape["items"], item, f"{path}[{n}]") for n, item in enumerate(value)]
        if kind == "enum":
            if value not in shape["symbols"]:
                words = ", ".join(shape["symbols"])
                raise InvalidRecord("bad-value", f"{path}: expected one of {words}, got {value!r}"[:300])
            return value
        if kind == "string" and not isinstance(value, str):
            raise wrong(path, "text", value)
        if kind == "long" and (not isinstance(value, int) or isinstance(value, bool) or value not in _LONG):
            raise wrong(path, "a whole number of 64 bits", value)
        return value

    def _datum_record(self, shape: Any, value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise wrong(path or "the record", "an object", value)
        dot = f"{path}." if path else ""
        fields = {entry["name"]: entry for entry in shape["fields"]}
        known = fields.keys() - {_EXTRA, _NULLS}
        datum: dict[str, Any] = {}
        for name in known:
            entry, given = fields[name], value.get(name)
            if given is not None:
                datum[name] = self._datum(entry["type"], given, dot + name)
            elif "default" in entry:
                datum[name] = entry["default"]
            else:
                raise InvalidRecord("missing-field", f"{dot}{name}: expected a value, got nothing")
        unknown = {key: _free(item, dot + key) for key, item in value.items() if key not in known}
        if _EXTRA in fields:
            datum[_EXTRA] = unknown
        elif "attributes" in known:
            datum["attributes"] = {**unknown, **datum["attributes"]}
        if _NULLS in fields:
            datum[_NULLS] = sorted(key for key in known if key in value and value[key] is None)
        return datum


def schema(text: str) -> Schema:
    """A schema from its JSON text. Raises ``InvalidRecord`` when that is none."""
    names: dict[str, Any] = {}
    try:
        return Schema(text, parse_schema(msgspec.json.decode(text), named_schemas=names), names)
    except Exception as error:
        raise InvalidRecord("unknown-schema", f"a schema that cannot be used: {error!r}"[:300]) from error


def current(directory: Path) -> dict[str, Schema]:
    """The schemas that records are written with, by topic."""
    return {path.name[: -len(".avsc")]: schema(path.read_text()) for path in directory.glob("*.avsc")}


def versions(directory: Path) -> Mapping[bytes, Schema]:
    """Every schema that records were ever written with, by fingerprint."""
    found = [schema(path.read_text()) for path in directory.rglob("*.avsc")]
    return {each.fingerprint: each for each in found}


def _free(value: Any, path: str) -> Any:
    if value is None or isinstance(value, bool | str | float):
        return value
    if isinstance(value, int) and value in _LONG:
        return value
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise InvalidRecord("bad-value", f"{path}: expected what JSON can hold: {error}"[:300]) from error


def _plain_scalar(value: Any) -> Any:
    """What Avro's types hold and JSON does not, as JSON would have it."""
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidRecord("bad-value", f"expected a finite number, got {value}")
    if isinstance(value, bytes):
        try:
            return msgspec.json.decode(value)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise InvalidRecord("bad-value", f"expected bytes that are JSON text: {error}") from error
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal | UUID) else value
