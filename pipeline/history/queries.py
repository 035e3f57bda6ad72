"""What the commands and the console ask: alarms, topology, executions, the past of one thing."""

from __future__ import annotations

from typing import Any

import msgspec

from ..errors import NotFound
from .reading import Reading, Rows

#: From worst to least; what no mapping knows comes last.
SEVERITIES = ("CRITICAL", "SEVERE", "WARNING", "OK", "N/A")
#: More keys than this are not sent with a question: all is asked for, and chosen from here.
MANY = 200
_RANK = "indexOf(['CRITICAL', 'SEVERE', 'WARNING', 'OK'], operational_severity)"
_ALARM = (
    "domain, key, source, name, severity, operational_severity, status, resource_type, resource_id, deduced,"
    " episode, rule, rule_revision, match, external_id, attributes, since, event_time"
)
_EXECUTION = (
    "id, root, domain, workflow, task, state, state_info, input, output, started_by, started_at, ended_at"
)


def alarms(history: Reading, *, every: bool = False, keys: list[str] | None = None) -> Rows:
    """The active alarms, or ``every`` one that ever was, the worst first; only those of ``keys`` if given."""
    conditions = [] if every else ["status = 'ACTIVE'"]
    parameters = {}
    if keys is not None and len(keys) <= MANY:
        conditions.append("key IN {keys:Array(String)}")
        parameters["keys"] = keys
    found = history.rows(
        f"SELECT {_ALARM} FROM faultline.alarms_now"
        + (f" WHERE {' AND '.join(conditions)}" if conditions else "")
        + f" ORDER BY status, {_RANK} = 0, {_RANK}, since, domain, key",
        **parameters,
    )
    wanted = None if keys is None else set(keys)
    return [parsed(row, "attributes", "match") for row in found if wanted is None or row["key"] in wanted]


def similar(history: Reading, text: str, table: str = "alarms") -> list[str]:
    """Keys in ``table`` that have ``text`` in them or differ from it by a few letters, the nearest first."""
    far = "damerauLevenshteinDistance(lower(key), lower({text:String}))"
    found = history.rows(
        f"SELECT DISTINCT key FROM faultline.{table}"
        f" WHERE positionCaseInsensitive(key, {{text:String}}) > 0 OR {far} <= 3"
        f" ORDER BY {far}, key LIMIT 3",
        text=text,
    )
    return [row["key"] for row in found]


def topology(history: Reading) -> dict[str, Any]:
    """``entities`` with their states, ``relationships`` and active ``alarms`` as they are now."""
    entities = history.rows(
        "SELECT e.domain AS domain, e.key AS key, e.type AS type, e.id AS id, e.name AS name,"
        " e.category AS category, e.state AS state, e.placeholder AS placeholder, e.attributes AS attributes,"
        " s.aggregated_state AS aggregated_state, s.operational_state AS operational_state"
        " FROM faultline.entities_now AS e LEFT JOIN faultline.states_now AS s"
        " ON e.domain = s.domain AND e.key = s.key ORDER BY domain, type, id"
    )
    relationships = history.rows(
        "SELECT domain, source_type, source_id, type, target_type, target_id FROM faultline.relationships_now"
        " ORDER BY ALL"
    )
    return {
        "entities": [parsed(row, "attributes") for row in entities],
        "relationships": [
            {
                "domain": row["domain"],
                "source": {"type": row["source_type"], "id": row["source_id"]},
                "type": row["type"],
                "target": {"type": row["target_type"], "id": row["target_id"]},
            }
            for row in relationships
        ],
        "alarms": alarms(history),
    }


def executions(history: Reading, *, limit: int = 100) -> Rows:
    """The latest executions, the newest first."""
    found = history.rows(
        f"SELECT {_EXECUTION} FROM faultline.executions_now"
        " ORDER BY started_at DESC, id LIMIT {limit:UInt32}",
        limit=limit,
    )
    return [parsed(row, "input", "output", "started_by") for row in found]


def execution(history: Reading, identity: str) -> dict[str, Any]:
    """One execution with its ``tasks``, their ``actions``, and the ``children`` that its tasks started.

    Raises ``NotFound``.
    """
    found = history.rows(
        f"SELECT {_EXECUTION} FROM faultline.executions_now WHERE id = {{id:String}}", id=identity
    )
    if not found:
        raise NotFound(f"no execution {identity!r}; faultline executions lists the latest")
    tasks = history.rows(
        "SELECT id, execution, name, state, state_info, result, published, started_at, ended_at, attempt"
        " FROM faultline.tasks_now WHERE execution = {id:String} ORDER BY started_at, `offset`",
        id=identity,
    )
    actions = history.rows(
        "SELECT id, execution, task, name, state, state_info, input, result, attempt, `index`, late,"
        " started_at, ended_at FROM faultline.actions_now"
        " WHERE execution = {id:String} ORDER BY started_at, `offset`",
        id=identity,
    )
    children = history.rows(
        f"SELECT {_EXECUTION} FROM faultline.executions_now"
        " WHERE root = {root:String} AND id != {id:String} ORDER BY started_at",
        root=found[0]["root"],
        id=identity,
    )
    mine = {task["id"] for task in tasks}
    whole = parsed(found[0], "input", "output", "started_by")
    whole["tasks"] = [parsed(task, "result", "published") for task in tasks]
    for task in whole["tasks"]:
        task["actions"] = [parsed(one, "input", "result") for one in actions if one["task"] == task["id"]]
    whole["children"] = [
        parsed(one, "input", "output", "started_by") for one in children if one["task"] in mine
    ]
    return whole


def nearest(keys: list[str], otherwise: str) -> str:
    """A hint at the ``keys`` that were found near, else ``otherwise``."""
    return f"did you mean {' or '.join(map(repr, keys))}?" if keys else otherwise


def root(history: Reading, identity: str) -> str:
    """The root execution that ``identity`` belongs to. Raises ``NotFound``."""
    found = history.rows("SELECT root FROM faultline.executions_now WHERE id = {id:String}", id=identity)
    if not found:
        raise NotFound(f"no execution {identity!r}; faultline executions lists the latest")
    return str(found[0]["root"])


def holder(history: Reading, action: str) -> dict[str, Any]:
    """``root`` and ``execution`` of the action execution ``action``. Raises ``NotFound``."""
    found = history.rows(
        "SELECT root, execution FROM faultline.actions_now WHERE id = {id:String}", id=action
    )
    if not found:
        raise NotFound(f"no action execution {action!r}; it may take a moment to be seen, try again")
    return found[0]


def past(history: Reading, key: str, *, limit: int = 200) -> Rows:
    """What happened to an entity, alarm or execution, the latest ``limit`` events in order."""
    found = history.rows(
        """
        SELECT event_time, domain, what, detail, id FROM (
            SELECT event_time, domain, if(kind = '', outcome, concat(kind, ' ', op)) AS what,
                trim(concat(state, ' ', reason)) AS detail, id, epoch, log_offset AS place, n
            FROM faultline.changes
            WHERE key = {key:String} OR concat(source_type, '/', source_id) = {key:String}
                OR concat(target_type, '/', target_id) = {key:String}
            UNION ALL
            SELECT event_time, domain, concat('ALARM ', outcome),
                trim(concat(severity, ' ', rule, ' ', reason)), id, epoch, log_offset, n
            FROM faultline.alarms
            WHERE key = {key:String} OR concat(resource_type, '/', resource_id) = {key:String}
            UNION ALL
            SELECT event_time, domain, 'STATE',
                concat(aggregated_state, ' (', operational_state, ')'), id, epoch, log_offset, n
            FROM faultline.states WHERE key = {key:String}
            UNION ALL
            SELECT event_time, domain, concat('CAUSE ', op), concat(source, ' causes ', target), id, epoch,
                log_offset, n
            FROM faultline.causes WHERE source = {key:String} OR target = {key:String}
            UNION ALL
            SELECT event_time, domain, concat('SHADOW ', deduces, ' ', op),
                trim(concat(multiIf(deduces = 'WORKFLOW', concat(workflow, ' ', input), key != '', key,
                    concat(source, ' causes ', target)), ' ', severity, state, ' would be by ', rule)),
                id, epoch, log_offset, n
            FROM faultline.shadows
            WHERE key = {key:String} OR concat(resource_type, '/', resource_id) = {key:String}
                OR source = {key:String} OR target = {key:String} OR rule = {key:String}
            UNION ALL
            SELECT event_time, domain, concat(kind, if(op = 'DELETE', ' REMOVED', ' PUT LIVE')),
                trim(concat(revision, ' ', mode, if(`by` = '', '', concat(' by ',
                    JSONExtractString(`by`, 'operator'), '@', JSONExtractString(`by`, 'host'))), ' ', path)),
                id, epoch, `offset`, n
            FROM faultline.definitions WHERE name = {key:String}
            UNION ALL
            SELECT min(r.event_time), domain, concat(kind, ' ERROR'), concat(revision, ' ', reason),
                min(r.id), min(r.epoch), min(r.log_offset), min(r.n)
            FROM faultline.rules AS r WHERE name = {key:String} AND op = 'ERROR'
            GROUP BY domain, kind, revision, reason
            UNION ALL
            SELECT event_time, domain, concat(kind, ' ', state),
                trim(concat(name, ' ', state_info)), id, epoch, `offset`, n
            FROM faultline.steps
            WHERE execution = {key:String} OR task = {key:String} OR action = {key:String}
        )
        ORDER BY event_time DESC, epoch DESC, place DESC, n DESC
        LIMIT 1 BY id, n, what, detail
        LIMIT {limit:UInt32}
        """,
        key=key,
        limit=limit,
    )
    if not found:
        raise NotFound(
            f"nothing is known of {key!r}; it is written TYPE/ID, SOURCE/NAME@TYPE/ID, an execution's id"
            " or the name of a rule or playbook"
        )
    return found[::-1]


def parsed(row: dict[str, Any], *names: str) -> dict[str, Any]:
    """``row`` with the JSON texts in ``names`` as values; an empty one is null."""
    for name in names:
        row[name] = _value(row[name])
    return row


def _value(text: str) -> Any:
    if not text:
        return None
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
