"""Value mappings: files in Vitrage's form, built-in words, aggregation."""

from __future__ import annotations

import pytest
from support.lab import Lab

from pipeline.errors import InvalidDocument
from pipeline.graph.values import REMEMBERED, Values, parse
from pipeline.resources import shipped

SEVERITIES = {"CRITICAL", "SEVERE", "WARNING", "OK", "N/A"}
OPERATIONAL = {"ERROR", "SUBOPTIMAL", "TRANSIENT", "DELETED", "OK", "N/A"}

HOST = """
category: RESOURCE
values:
  - aggregated values:
      priority: 40
      original values:
        - name: ERROR
          operational_value: ERROR
  - aggregated values:
      priority: 30
      original values:
        - {name: SUBOPTIMAL, operational_value: SUBOPTIMAL}
        - {name: PAUSED, operational_value: SUBOPTIMAL}
  - aggregated values:
      priority: 10
      original values:
        - {name: available, operational_value: OK}
"""


@pytest.mark.parametrize(
    ("own", "derived", "expected"),
    [
        (None, None, (None, None)),
        ("available", None, ("AVAILABLE", "OK")),
        ("Available", "SUBOPTIMAL", ("SUBOPTIMAL", "SUBOPTIMAL")),
        ("error", "SUBOPTIMAL", ("ERROR", "ERROR")),
        ("PAUSED", "SUBOPTIMAL", ("PAUSED", "SUBOPTIMAL")),  # a tie: the source's own
        (None, "SUBOPTIMAL", ("SUBOPTIMAL", "SUBOPTIMAL")),
        ("odd", None, ("ODD", "N/A")),
        ("odd", "available", ("AVAILABLE", "OK")),
        ("odd", "strange", ("ODD", "N/A")),
    ],
)
def test_the_worse_word_wins_and_the_source_wins_ties(
    own: str | None, derived: str | None, expected: tuple[str | None, str | None]
) -> None:
    values = Values({"host": parse("host", HOST)})
    assert values.aggregate("host", own, derived) == expected


@pytest.mark.parametrize(
    ("own", "derived", "expected"),
    [
        ("SUSPENDED", "SUBOPTIMAL", "SUSPENDED"),
        ("SUBOPTIMAL", "SUSPENDED", "SUSPENDED"),
        ("ACTIVE", "SUBOPTIMAL", "SUBOPTIMAL"),
        ("SUBOPTIMAL", "ACTIVE", "SUBOPTIMAL"),
        (None, "SUBOPTIMAL", "SUBOPTIMAL"),
        ("ACTIVE", "ERROR", "ERROR"),
    ],
)
def test_the_built_in_states(own: str | None, derived: str, expected: str) -> None:
    assert Values().aggregate("anything", own, derived)[0] == expected


@pytest.mark.parametrize(
    ("word", "operational"),
    [
        ("CRITICAL", "CRITICAL"),
        ("Major", "SEVERE"),
        ("MINOR", "WARNING"),
        ("WARNING", "WARNING"),
        ("INDETERMINATE", "N/A"),
        ("CLEARED", "OK"),
        ("whatever", "N/A"),
    ],
)
def test_x733_is_understood_without_a_mapping(word: str, operational: str) -> None:
    assert Values().severity("nobody", word)[1] == operational


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("values: 3", 1),
        ("category: RESOURCE\nvalues:\n  - x", 3),
        ("values:\n  - aggregated values:\n      priority: much\n      original values: []", 3),
        ("values:\n  - aggregated values:\n      priority: 3\n      original values: [{}]", 4),
    ],
)
def test_a_bad_file_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(InvalidDocument) as caught:
        parse("host", text)
    assert caught.value.findings[0].line == line  # type: ignore[attr-defined]


def test_a_mapping_put_live_moves_states_and_what_rules_read() -> None:
    lab = Lab()
    lab.rule(
        """
metadata: {version: 3, name: rule}
entities:
  host: {type: host, vitrage_operational_state: SUBOPTIMAL}
scenarios:
- condition: host
  actions:
  - raise_alarm: {target: host, alarm_name: poor, severity: WARNING}
"""
    )
    lab.entity("host/h", state="strange")
    assert (lab.of("host/h")["operational_state"], lab.deduced()) == ("N/A", {})
    text = HOST.replace("PAUSED", "STRANGE")
    lab.send(definition={"kind": "VALUES", "name": "host", "text": text})
    assert lab.of("host/h")["operational_state"] == "SUBOPTIMAL"
    assert lab.announced() == [("poor@host/h", "ACTIVE", "WARNING")]
    assert lab.changes("STATE")[0]["operational_state"] == "SUBOPTIMAL"
    lab.send(op="DELETE", definition={"kind": "VALUES", "name": "host"})
    assert lab.announced() == [("poor@host/h", "CLEARED", "WARNING")]


def test_unknown_words_are_counted_by_type() -> None:
    lab = Lab()
    lab.entity("host/h", state="ACTIVE")
    lab.entity("host/h", state="Weird")
    lab.alarm("x", "host/h", "HIGH", source="zabbix")
    lab.alarm("x", "host/h", "HIGH", source="zabbix")
    lab.alarm("y", "host/h", "UNKNOWN")
    assert lab.shard.counters()["unknown_values"] == {"host": {"Weird": 1}, "zabbix": {"HIGH": 2}}


RESOURCES = [
    "nova.host",
    "nova.zone",
    "nova.instance",
    "cinder.volume",
    "neutron.network",
    "neutron.port",
    "heat.stack",
    "trove.instance",
    "trove.cluster",
    "kubernetes",
    "cetus.cluster",
    "cetus.pod",
    "static",
    "tmfapi639",
    "openstack.cluster",
]
SOURCES = [
    "aodh",
    "nagios",
    "zabbix",
    "collectd",
    "kapacitor",
    "monasca",
    "prometheus",
    "doctor",
    "snmp",
    "vitrage",
]


@pytest.mark.parametrize("name", [*RESOURCES, *SOURCES, "default"])
def test_each_type_that_vitrage_knows_has_a_mapping(name: str) -> None:
    path = shipped("infra") / "values" / f"{name}.yaml"
    found = parse(name, path.read_text(encoding="utf-8"), str(path))
    assert found.category == ("ALARM" if name in SOURCES else "RESOURCE")
    assert found.words
    assert all(priority >= 0 for priority, _ in found.words.values())
    known = SEVERITIES if name in SOURCES else OPERATIONAL
    assert {operational for _, operational in found.words.values()} <= known


@pytest.mark.parametrize("name", RESOURCES)
def test_a_state_that_rules_set_is_worse_than_health_and_better_than_error(name: str) -> None:
    path = shipped("infra") / "values" / f"{name}.yaml"
    words = parse(name, path.read_text(encoding="utf-8")).words
    healthy = [priority for priority, operational in words.values() if operational == "OK"]
    assert max(healthy) < words["SUBOPTIMAL"][0] < words["ERROR"][0]


def test_words_without_end_do_not_make_the_memory_of_them_grow() -> None:
    values = Values()
    for number in range(3 * REMEMBERED):
        assert values.severity("nagios", f"word {number}") == (0, "N/A")
        assert values.aggregate("host", f"word {number}", None) == (f"WORD {number}", "N/A")
    assert values.severity("nagios", "critical")[1] == "CRITICAL"
    assert max(len(values._severities), len(values._aggregates)) <= REMEMBERED
