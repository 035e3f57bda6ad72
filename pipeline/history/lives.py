"""How alarms and entities of a domain were at a place of the log, and which records made them so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .queries import parsed
from .reading import Reading, Rows

REPORTS = 200
_ROW = (
    "id, record, key, source, name, severity, operational_severity, status, deduced, episode, rule,"
    " rule_revision, scenario, match, attributes, outcome, reason, late, event_time, ingest_time, topic,"
    " `partition`, `offset`, log_partition, log_offset, origin_topic, origin_partition, origin_offset"
)
_ORDER = "(epoch, log_offset, n)"
_BEFORE = " AND event_time <= parseDateTime64BestEffort({until:String}, 6, 'UTC')"


@dataclass(slots=True)
class Domain:
    """Asks about one domain up to a time, each record only once."""

    history: Reading
    name: str
    until: str | None
    origins: dict[tuple[str, int, int], dict[str, Any]] = field(default_factory=dict)

    def life(self, key: str) -> Rows:
        """What changed the alarm in its latest life, in order; of one that was reported also what was
        said in vain because it was older."""
        rows = self._rows("key = {key:String} AND outcome != 'REPEATED'", key=key)
        if not rows:
            return []
        if rows[-1]["deduced"]:
            return [row for row in rows if row["episode"] == rows[-1]["episode"]]
        first = max((at for at, row in enumerate(rows) if row["outcome"] == "RAISED"), default=0)
        return rows[first:]

    def repeated(self, life: Rows) -> dict[str, Any]:
        """How often reports of that life said nothing new, and when last."""
        [found] = self.history.rows(
            "SELECT uniqExact(id) AS count, max(event_time) AS last FROM faultline.alarms"
            " WHERE domain = {domain:String} AND key = {key:String} AND outcome = 'REPEATED'"
            " AND log_offset >= {since:Int64}" + (_BEFORE if self.until else ""),
            domain=self.name,
            key=life[0]["key"] if life else "",
            since=life[0]["log_offset"] if life else 0,
            **self._until(),
        )
        return {"count": found["count"], "last": found["last"] if found["count"] else None}

    def standing(self, keys: list[str], position: int) -> Rows:
        """The latest active row of each of these alarms at a position of the log."""
        if not keys:
            return []
        return self.history.rows(
            f"SELECT {_ROW} FROM faultline.alarms WHERE domain = {{domain:String}}"
            " AND key IN {keys:Array(String)} AND outcome NOT IN ('REPEATED', 'IGNORED')"
            f" AND status = 'ACTIVE' AND log_offset <= {{position:Int64}}"
            f" ORDER BY key, {_ORDER} DESC LIMIT 1 BY key",
            domain=self.name,
            keys=keys,
            position=position,
        )

    def entities(self, keys: list[str], position: int) -> dict[str, dict[str, Any]]:
        """Entities as they were at a position of the log, with who set their states."""
        if not keys:
            return {}
        given = {"domain": self.name, "keys": keys, "position": position}
        where = (
            " WHERE domain = {domain:String} AND key IN {keys:Array(String)}"
            " AND log_offset <= {position:Int64}"
        )
        entities = self.history.rows(
            "SELECT key, name, state, attributes, record, event_time FROM faultline.changes"
            f"{where} AND kind = 'ENTITY' AND outcome = 'APPLIED' ORDER BY key, {_ORDER} DESC LIMIT 1 BY key",
            **given,
        )
        states = self.history.rows(
            "SELECT key, aggregated_state, operational_state, rule, match, record, event_time, log_offset,"
            f" log_partition FROM faultline.states{where} ORDER BY key, {_ORDER} DESC LIMIT 1 BY key",
            **given,
        )
        found = {row["key"]: parsed(row, "attributes") for row in entities}
        for row in states:
            found.setdefault(row["key"], {"key": row["key"]})["set"] = parsed(row, "match")
        return found

    def causes(self, key: str, position: int) -> list[str]:
        """The alarms that stood as causes of one at a position of the log."""
        found = self.history.rows(
            "SELECT source FROM faultline.causes WHERE domain = {domain:String} AND target = {key:String}"
            f" AND log_offset <= {{position:Int64}} GROUP BY source HAVING argMax(op, {_ORDER}) = 'ADDED'"
            " ORDER BY source",
            domain=self.name,
            key=key,
            position=position,
        )
        return [row["source"] for row in found]

    def origin(self, row: dict[str, Any]) -> dict[str, Any]:
        """What the record said that a row follows from, and where it came from."""
        place = (row["record"], row["log_partition"], row["log_offset"])
        if place not in self.origins:
            found = self.history.rows(
                "SELECT what, topic, `partition`, `offset` FROM ("
                " SELECT concat('ALARM ', outcome, ' ', key) AS what, origin_topic AS topic,"
                "  origin_partition AS `partition`, origin_offset AS `offset`, n FROM faultline.alarms"
                "  WHERE NOT deduced AND log_partition = {number:Int32} AND log_offset = {position:Int64}"
                "  AND record = {record:String}"
                " UNION ALL SELECT concat(if(kind = '', outcome, concat(kind, ' ', op)), ' ', key),"
                "  origin_topic, origin_partition, origin_offset, n FROM faultline.changes"
                "  WHERE log_partition = {number:Int32} AND log_offset = {position:Int64}"
                "  AND record = {record:String}"
                " UNION ALL SELECT concat(kind, ' ', op, ' ', name), origin_topic, origin_partition,"
                "  origin_offset, n FROM faultline.rules"
                "  WHERE log_partition = {number:Int32} AND log_offset = {position:Int64}"
                "  AND record = {record:String}"
                ") ORDER BY n LIMIT 1",
                record=place[0],
                number=place[1],
                position=place[2],
            )
            self.origins[place] = found[0] if found else {"what": "", "topic": ""}
        return self.origins[place]

    def _rows(self, condition: str, **given: Any) -> Rows:
        newest = self.history.rows(
            f"SELECT {_ROW} FROM faultline.alarms WHERE domain = {{domain:String}} AND {condition}"
            f"{_BEFORE if self.until else ''} ORDER BY {_ORDER} DESC LIMIT 1 BY id, n LIMIT {REPORTS}",
            domain=self.name,
            **given,
            **self._until(),
        )
        return newest[::-1]

    def _until(self) -> dict[str, str]:
        return {"until": self.until} if self.until else {}
