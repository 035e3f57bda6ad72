"""Reports: each puts off the end of the waits for it not to come (``not_seen_for``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..events import alarm_key
from ..graph.step import Step
from ..graph.store import Graph
from ..graph.vertex import Vertex
from ..graph.words import CLEARING
from .index import Index

if TYPE_CHECKING:
    from .agenda import Agenda
    from .waiting import Waiting


def take(step: Step, agenda: Agenda, graph: Graph, index: Index, waiting: Waiting) -> None:
    """Puts off what waits for the silence of what the step's record has reported, if anything does."""
    record = step.input
    type_ = record.source if record.alarm is not None else record.entity.type if record.entity else ""
    clauses = [*index.sights.get(type_, ()), *index.sights.get(None, ())]
    if not clauses or not _told_anew(step):
        return
    vertex = _reported(step, graph)
    if vertex is None or not vertex.live:
        return
    for clause in clauses:
        sight = clause.sight
        assert sight is not None
        if not all(test(vertex) for test in sight.tests):
            continue
        adjacency = vertex.into if sight.outgoing else vertex.out
        for near in (adjacency or {}).get(sight.label, ()):
            hold = clause.held.get((near,))
            if hold is not None:
                waiting.put_off(step, agenda, hold)


def _told_anew(step: Step) -> bool:
    """Whether the record is news at all: not older than what was known, and no second copy."""
    if step.outcome != "repeated":
        return step.outcome == "applied"
    return bool(step.journal) and step.journal[-1]["reason"] != "repeated"


def _reported(step: Step, graph: Graph) -> Vertex | None:
    """What the record says is there."""
    record, alarm = step.input, step.input.alarm
    if alarm is not None:
        active = alarm.status == "ACTIVE" and alarm.severity.upper() not in CLEARING
        key = alarm_key(record.source, alarm.name, alarm.resource, alarm.external_id)
        return graph.alarm(record.source, key) if active else None
    if record.entity is None or record.op == "DELETE":
        return None
    return graph.entity(record.entity.type, record.entity.id)
