from __future__ import annotations

import pytest
from support.correlation_oracle import Rule
from support.correlation_rules import RULES
from support.lab import Lab

from pipeline.graph.picture import picture
from pipeline.graph.store import Graph
from pipeline.rules.search import Search


def drawn(lab: Lab) -> Graph:
    """The picture of what the shard's state document says."""
    state = lab.state()
    alarms = [
        {**alarm, "resource_type": alarm["resource"]["type"], "resource_id": alarm["resource"]["id"]}
        for alarm in state["alarms"]
    ]
    down = [f"{entity['type']}/{entity['id']}" for entity in state["entities"] if entity["marked_down"]]
    return picture(
        "default", entities=state["entities"], relationships=state["relationships"], alarms=alarms,
        causes=state["causes"], down=down,
    )  # fmt: skip


def matches(lab: Lab, graph: Graph) -> set[tuple[int, int, tuple[str, ...]]]:
    """All whole matches of the lab's rules in a graph."""
    return {
        (clause.scenario.index, clause.index, tuple(vertex.key for vertex in match))
        for clause in lab.shard.engine.clauses
        for vertex in list(graph.candidates(None))
        for match in Search().at(clause, {0: vertex})
    }


@pytest.mark.parametrize("each", RULES, ids=lambda each: str(each.name))
def test_rules_match_in_a_picture_what_they_match_in_the_graph(each: Rule) -> None:
    lab = Lab()
    lab.rule(each.text, each.name)
    lab.rule(RULES[0].text, RULES[0].name)
    lab.rule(RULES[1].text, RULES[1].name)
    for number in range(4):
        lab.entity(
            f"host/{number}", name=f"host-{number}", state=("up", "ERROR")[number % 2], attributes={"n": 1}
        )
        for vm in range(2):
            lab.entity(f"vm/{number}{vm}", state="ACTIVE")
            lab.relate(f"host/{number}", "contains", f"vm/{number}{vm}")
        for bit, name in enumerate("xy"):
            if number >> bit & 1:
                lab.alarm(name, f"host/{number}", ("WARNING", "CRITICAL")[number % 2], source="mon")
    lab.alarm("x", "host/unknown", "CRITICAL", source="mon")
    assert matches(lab, drawn(lab)) == matches(lab, lab.shard.graphs["default"])


def test_what_nobody_described_is_a_placeholder() -> None:
    ends = {"source": {"type": "rack", "id": "1"}, "type": "contains", "target": {"type": "host", "id": "h"}}
    alarm = {"key": "mon/x@host/g", "source": "mon", "name": "x", "resource_type": "host", "resource_id": "g"}
    graph = picture(
        "d",
        entities=[{"type": "host", "id": "h", "state": "up", "aggregated_state": "ERROR"}],
        relationships=[ends],
        alarms=[alarm],
        causes=[{"source": "mon/x@host/g", "target": "gone"}],
        down=["host/h", "host/gone"],
    )
    host, rack, other = graph.entity("host", "h"), graph.entity("rack", "1"), graph.entity("host", "g")
    assert host is not None
    assert host.live
    assert host.derived is not None
    assert (host.derived.state, host.derived.down) == ("ERROR", True)
    assert set(graph.placeholders) == {rack, other}
    assert graph.entity("host", "gone") is None
