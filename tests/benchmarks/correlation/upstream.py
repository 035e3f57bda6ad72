"""Vitrage's evaluator in process, without its services, driven over standard input.

Run by ``beside.py`` with the Python of an environment that holds Vitrage; one JSON command a line,
one JSON answer a line. What is timed is the processor with its transformers, the change of the
graph, the evaluator, its table of active actions, and the processor for the events that the
evaluator sends back; the database is SQLite in memory; deleted elements are purged outside the
time taken. Its queues and worker copies are left out in Vitrage's favour, and so are its log and
garbage collection of what was loaded, unless it is started with ``--as-shipped``: then they are as
it comes, and raw events go through its ``EventsCoordination``, as in its own process.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import vitrage.tests
import yaml
from oslo_config import cfg
from oslo_db.sqlalchemy import enginefacade
from vitrage import opts, storage
from vitrage.common import config
from vitrage.entity_graph.graph_init import EventsCoordination
from vitrage.entity_graph.processor.processor import Processor
from vitrage.evaluator.scenario_evaluator import ScenarioEvaluator
from vitrage.evaluator.scenario_repository import ScenarioRepository
from vitrage.evaluator.template_db.template_repository import add_templates_to_db
from vitrage.graph.driver.networkx_graph import NXGraph
from vitrage.storage.sqlalchemy import models

CONF = cfg.CONF
ON_HOST = 20
AS_SHIPPED = "--as-shipped" in sys.argv


def configure() -> None:
    if not AS_SHIPPED:
        logging.disable(logging.CRITICAL)
    config.parse_config([])
    sys.excepthook = sys.__excepthook__  # oslo.log would tell the disabled log
    values = os.path.join(os.path.dirname(vitrage.tests.__file__), "resources", "datasources_values")
    CONF.set_override("connection", "sqlite://", group="database")
    CONF.set_override("datasources_values_dir", values, group="entity_graph")
    CONF.set_override("types", ["nova.host", "nova.instance", "nova.zone", "zabbix"], group="datasources")
    for datasource in CONF.datasources.types:
        opts.register_opts(datasource, CONF.datasources.path)


def without_overlap(before: list[Any], current: list[Any]) -> tuple[list[Any], list[Any]]:
    """Vitrage's ``_remove_overlap_scenarios`` as it must have been meant: by identity, once through."""
    olds = {(id(element), id(scenario)) for element, scenario in before}
    news = {(id(element), id(scenario)) for element, scenario in current}
    return (
        [each for each in before if (id(each[0]), id(each[1])) not in news],
        [each for each in current if (id(each[0]), id(each[1])) not in olds],
    )


PLAIN = ScenarioEvaluator.__dict__["_remove_overlap_scenarios"]


class World:
    """One entity graph with its evaluator."""

    def __init__(self, instances: int, templates: list[str], patched: bool) -> None:
        ScenarioEvaluator._remove_overlap_scenarios = staticmethod(without_overlap) if patched else PLAIN
        self.db = storage.get_connection_from_config()
        engine = enginefacade.writer.get_engine()
        models.Base.metadata.drop_all(engine)
        models.Base.metadata.create_all(engine)
        loaded = [yaml.load(text, Loader=yaml.BaseLoader) for text in templates]
        for row in add_templates_to_db(self.db, loaded, "standard"):
            if row.status != "LOADING":
                raise ValueError(f"template {row.name}: {row.status_details}")
            self.db.templates.update(row.uuid, "status", "ACTIVE")
        self.graph = NXGraph("graph")
        self.processor = Processor(self.graph)
        # What its two listeners would do with an event, without their queues.
        coordination = EventsCoordination(self.processor.process_event)
        self.raw = coordination._do_low_priority_work if AS_SHIPPED else self.processor.process_event
        self.own = coordination._do_high_priority_work if AS_SHIPPED else self.processor.process_event
        self.told = 0
        self.pending: list[Any] = []
        self.evaluator = ScenarioEvaluator(self.graph, ScenarioRepository(), self._take, enabled=False)
        self.instances = instances
        for number in range(instances):
            if number % ON_HOST == 0:
                self.processor.process_event(self._host(number // ON_HOST))
            self.processor.process_event(self._instance(number))
        self.evaluator.enabled = True

    @staticmethod
    def _now() -> str:
        # The true time: events of the evaluator bear it, and what seems older is dropped.
        return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _host(self, number: int) -> dict[str, Any]:
        return {
            "vitrage_entity_type": "nova.host",
            "vitrage_datasource_action": "init_snapshot",
            "vitrage_sample_date": self._now(),
            "_info": {"host_name": f"host-{number}", "service": "compute", "zone": "zone-0"},
            "host": f"host-{number}",
            "service": "compute",
            "zone": "zone-0",
            "id": f"host-{number}",
        }

    def _instance(self, number: int) -> dict[str, Any]:
        host = f"host-{number // ON_HOST}"
        return {
            "vitrage_entity_type": "nova.instance",
            "vitrage_datasource_action": "snapshot",
            "vitrage_sample_date": self._now(),
            "id": f"vm-{number}",
            "name": f"vm-{number}",
            "status": "ACTIVE",
            "tenant_id": "tenant",
            "hostid": host,
            "OS-EXT-SRV-ATTR:host": host,
            "OS-EXT-SRV-ATTR:instance_name": f"instance-{number}",
        }

    def _alarm(self, name: str, type_: str, target: str, active: bool) -> dict[str, Any]:
        return {
            "vitrage_entity_type": "zabbix",
            "vitrage_datasource_action": "update",
            "vitrage_sample_date": self._now(),
            "resource_type": type_,
            "resource_name": target,
            "zabbix_resource_name": target,
            "description": name,
            "rawtext": "x",
            "triggerid": "1",
            "lastchange": "1469450551",
            "value": "1" if active else "0",
            "priority": "2",
        }

    def _take(self, kind: str, events: list[Any]) -> None:
        self.told += len(events)
        self.pending += events
        for event in events:
            # Vitrage cannot read a time of its own that falls on a whole second.
            if "." not in event["update_timestamp"]:
                event["update_timestamp"] += ".000001"

    def _settle(self) -> None:
        while self.pending:
            events, self.pending = self.pending, []
            for event in events:
                self.own(event)

    def alarms(self, name: str, type_: str, targets: list[str]) -> dict[str, Any]:
        """An alarm on each target is raised, then all are cleared: seconds of either, events told."""
        self.told = 0
        raised = self._seconds(self._alarm(name, type_, target, True) for target in targets)
        told = self.told
        standing = self._state()
        cleared = self._seconds(self._alarm(name, type_, target, False) for target in targets)
        self._purge()
        return {"raised": raised, "cleared": cleared, "told": told, "standing": standing}

    def refresh(self, count: int) -> float:
        """Seconds of as many snapshots of instances that change nothing but when they were seen."""
        return self._seconds(self._instance(number % self.instances) for number in range(count))

    def _seconds(self, events: Iterator[dict[str, Any]]) -> float:
        clock = time.perf_counter if AS_SHIPPED else time.process_time
        began = clock()
        for event in events:
            self.raw(event)
            self._settle()
        return clock() - began

    def _state(self) -> dict[str, int]:
        """What stands: deduced alarms, causes, hosts and instances with a state that rules gave."""
        live = [v for v in self.graph.get_vertices() if not v.get("vitrage_is_deleted")]
        causes = [
            edge
            for vertex in live
            for edge in self.graph.get_edges(vertex.vertex_id, attr_filter={"relationship_type": "causes"})
            if not edge.get("vitrage_is_deleted")
        ]
        return {
            "deduced": sum(v.get("vitrage_type") == "vitrage" for v in live),
            "causes": len({(e.source_id, e.target_id) for e in causes}),
            "states": sum(bool(v.get("vitrage_state")) for v in live),
        }

    def _purge(self) -> None:
        self.evaluator.enabled = False
        for vertex in self.graph.get_vertices(vertex_attr_filter={"vitrage_is_deleted": True}):
            self.graph.remove_vertex(vertex)
        self.evaluator.enabled = True


def main() -> None:
    configure()
    world: World | None = None
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        command = json.loads(line)
        kind = command.pop("do")
        if kind == "build":
            world = None
            gc.collect()
            world = World(**command)
            gc.collect()
            if not AS_SHIPPED:
                gc.freeze()
            answer: Any = None
        elif kind == "alarms":
            answer = world.alarms(**command)
        else:
            answer = world.refresh(**command)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
