"""What is live by ``definitions.changes``, and changes to it, for those who only know the API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from .. import checks
from ..errors import InvalidCall, InvalidRecord
from ..events import Definition
from ..history.reading import Reading
from ..ids import revision
from ..kafka import definitions as topic
from .status import Sight, Stages, settled

LONGEST_WAIT = 3600.0
#: Within this time every worker that is well has told how it is.
SPOKEN = 2.0
RULES: Stages = (
    ("ingest", (topic.TOPIC,)),
    ("correlate", ("graph.input",)),
    # Only then is it known in which partitions a rule is in error.
    ("history", ("graph.journal",)),
)
WORKFLOWS: Stages = (
    ("ingest", (topic.TOPIC,)),
    # Records that come from now on meet a new trigger.
    ("triggers", (topic.TOPIC,)),
    ("triggers", ()),
    ("workflow", ("workflow.commands",)),
)
ERRORS = "SELECT name, revision, reason FROM faultline.rules_now WHERE op = 'ERROR' ORDER BY name"
ENGINE = frozenset({"WORKFLOW", "TRIGGER", "ENVIRONMENT"})
_UNTOLD: Mapping[str, Any] = {
    "revisions": frozenset(),
    "modes": frozenset(),
    "error": "",
    "matches": None,
}


async def live(
    bootstrap: str, sight: Sight, kind: str | None = None, name: str | None = None
) -> list[dict[str, Any]]:
    """``known``, asked again for a moment while workers have not yet said how it went with what was just
    changed. Raises ``BrokerUnavailable``."""
    end = time.monotonic() + SPOKEN
    while True:
        found = await known(bootstrap, sight, kind, name)
        if time.monotonic() > end or not any(one["state"] == "PENDING" for one in found):
            return found
        await asyncio.sleep(0.2)


async def known(bootstrap: str, sight: Sight, kind: str | None, name: str | None) -> list[dict[str, Any]]:
    """Each definition as the topic holds it, and what the roles say of it.

    ``state`` is ACTIVE, SHADOW, ERROR, or PENDING while not every worker has this revision;
    ``text`` is the file's. Raises ``BrokerUnavailable``.
    """
    records = await asyncio.to_thread(topic.held, bootstrap)
    roles = [role for role in sight.board.roles() if role["alive"]]
    found = [_entry(key, record, _told(key, roles)) for key, record in records.items()]
    return sorted(
        (one for one in found if kind in (None, one["kind"]) and name in (None, one["name"])),
        key=lambda one: (one["kind"], one["name"]),
    )


async def change(bootstrap: str, sight: Sight, history: Reading, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Sends ``changes``, a list of ``{op, definition}``, and waits up to ``wait`` seconds until they
    hold in all partitions.

    Tells as ``settled`` whether they do, and which rules are in ERROR then. Raises
    ``InvalidCall``, ``BrokerUnavailable``.
    """
    wait = asked.get("wait", 0)
    if isinstance(wait, bool) or not isinstance(wait, int | float) or not 0 <= wait <= LONGEST_WAIT:
        raise InvalidCall(f"wait is a number of seconds up to {LONGEST_WAIT:.0f}")
    changes = asked.get("changes")
    if not isinstance(changes, list) or not changes:
        raise InvalidCall('changes is a list of {"op": "UPSERT" or "DELETE", "definition": {...}}')
    by = asked.get("by") or {"operator": "api"}
    records = [_record(each, by) for each in changes]
    await asyncio.to_thread(topic.send, bootstrap, records)
    kinds = {record["definition"]["kind"] for record in records}
    told: dict[str, Any] = {}
    for stages, concerned in ((RULES, kinds - ENGINE), (WORKFLOWS, kinds & ENGINE)):
        if concerned and told.get("settled", True):
            told = await settled(sight, wait, stages)
    errors = await asyncio.to_thread(history.rows, ERRORS)
    return {"records": records, **told, "errors": errors}


def _record(change: Any, by: Any) -> dict[str, Any]:
    try:
        if not isinstance(change, dict) or change.get("op") not in ("UPSERT", "DELETE"):
            raise InvalidCall('a change is {"op": "UPSERT" or "DELETE", "definition": {...}}')
        definition = msgspec.convert(change.get("definition"), Definition)
        record = topic.record(change["op"], definition, topic.OPERATOR, by if isinstance(by, dict) else {})
        checks.check(topic.TOPIC, record, record["time"])
    except (msgspec.ValidationError, InvalidRecord) as error:
        raise InvalidCall(f"definition: {error}") from error
    return record


def _entry(key: str, record: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    kind, _, name = key.partition("/")
    definition = record.get("definition") or {}
    text = str(definition.get("text", ""))
    by = record.get("by") or {}
    parameters = definition.get("parameters", {})
    own = revision(text, parameters if kind == "RULE" else None)
    mode = definition.get("mode", "")
    works = "SHADOW" if told["modes"] == {"shadow"} else "ACTIVE"
    # Where the record leaves the mode to the text, it is as the workers read it there.
    wanted = {"shadow": "SHADOW", "active": "ACTIVE"}.get(mode, works)
    there = told["revisions"] == {own} and len(told["modes"]) < 2 and wanted == works
    state = "ERROR" if told["error"] else works if there else "PENDING"
    return {
        "kind": kind,
        "name": name,
        "revision": own,
        "state": state,
        "reason": told["error"],
        "matches": told["matches"],
        "source": record.get("source", ""),
        "mode": mode,
        "by": by.get("operator", ""),
        "host": by.get("host", ""),
        "time": record.get("time", ""),
        "path": definition.get("path", ""),
        "parameters": parameters,
        "text": text,
    }


def _told(key: str, roles: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What the workers say of one definition, put together."""
    kind, _, name = key.partition("/")
    role, group = ("workflow", "definitions") if kind == "WORKFLOW" else ("correlate", "rules")
    if kind in ("TRIGGER", "ENVIRONMENT"):
        role, group = "workflow", f"{kind.lower()}s"
    if kind == "VALUES":
        group = "values"
    told = {**_UNTOLD, "revisions": set(), "modes": set()}
    for one in roles:
        said = one.get("counters", {}).get(group, {}).get(name) if one.get("role") == role else None
        if said is None:
            continue
        told["revisions"].add(said.get("revision", ""))
        told["modes"].add(said.get("mode", ""))
        told["error"] = told["error"] or said.get("error") or said.get("reason") or ""
        if kind == "RULE":
            told["matches"] = (told["matches"] or 0) + said.get("matches", 0)
    return told
