"""What the demo found: facts read back from history, what was expected of them, and how long it took."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..console.client import Client
from . import incident

Rows = list[dict[str, Any]]
TASKS = ("send_nova_migrate", "wait_for_migration", "verify_vm_status", "get_vm_ip", "check_ssh")


@dataclass(frozen=True, slots=True)
class Expectation:
    """One thing that had to come of the incident, and whether it did."""

    text: str
    held: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What history holds of one domain, in ClickHouse."""

    published: Rows
    alarms: Rows
    raised: Rows
    causes: Rows
    caused: Rows
    states: Rows
    executions: Rows
    tasks: Rows
    hosts: dict[str, str]
    dead_letters: int

    def document(self) -> dict[str, Any]:
        """The facts without what differs from run to run (times, ids), so that two runs compare."""
        alarms = [
            [one["key"], one["status"], one["operational_severity"], one["rule"]] for one in self.alarms
        ]
        return {
            "published": {one["kind"]: one["records"] for one in self.published},
            "alarms": sorted(alarms),
            "raised": sorted([one["key"], one["status"]] for one in self.raised),
            "causes": sorted([one["source"], one["target"], one["rule"]] for one in self.causes),
            "caused": sorted([one["source"], one["target"]] for one in self.caused),
            "states": sorted([one["key"], one["aggregated_state"]] for one in self.states),
            "executions": sorted(
                [one["workflow"], one["input"], one["state"], one["state_info"]] for one in self.executions
            ),
            "tasks": sorted(
                [
                    one["input"],
                    one["name"],
                    one["state"],
                    one["state_info"] if one["state"] == "ERROR" else "",
                ]
                for one in self.tasks
            ),
            "hosts": dict(sorted(self.hosts.items())),
            "dead_letters": self.dead_letters,
        }


def facts(api: Client, domain: str) -> Facts:
    """Reads back what history holds of ``domain``. Raises ``NotRunning`` and ``QueryRefused``."""

    def ask(query: str) -> Rows:
        answer = api.post("/api/sql", {"query": query.replace("{domain}", domain)})
        rows: Rows = answer["rows"] if isinstance(answer, dict) else answer
        return rows

    started = "SELECT execution FROM faultline.starts WHERE domain = '{domain}'"
    hosts = ask(
        "SELECT source_id, target_id FROM faultline.relationships_now WHERE domain = '{domain}' "
        "AND type = 'contains' AND source_type = 'nova.host'"
    )
    return Facts(
        published=ask(
            "SELECT kind, uniqExact(record) AS records FROM ("
            "SELECT 'topology' AS kind, record FROM faultline.changes WHERE domain = '{domain}' "
            "UNION ALL SELECT 'alarms' AS kind, record FROM faultline.alarms "
            "WHERE domain = '{domain}' AND NOT deduced AND outcome != 'REMOVED') GROUP BY kind ORDER BY kind"
        ),
        alarms=ask(
            "SELECT key, status, severity, operational_severity, rule, deduced "
            "FROM faultline.alarms_now WHERE domain = '{domain}' ORDER BY key"
        ),
        raised=ask(
            "SELECT DISTINCT id, key, status FROM faultline.alarms "
            "WHERE domain = '{domain}' AND deduced ORDER BY key, status"
        ),
        causes=ask(
            "SELECT source, target, rule FROM faultline.causes_now WHERE domain = '{domain}' "
            "ORDER BY source, target"
        ),
        caused=ask(
            "SELECT DISTINCT source, target FROM faultline.causes "
            "WHERE domain = '{domain}' AND op = 'ADDED' ORDER BY source, target"
        ),
        states=ask(
            "SELECT key, aggregated_state, rule FROM faultline.states_now "
            "WHERE domain = '{domain}' ORDER BY key"
        ),
        executions=ask(
            "SELECT id, workflow, input, state, state_info, output FROM faultline.executions_now "
            f"WHERE id IN ({started}) ORDER BY input"
        ),
        tasks=ask(
            "SELECT t.name AS name, t.state AS state, t.state_info AS state_info, e.input AS input "
            "FROM faultline.tasks_now AS t INNER JOIN faultline.executions_now AS e ON e.id = t.execution "
            f"WHERE t.execution IN ({started}) ORDER BY input, t.started_at"
        ),
        hosts={row["target_id"]: row["source_id"] for row in hosts},
        dead_letters=int(ask("SELECT count() AS n FROM faultline.dead_letters")[0]["n"]),
    )


def expectations(found: Facts, calls: dict[str, dict[str, int]]) -> Iterator[Expectation]:
    """What must have come of both faults, each with its answer."""
    alarms = {one["key"]: one["status"] for one in found.alarms}
    states = {one["key"]: one["aggregated_state"] for one in found.states}
    raised = {one["key"] for one in found.raised if one["status"] == "ACTIVE"}
    caused = {(one["source"], one["target"]) for one in found.caused}
    causes = {(one["source"], one["target"]) for one in found.causes}
    executions = {_instance(one): one for one in found.executions}
    first, second = incident.observed_key(incident.FIRST_FAULT), incident.observed_key(incident.SECOND_FAULT)

    for host in (incident.FIRST_FAULT, incident.SECOND_FAULT):
        on_host = [one for one in incident.INSTANCES if one.host == host]
        for one in on_host:
            key = incident.deduced_key(one.id)
            yield Expectation(f"an alarm was deduced on {one.id}", key in raised)
            linked = (incident.observed_key(host), key) in caused
            yield Expectation(f"it was linked to its root cause on {host}", linked)
            moved = one.migrate == "auto"
            yield Expectation(
                f"a playbook was started for {one.id}" if moved else f"no playbook was started for {one.id}",
                (one.id in executions) is moved,
            )
    repaired = executions.get("vm-1", {})
    done = [one["name"] for one in found.tasks if _instance(one) == "vm-1" and one["state"] == "SUCCESS"]
    yield Expectation("the execution for vm-1 ended in SUCCESS", repaired.get("state") == "SUCCESS")
    yield Expectation("its five tasks ended in SUCCESS", sorted(done) == sorted(TASKS))
    yield Expectation("vm-1 runs on another host now", found.hosts.get("vm-1", "host-1") != "host-1")
    yield Expectation("vm-1's alarm is cleared", alarms.get(incident.deduced_key("vm-1")) == "CLEARED")
    yield Expectation("vm-1 is ACTIVE again", states.get("nova.instance/vm-1") == "ACTIVE")
    stay = [alarms.get(key) for key in (first, incident.deduced_key("vm-2"))]
    yield Expectation("host-1's own alarm and vm-2's stay", stay == ["ACTIVE", "ACTIVE"])
    suffering = [states.get(key) for key in ("nova.host/host-1", "nova.instance/vm-2")]
    yield Expectation("host-1 is in ERROR, vm-2 SUBOPTIMAL", suffering == ["ERROR", "SUBOPTIMAL"])
    yield Expectation(
        "vm-2's alarm still has its cause, vm-1's is past",
        (first, incident.deduced_key("vm-2")) in causes
        and (first, incident.deduced_key("vm-1")) not in causes,
    )
    failed = executions.get("vm-3", {})
    yield Expectation("the execution for vm-3 ended in ERROR", failed.get("state") == "ERROR")
    yield Expectation(
        "its reason says that vm-3 does not answer",
        "vm-3" in str(failed.get("state_info")) and "does not answer" in str(failed.get("state_info")),
    )
    yield Expectation("host-3's own alarm stays", alarms.get(second) == "ACTIVE")
    told = {server: verbs.get("migrate", 0) for server, verbs in calls.items()}
    yield Expectation("the cloud was told once to move vm-1 and once vm-3", told == {"vm-1": 1, "vm-3": 1})
    yield Expectation("no record was set aside in dead letters", found.dead_letters == 0)


def _instance(row: dict[str, Any]) -> str:
    given = row["input"]
    parsed = json.loads(given) if isinstance(given, str) and given else given
    return str((parsed or {}).get("vm_id", ""))
