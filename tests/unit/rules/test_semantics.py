"""What rules do: Vitrage's own cases, and those in which it went wrong, with the right outcome."""

from __future__ import annotations

from typing import Any

import pytest
from support.lab import Lab

NAGIOS = "{{category: ALARM, type: nagios, name: {}}}"


def template(entities: dict[str, str], *scenarios: tuple[str, str], name: str = "rule") -> str:
    """A version 3 template; actions as YAML list items."""
    lines = [f"metadata: {{version: 3, name: {name}}}", "entities:"]
    lines += [f"  {key}: {value}" for key, value in entities.items()]
    lines.append("scenarios:")
    for condition, actions in scenarios:
        lines += [f"- condition: {condition}", "  actions:"]
        lines += [f"  {line}" for line in actions.strip().splitlines()]
    return "\n".join(lines) + "\n"


def raise_(target: str, name: str, severity: str = "WARNING", **more: str) -> str:
    extra = "".join(f", {key}: {value}" for key, value in more.items())
    return f"- raise_alarm: {{target: {target}, alarm_name: {name}, severity: {severity}{extra}}}"


HOST = "{category: RESOURCE, type: nova.host}"
VM = "{category: RESOURCE, type: nova.instance}"
STATES = template(
    {
        "host": HOST,
        "warn": NAGIOS.format("cause_suboptimal_state"),
        "error": NAGIOS.format("cause_error_state"),
    },
    ("warn [on] host", "- set_state: {state: SUBOPTIMAL, target: host}"),
    ("error [on] host", "- set_state: {state: ERROR, target: host}"),
)


@pytest.mark.parametrize("first", ["cause_suboptimal_state", "cause_error_state"])
def test_overlapping_states_worst_wins_and_the_next_takes_over(first: str) -> None:
    second = {"cause_suboptimal_state", "cause_error_state"} - {first}
    lab = Lab()
    lab.rule(STATES)
    lab.entity("nova.host/h", state="AVAILABLE")
    lab.alarm(first, "nova.host/h")
    lab.alarm(second.pop(), "nova.host/h")
    assert lab.aggregated("nova.host/h") == "ERROR"
    lab.clear("cause_error_state", "nova.host/h")
    assert lab.aggregated("nova.host/h") == "SUBOPTIMAL"
    lab.clear("cause_suboptimal_state", "nova.host/h")
    assert lab.aggregated("nova.host/h") == "AVAILABLE"


DEDUCED = template(
    {"host": HOST, "warn": NAGIOS.format("w"), "critical": NAGIOS.format("c")},
    ("warn [on] host", raise_("host", "deduced_alarm", "WARNING", causing_alarm="warn")),
    ("critical [on] host", raise_("host", "deduced_alarm", "CRITICAL", causing_alarm="critical")),
)


@pytest.mark.parametrize("order", ["wc", "cw"])
def test_overlapping_alarms_are_one_with_every_cause(order: str) -> None:
    lab = Lab()
    lab.rule(DEDUCED)
    lab.entity("nova.host/h")
    for name in order:
        lab.alarm(name, "nova.host/h")
    assert lab.deduced() == {"deduced_alarm@nova.host/h": "CRITICAL"}
    assert len(lab.causes()) == 2
    lab.clear("c", "nova.host/h")
    assert lab.announced() == [("deduced_alarm@nova.host/h", "ACTIVE", "WARNING")]
    assert len(lab.causes()) == 1
    lab.clear("w", "nova.host/h")
    assert lab.announced() == [("deduced_alarm@nova.host/h", "CLEARED", "WARNING")]
    assert lab.causes() == set()


def test_a_changed_severity_keeps_the_episode_and_a_new_life_counts_on() -> None:
    lab = Lab()
    lab.rule(DEDUCED)
    lab.entity("nova.host/h")
    lab.alarm("w", "nova.host/h")
    lab.alarm("c", "nova.host/h")
    assert lab.told[0].value["alarm"]["episode"] == 1
    lab.clear("c", "nova.host/h")
    lab.clear("w", "nova.host/h")
    assert lab.told[0].value["alarm"]["episode"] == 1
    lab.alarm("w", "nova.host/h")
    assert lab.told[0].value["alarm"]["episode"] == 2


def test_simple_not() -> None:
    lab = Lab()
    alarm = "{category: ALARM, name: PORT_PROBLEM}"
    lab.rule(
        template(
            {"port": "{type: neutron.port}", "alarm": alarm},
            ("port AND NOT alarm [on] port", raise_("port", "simple_port_deduced_alarm")),
        )
    )
    lab.entity("neutron.network/n")
    lab.entity("neutron.port/p")
    assert lab.announced() == [("simple_port_deduced_alarm@neutron.port/p", "ACTIVE", "WARNING")]
    lab.alarm("PORT_PROBLEM", "neutron.port/p")
    assert lab.announced() == [("simple_port_deduced_alarm@neutron.port/p", "CLEARED", "WARNING")]
    lab.clear("PORT_PROBLEM", "neutron.port/p")
    assert lab.announced() == [("simple_port_deduced_alarm@neutron.port/p", "ACTIVE", "WARNING")]


def test_complex_not() -> None:
    lab = Lab()
    lab.rule(
        template(
            {
                "cluster": "{type: openstack.cluster}",
                "zone": "{type: nova.zone}",
                "network": "{type: neutron.network}",
                "alarm_c": "{category: ALARM, name: CLUSTER_PROBLEM}",
                "alarm_n": "{category: ALARM, name: NETWORK_PROBLEM}",
            },
            (
                "cluster [contains] zone AND network [attached] zone "
                "AND NOT alarm_c [on] cluster AND NOT alarm_n [on] network",
                raise_("zone", "complex_zone_deduced_alarm"),
            ),
        )
    )
    for key in ("openstack.cluster/c", "nova.zone/z", "neutron.network/n"):
        lab.entity(key)
    lab.relate("openstack.cluster/c", "contains", "nova.zone/z")
    lab.relate("neutron.network/n", "attached", "nova.zone/z")
    assert list(lab.deduced()) == ["complex_zone_deduced_alarm@nova.zone/z"]
    lab.alarm("NETWORK_PROBLEM", "neutron.network/n")
    assert lab.deduced() == {}
    lab.alarm("CLUSTER_PROBLEM", "openstack.cluster/c")
    lab.clear("NETWORK_PROBLEM", "neutron.network/n")
    assert lab.deduced() == {}
    lab.clear("CLUSTER_PROBLEM", "openstack.cluster/c")
    assert len(lab.deduced()) == 1


def test_high_availability_needs_distinct_instances() -> None:
    lab = Lab()
    lab.rule(
        template(
            {"host": HOST, "i": VM, "j": VM, "v": "{type: cinder.volume}", "w": "{type: cinder.volume}"},
            (
                "host [contains] i AND v [attached] i AND host [contains] j AND w [attached] j",
                raise_("host", "ha_error", "CRITICAL"),
            ),
        )
    )
    for key in ("nova.host/h", "nova.instance/0", "nova.instance/1", "cinder.volume/1", "cinder.volume/2"):
        lab.entity(key)
    lab.relate("nova.host/h", "contains", "nova.instance/0")
    lab.relate("nova.host/h", "contains", "nova.instance/1")
    lab.relate("cinder.volume/1", "attached", "nova.instance/0")
    assert lab.deduced() == {}
    lab.relate("cinder.volume/2", "attached", "nova.instance/1")
    assert lab.deduced() == {"ha_error@nova.host/h": "CRITICAL"}
    lab.part("cinder.volume/2", "attached", "nova.instance/1")
    assert lab.deduced() == {}


def test_or_keeps_what_another_alternative_supports() -> None:
    lab = Lab()
    entities = {"host": HOST} | {name: NAGIOS.format(name) for name in "abc"}
    lab.rule(template(entities, ("(a [on] host or b [on] host) and c [on] host", raise_("host", "d"))))
    lab.entity("nova.host/h")
    for name in "abc":
        lab.alarm(name, "nova.host/h")
    assert len(lab.deduced()) == 1
    lab.clear("b", "nova.host/h")
    assert len(lab.deduced()) == 1
    lab.clear("a", "nova.host/h")
    assert lab.deduced() == {}


def test_mark_down_and_back() -> None:
    lab = Lab()
    lab.rule(
        template({"host": HOST, "a": NAGIOS.format("a")}, ("a [on] host", "- mark_down: {target: host}"))
    )
    lab.entity("nova.host/h")
    lab.alarm("a", "nova.host/h")
    assert lab.of("nova.host/h")["marked_down"] is True
    lab.clear("a", "nova.host/h")
    assert lab.of("nova.host/h")["marked_down"] is False


def test_a_causal_edge_between_alarms_of_two_hosts() -> None:
    lab = Lab()
    lab.rule(
        template(
            {
                "h": HOST,
                "g": HOST,
                "a": NAGIOS.format("one"),
                "b": NAGIOS.format("two"),
                "z": "{type: nova.zone}",
            },
            (
                "a [on] h AND b [on] g AND z [contains] h AND z [contains] g",
                "- add_causal_relationship: {source: b, target: a}",
            ),
        )
    )
    for key in ("nova.host/h", "nova.host/g", "nova.zone/z"):
        lab.entity(key)
    lab.relate("nova.zone/z", "contains", "nova.host/h")
    lab.relate("nova.zone/z", "contains", "nova.host/g")
    lab.alarm("one", "nova.host/h")
    lab.alarm("two", "nova.host/g")
    assert lab.causes() == {("nagios/two@nova.host/g", "nagios/one@nova.host/h")}


def test_a_deduced_alarm_is_an_alarm_to_other_rules() -> None:
    lab = Lab()
    lab.rule(
        template(
            {
                "h": HOST,
                "a": NAGIOS.format("a"),
                "d": "{vitrage_category: ALARM, vitrage_type: vitrage, name: first, state: Active, "
                "severity: WARNING, "
                "vitrage_operational_severity: WARNING, vitrage_resource_type: nova.host}",
            },
            ("a [on] h", raise_("h", "first")),
            ("d [on] h", raise_("h", "second", causing_alarm="d")),
        )
    )
    lab.entity("nova.host/h")
    lab.alarm("a", "nova.host/h")
    assert set(lab.deduced()) == {"first@nova.host/h", "second@nova.host/h"}
    assert lab.causes() == {("vitrage/first@nova.host/h", "vitrage/second@nova.host/h")}
    lab.clear("a", "nova.host/h")
    assert lab.deduced() == {}


# Where Vitrage depends on order or on its own history.


def test_supports_are_counted_one_by_one() -> None:
    """Row 1: two instances support one alarm of their host; it goes with the last of them."""
    lab = Lab()
    entities = {"host": HOST, "i": VM, "a": NAGIOS.format("a")}
    lab.rule(template(entities, ("a [on] host AND host [contains] i", raise_("host", "d"))))
    for key in ("nova.host/h", "nova.instance/1", "nova.instance/2"):
        lab.entity(key)
    for name in "12":
        lab.relate("nova.host/h", "contains", f"nova.instance/{name}")
    lab.alarm("a", "nova.host/h")
    lab.delete("nova.instance/1")
    assert lab.announced() == []
    lab.delete("nova.instance/2")
    assert lab.announced() == [("d@nova.host/h", "CLEARED", "WARNING")]


def test_the_worst_wins_within_one_record() -> None:
    """Row 2."""
    lab = Lab()
    entities = {"host": HOST, "a": NAGIOS.format("a")}
    lab.rule(
        template(
            entities, ("a [on] host", raise_("host", "d", "CRITICAL")), ("a [on] host", raise_("host", "d"))
        )
    )
    lab.entity("nova.host/h")
    lab.alarm("a", "nova.host/h")
    assert lab.announced() == [("d@nova.host/h", "ACTIVE", "CRITICAL")]


def test_not_means_there_is_none_at_all() -> None:
    """Row 3."""
    lab = Lab()
    alarm = "{category: ALARM, type: nagios}"
    lab.rule(template({"host": HOST, "a": alarm}, ("host AND NOT a [on] host", raise_("host", "quiet"))))
    lab.entity("nova.host/h")
    lab.alarm("x", "nova.host/h")
    lab.alarm("y", "nova.host/h")
    lab.clear("x", "nova.host/h")
    assert lab.deduced() == {}
    lab.clear("y", "nova.host/h")
    assert len(lab.deduced()) == 1


def test_a_negated_entitys_properties_count() -> None:
    """Row 4."""
    lab = Lab()
    alarm = "{category: ALARM, type: nagios, severity: CRITICAL}"
    lab.rule(template({"host": HOST, "a": alarm}, ("host AND NOT a [on] host", raise_("host", "calm"))))
    lab.entity("nova.host/h")
    lab.alarm("x", "nova.host/h", "WARNING")
    assert len(lab.deduced()) == 1
    lab.alarm("x", "nova.host/h", "CRITICAL")
    assert lab.deduced() == {}
    lab.alarm("x", "nova.host/h", "WARNING")
    assert len(lab.deduced()) == 1


def test_one_record_is_one_change() -> None:
    """Row 5: nothing is raised and cleared by the same record; a rule that two levels feed tells once."""
    lab = Lab()
    lab.rule(
        template(
            {"h": HOST, "a": NAGIOS.format("a"), "d": "{category: ALARM, type: vitrage, name: d}"},
            ("a [on] h", raise_("h", "d")),
            ("a [on] h AND NOT d [on] h", raise_("h", "never", "CRITICAL")),
        )
    )
    lab.entity("nova.host/h")
    lab.alarm("a", "nova.host/h")
    assert lab.announced() == [("d@nova.host/h", "ACTIVE", "WARNING")]


def test_a_refreshed_edge_changes_nothing() -> None:
    """Row 6: moved away and back, then told again and again."""
    lab = Lab()
    entities = {"host": HOST, "i": VM, "a": NAGIOS.format("a")}
    lab.rule(template(entities, ("a [on] host AND host [contains] i", raise_("i", "d"))))
    for key in ("nova.host/h", "nova.instance/1"):
        lab.entity(key)
    lab.alarm("a", "nova.host/h")
    lab.relate("nova.host/h", "contains", "nova.instance/1")
    lab.part("nova.host/h", "contains", "nova.instance/1")
    lab.relate("nova.host/h", "contains", "nova.instance/1")
    for _ in range(3):
        lab.relate("nova.host/h", "contains", "nova.instance/1")
        assert lab.announced() == []


def test_placeholders_match_nothing_until_described() -> None:
    """Row 7."""
    lab = Lab()
    lab.rule(template({"host": HOST, "a": NAGIOS.format("a")}, ("a [on] host", raise_("host", "d"))))
    lab.alarm("a", "nova.host/h")
    assert lab.deduced() == {}
    lab.entity("nova.host/h")
    assert lab.announced() == [("d@nova.host/h", "ACTIVE", "WARNING")]
    lab.delete("nova.host/h", at=2.5, source="other")
    assert len(lab.deduced()) == 1  # the entity is newer than this deletion


def test_the_same_vertices_by_two_edges_are_two_supports() -> None:
    """Row 8."""
    lab = Lab()
    entities = {"host": HOST, "i": VM}
    lab.rule(template(entities, ("host [attached] i OR host [connect] i", raise_("i", "d"))))
    lab.entity("nova.host/h")
    lab.entity("nova.instance/1")
    lab.relate("nova.host/h", "attached", "nova.instance/1")
    lab.relate("nova.host/h", "connect", "nova.instance/1")
    lab.part("nova.host/h", "attached", "nova.instance/1")
    assert len(lab.deduced()) == 1


def test_symmetric_patterns_work() -> None:
    """Row 9: each twin in each place."""
    lab = Lab()
    alarm = "{category: ALARM, type: nagios}"
    entities = {"h": HOST, "a": alarm, "b": alarm}
    lab.rule(
        template(entities, ("a [on] h AND b [on] h", "- add_causal_relationship: {source: a, target: b}"))
    )
    lab.entity("nova.host/h")
    lab.alarm("x", "nova.host/h")
    lab.alarm("y", "nova.host/h")
    one, other = "nagios/x@nova.host/h", "nagios/y@nova.host/h"
    assert lab.causes() == {(one, other), (other, one)}


def test_a_severity_change_that_switches_scenarios_keeps_the_alarm() -> None:
    """Row 11."""
    lab = Lab()
    lab.rule(
        template(
            {
                "h": HOST,
                "w": "{category: ALARM, type: nagios, severity: WARNING}",
                "c": "{category: ALARM, type: nagios, severity: CRITICAL}",
            },
            ("w [on] h", raise_("h", "d", "WARNING")),
            ("c [on] h", raise_("h", "d", "CRITICAL")),
        )
    )
    lab.entity("nova.host/h")
    lab.alarm("x", "nova.host/h", "WARNING")
    lab.alarm("x", "nova.host/h", "CRITICAL")
    assert lab.announced() == [("d@nova.host/h", "ACTIVE", "CRITICAL")]
    assert lab.told[0].value["alarm"]["episode"] == 1


START = template(
    {"i": "{type: nova.instance, migrate: auto}", "h": HOST, "a": "{category: ALARM, type: nagios}"},
    (
        "a [on] h AND h [contains] i",
        "- execute_mistral: {workflow: migrate, "
        "input: {vm_id: 'get_attr(i, id)', rack: 'get_attr(h, rack)'}}",
    ),
)


def incident(lab: Lab) -> None:
    lab.entity("nova.host/h", attributes={"rack": "r1"})
    lab.entity("nova.instance/1", attributes={"migrate": "auto"})
    lab.entity("nova.instance/2")
    lab.relate("nova.host/h", "contains", "nova.instance/1")
    lab.relate("nova.host/h", "contains", "nova.instance/2")


def test_a_workflow_starts_once_while_any_match_of_its_input_stands() -> None:
    """Row 12: two alarms ask for one migration."""
    lab = Lab()
    lab.rule(START)
    incident(lab)
    lab.alarm("x", "nova.host/h")
    (start,) = lab.starts()
    assert (start["workflow"], start["input"]) == ("migrate", {"vm_id": "1", "rack": "r1"})
    assert start["by"]["alarm"] == "nagios/x@nova.host/h"
    lab.alarm("y", "nova.host/h")
    assert lab.starts() == []
    lab.clear("x", "nova.host/h")
    assert lab.starts() == []
    lab.clear("y", "nova.host/h")
    assert lab.starts() == []
    lab.alarm("x", "nova.host/h")
    assert len(lab.starts()) == 1
    assert lab.starts()[0]["root"] != start["root"]


def test_a_rule_that_comes_starts_nothing_for_what_stood() -> None:
    lab = Lab()
    incident(lab)
    lab.alarm("x", "nova.host/h")
    lab.rule(START)
    assert lab.starts() == []
    lab.alarm("y", "nova.host/h")
    assert lab.starts() == []
    lab.drop_rule()
    lab.rule(START)
    assert lab.starts() == []
    lab.clear("x", "nova.host/h")
    lab.clear("y", "nova.host/h")
    lab.alarm("y", "nova.host/h")
    assert len(lab.starts()) == 1


def test_a_restore_starts_nothing_again() -> None:
    lab = Lab()
    lab.rule(START)
    incident(lab)
    lab.alarm("x", "nova.host/h")
    lab.shard = lab.restored()
    lab.alarm("y", "nova.host/h")
    assert lab.starts() == []


def test_the_weaker_cause_takes_over_with_its_own_edge() -> None:
    """Rows 13 and 23: every standing match gives its causal edge."""
    lab = Lab()
    lab.rule(DEDUCED)
    lab.entity("nova.host/h")
    lab.alarm("c", "nova.host/h")
    lab.alarm("w", "nova.host/h")
    lab.clear("c", "nova.host/h")
    assert lab.causes() == {("nagios/w@nova.host/h", "vitrage/deduced_alarm@nova.host/h")}
    assert lab.deduced() == {"deduced_alarm@nova.host/h": "WARNING"}


def test_brackets_in_a_name_are_only_brackets() -> None:
    """Row 14."""
    lab = Lab()
    entities = {"host": HOST, "a": NAGIOS.format("a")}
    lab.rule(template(entities, ("a [on] host", raise_("host", "'disk full (90%)'"))))
    lab.entity("nova.host/h")
    lab.alarm("a", "nova.host/h")
    assert list(lab.deduced()) == ["disk full (90%)@nova.host/h"]


def test_removing_a_rule_leaves_one_whose_name_begins_alike() -> None:
    """Row 15."""
    lab = Lab()
    entities = {"host": HOST}
    lab.rule(template(entities, ("host", raise_("host", "one"))), name="host_down")
    lab.rule(template(entities, ("host", raise_("host", "two"))), name="host_down_2")
    lab.entity("nova.host/h")
    lab.drop_rule("host_down")
    assert lab.announced() == [("one@nova.host/h", "CLEARED", "WARNING")]
    assert list(lab.deduced()) == ["two@nova.host/h"]


def test_a_rule_that_denies_itself_is_refused_and_the_others_load() -> None:
    """Row 18."""
    lab = Lab()
    entities = {"host": HOST, "d": "{category: ALARM, type: vitrage, name: ded}"}
    lab.rule(template(entities, ("host AND NOT d [on] host", raise_("host", "ded"))), name="odd")
    lab.rule(template(entities, ("host", raise_("host", "fine"))), name="good")
    rules = lab.shard.counters()["rules"]
    assert (rules["odd"]["status"], rules["good"]["status"]) == ("ERROR", "ACTIVE")
    assert "odd -> odd" in rules["odd"]["reason"]
    lab.entity("nova.host/h")
    assert list(lab.deduced()) == ["fine@nova.host/h"]


def test_a_cycle_over_two_rules_names_both_and_mends_itself() -> None:
    lab = Lab()
    entities = {
        "h": HOST,
        "one": "{category: ALARM, type: vitrage, name: one}",
        "two": "{category: ALARM, type: vitrage, name: two}",
    }
    lab.rule(template(entities, ("h AND NOT two [on] h", raise_("h", "one"))), name="first")
    lab.entity("nova.host/h")
    assert len(lab.deduced()) == 1
    lab.rule(template(entities, ("one [on] h", raise_("h", "two"))), name="second")
    rules = lab.shard.counters()["rules"]
    assert {rules["first"]["status"], rules["second"]["status"]} == {"ERROR"}
    assert lab.deduced() == {}
    assert [change["op"] for change in lab.changes("RULE")] == ["ADDED", "ERROR", "ERROR"]
    lab.drop_rule("second")
    assert list(lab.deduced()) == ["one@nova.host/h"]


def test_the_same_name_on_another_type_is_no_cycle() -> None:
    lab = Lab()
    entities = {"h": HOST, "i": VM, "d": "{category: ALARM, type: vitrage, name: trouble}"}
    lab.rule(
        template(entities, ("h [contains] i AND NOT d [on] h", raise_("i", "trouble"))),
    )
    assert lab.shard.counters()["rules"]["rule"]["status"] == "ACTIVE"


def test_a_derived_state_goes_without_trace() -> None:
    """Row 19."""
    lab = Lab()
    lab.rule(STATES)
    lab.entity("nova.host/h")
    lab.alarm("cause_error_state", "nova.host/h")
    lab.clear("cause_error_state", "nova.host/h")
    assert (lab.aggregated("nova.host/h"), lab.of("nova.host/h")["operational_state"]) == (None, None)


def test_a_circle_of_hosts_cannot_keep_an_alarm_alive() -> None:
    lab = Lab()
    lab.rule(
        template(
            {
                "h": HOST,
                "g": HOST,
                "a": NAGIOS.format("a"),
                "d": "{category: ALARM, type: vitrage, name: spread}",
            },
            ("a [on] h", raise_("h", "spread")),
            ("d [on] h AND h [link] g", raise_("g", "spread")),
        )
    )
    for name in "123":
        lab.entity(f"nova.host/{name}")
    for source, target in ("12", "23", "31"):
        lab.relate(f"nova.host/{source}", "link", f"nova.host/{target}")
    lab.alarm("a", "nova.host/1")
    assert len(lab.deduced()) == 3
    lab.clear("a", "nova.host/1")
    assert lab.deduced() == {}


def test_a_circle_of_states_cannot_keep_itself_alive() -> None:
    lab = Lab()
    lab.rule(
        template(
            {"h": "{type: nova.host, aggregated_state: ERROR}", "g": HOST},
            ("h [link] g", "- set_state: {target: g, state: ERROR}"),
        )
    )
    lab.entity("nova.host/1", state="ERROR")
    lab.entity("nova.host/2")
    lab.relate("nova.host/1", "link", "nova.host/2")
    lab.relate("nova.host/2", "link", "nova.host/1")
    assert lab.aggregated("nova.host/2") == "ERROR"
    lab.entity("nova.host/1", state="ACTIVE")
    assert (lab.aggregated("nova.host/1"), lab.aggregated("nova.host/2")) == ("ACTIVE", None)


@pytest.mark.parametrize(
    ("wants", "fields", "fits"),
    [
        (
            "{type: t, rawtext.regex: 'Interface virtual-\\d+ down'}",
            {"rawtext": "Interface virtual-0 down on x"},
            True,
        ),
        ("{type: t, rawtext.regex: 'Interface virtual-\\d+ down'}", {"rawtext": "No Match"}, False),
        ("{type: t, rawtext.regex: 'x'}", {}, False),
        ("{type.regex: 't|u'}", {}, True),
        ("{vitrage_type.regex: 'u'}", {}, False),
        ("{type: t, up: 'true'}", {"up": True}, True),
        ("{type: t, up: 'false'}", {"up": True}, False),
        ("{type: t, port: 80}", {"port": 80}, True),
        ("{type: t, Port: 80}", {"port": 80}, False),
        ("{type: t, is_placeholder: 'false'}", {}, True),
        ("{type: t, vitrage_id: t/e}", {}, True),
        ("{vitrage_category: RESOURCE, type: t}", {}, True),
        ("{category: ALARM, type: t}", {}, False),
    ],
)
def test_what_properties_a_pattern_reads(wants: str, fields: dict[str, Any], fits: bool) -> None:
    lab = Lab()
    lab.rule(template({"e": wants}, ("e", raise_("e", "d"))))
    lab.entity("t/e", attributes=fields)
    assert bool(lab.deduced()) is fits


def test_a_rule_that_never_ends_is_set_aside() -> None:
    lab = Lab()
    entities = {"a": "{category: ALARM}", "e": "{name: there}"}
    lab.rule(template(entities, ("a [on] e", raise_("a", "tower"))), name="tower")
    lab.rule(template({"h": HOST}, ("h", raise_("h", "fine"))), name="good")
    lab.entity("nova.host/h", name="there")
    lab.rule(template({"a": "{category: ALARM, type: vitrage}"}, ("a", raise_("a", "up"))), name="endless")
    assert lab.shard.counters()["rules"]["endless"]["status"] == "ERROR"
    assert "alarms on alarms" in lab.shard.counters()["rules"]["endless"]["reason"]
    assert lab.deduced()["fine@nova.host/h"] == "WARNING"
    assert not any("up@" in key for key in lab.deduced())


def test_an_instance_that_moves_leaves_nothing_behind() -> None:
    lab = Lab()
    lab.entity("nova.instance/i")
    lab.relate("nova.host/one", "contains", "nova.instance/i")
    lab.part("nova.host/one", "contains", "nova.instance/i")
    lab.relate("nova.host/two", "contains", "nova.instance/i")
    assert [entity["id"] for entity in lab.state()["entities"]] == ["two", "i"]
    assert len(lab.state()["relationships"]) == 1
    lab.delete("nova.instance/i")
    assert lab.state()["entities"] == []


def test_equal_overlaps_may_come_and_go_with_one_record() -> None:
    """Row 10: two scenarios of one severity over the same alarms, raised and withdrawn together."""
    lab = Lab()
    entities = {"h": HOST, "a": NAGIOS.format("a"), "i": VM}
    lab.rule(
        template(
            entities,
            ("a [on] h", raise_("h", "d")),
            ("a [on] h AND h [contains] i", raise_("h", "d")),
            ("a [on] h AND NOT h [contains] i", raise_("h", "d")),
        )
    )
    lab.entity("nova.host/h")
    lab.entity("nova.instance/i")
    lab.alarm("a", "nova.host/h")
    assert lab.announced() == [("d@nova.host/h", "ACTIVE", "WARNING")]
    lab.relate("nova.host/h", "contains", "nova.instance/i")
    assert lab.announced() == []
    lab.clear("a", "nova.host/h")
    assert lab.announced() == [("d@nova.host/h", "CLEARED", "WARNING")]


def test_what_explains_an_alarm_does_not_depend_on_what_came_first() -> None:
    def explained(order: str) -> dict[str, str]:
        lab = Lab()
        lab.entity("nova.host/h")
        for name in order:
            lab.alarm(name, "nova.host/h")
        alarm = "{category: ALARM, type: nagios}"
        lab.rule(template({"h": HOST, "a": alarm}, ("a [on] h", raise_("h", "d"))))
        match: dict[str, str] = lab.told[0].value["match"]
        return match

    assert explained("xyz") == explained("zyx") == {"a": "nagios/x@nova.host/h", "h": "nova.host/h"}


def test_a_label_that_changes_is_another_relationship() -> None:
    lab = Lab()
    lab.rule(template({"h": HOST, "i": VM}, ("h [contains] i", raise_("i", "d"))))
    lab.entity("nova.host/h")
    lab.entity("nova.instance/i")
    lab.relate("nova.host/h", "contains", "nova.instance/i")
    lab.part("nova.host/h", "contains", "nova.instance/i")
    lab.relate("nova.host/h", "hosts", "nova.instance/i")
    assert lab.deduced() == {}


def test_an_attribute_that_an_action_reads_changes_what_it_does() -> None:
    lab = Lab()
    action = "- raise_alarm: {target: h, alarm_name: 'get_attr(h, role)', severity: WARNING}"
    text = template({"h": HOST, "a": NAGIOS.format("a")}, ("a [on] h", action))
    lab.rule(text)
    lab.entity("nova.host/h", attributes={"role": "db"})
    lab.alarm("a", "nova.host/h")
    assert list(lab.deduced()) == ["db@nova.host/h"]
    lab.entity("nova.host/h", attributes={"role": "web"})
    assert lab.announced() == [
        ("db@nova.host/h", "CLEARED", "WARNING"),
        ("web@nova.host/h", "ACTIVE", "WARNING"),
    ]
    lab.entity("nova.host/h", attributes={"role": None})
    assert lab.deduced() == {}


def test_a_function_may_stand_within_a_text() -> None:
    lab = Lab()
    action = "- raise_alarm: {target: h, alarm_name: 'rack get_attr(h, rack) is out', severity: WARNING}"
    lab.rule(template({"h": HOST, "a": NAGIOS.format("a")}, ("a [on] h", action)))
    lab.entity("nova.host/h", attributes={"rack": 7})
    lab.alarm("a", "nova.host/h")
    assert list(lab.deduced()) == ["rack 7 is out@nova.host/h"]
    lab.entity("nova.host/h", attributes={"rack": 8})
    assert list(lab.deduced()) == ["rack 8 is out@nova.host/h"]
