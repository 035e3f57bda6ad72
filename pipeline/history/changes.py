"""What was changed by people: definitions, who changed them, and what those in shadow would do."""

from __future__ import annotations

from typing import Any

from ..errors import NotFound
from ..events import FILES
from .queries import parsed
from .reading import Reading, Rows

_WHAT = {"UPSERT": "put live", "DELETE": "removed"}


def definitions(history: Reading, kind: str, name: str | None = None) -> Rows:
    """Each change to definitions of ``kind``, in order: when, ``what``, ``by`` whom, from which file; and
    where one went into error, with the reason. Raises ``NotFound`` when ``name`` was never one."""
    among = " AND name = {name:String}" if name is not None else ""
    given = {"kind": kind, **({} if name is None else {"name": name})}
    found = history.rows(
        f"""
        SELECT * FROM (
            SELECT event_time, name, op, revision, path, parameters, mode, `by`, source, '' AS reason,
                ingest_time AS place
            FROM faultline.definitions WHERE kind = {{kind:String}}{among}
            UNION ALL
            SELECT min(r.event_time), name, op, revision, '', '', '', '', '', reason, min(r.ingest_time)
            FROM faultline.rules AS r WHERE kind = {{kind:String}} AND op = 'ERROR'{among}
            GROUP BY name, op, revision, reason, record
        )
        ORDER BY place, reason
        """,
        **given,
    )
    if not found and name is not None:
        raise NotFound(f"no {name!r} was ever put live; faultline rules list --history shows all there were")
    return [_told(row) for row in found]


def _told(row: dict[str, Any]) -> dict[str, Any]:
    row = parsed(row, "parameters", "by")
    by = row["by"] or {}
    del row["place"]
    mode = f" ({row['mode']})" if row["mode"] else ""
    what = "ERROR" if row["op"] == "ERROR" else f"{_WHAT.get(row['op'], row['op'])}{mode}"
    who = "@".join(filter(None, (by.get("operator", ""), by.get("host", ""))))
    # What a pipeline publishes at its start is its directories', whoever starts it.
    start = " at the start" if row["source"] == FILES else ""
    return {**row, "what": what + start, "by": who}


def shadow(history: Reading) -> Rows:
    """What rules in shadow mode deduce now: alarms, states, marks and causes that would stand."""
    found = history.rows(
        "SELECT domain, rule, deduces, key, source, target, severity, operational_severity, state, since,"
        " rule_revision, match FROM faultline.shadows_now ORDER BY domain, rule, deduces, key, source, target"
    )
    return [parsed(row, "match") for row in found]
