"""A rule that cannot be evaluated, or has no meaning beside another, takes nothing else with it."""

from __future__ import annotations

from typing import Any

import pytest
from support.lab import Lab

from pipeline.rules.search import Search

WELL = """
metadata: {version: 3, name: well}
entities:
  a: {category: ALARM, type: nagios, name: x}
  h: {type: host}
scenarios:
- condition: a [on] h
  actions:
  - raise_alarm: {target: h, alarm_name: d, severity: WARNING}
"""
# It raises an alarm on each alarm, so also on those that it raised.
TOWER = """
metadata: {version: 3, name: tower}
entities:
  a: {category: ALARM}
scenarios:
- condition: a
  actions:
  - raise_alarm: {target: a, alarm_name: up, severity: WARNING}
"""


def without(name: str, absent: str, raised: str) -> str:
    """A rule that raises one alarm where another is not."""
    return f"""
metadata: {{version: 3, name: {name}}}
entities:
  h: {{type: host}}
  b: {{category: ALARM, type: vitrage, name: {absent}}}
scenarios:
- condition: h and not b [on] h
  actions:
  - raise_alarm: {{target: h, alarm_name: {raised}, severity: WARNING}}
"""


def state(lab: Lab, name: str) -> str:
    return str(lab.shard.counters()["rules"][name]["status"])


def test_a_rule_that_throws_is_set_aside_over_its_record_and_the_others_go_on() -> None:
    lab = Lab()
    lab.entity("host/h")
    lab.rule(WELL, "well")
    lab.rule(TOWER, "tower")
    assert state(lab, "tower") == "ACTIVE"
    lab.alarm("x", "host/h", id="the-one")
    [error] = lab.changes("RULE")
    assert (error["op"], error["name"]) == ("ERROR", "tower")
    assert "more than 8 deep" in error["reason"]
    assert error["reason"].endswith("(at record the-one)")
    assert lab.deduced() == {"d@host/h": "WARNING"}
    assert (state(lab, "tower"), state(lab, "well")) == ("ERROR", "ACTIVE")
    # It stays aside, also after a restart, until its text is another.
    lab.shard = lab.restored()
    lab.alarm("y", "host/h")
    assert lab.changes("RULE") == []
    assert state(lab, "tower") == "ERROR"
    lab.rule(TOWER.replace("{category: ALARM}", "{category: ALARM, type: nagios}"), "tower")
    assert state(lab, "tower") == "ACTIVE"
    up = {f"up@nagios/nagios/{name}@host/h" for name in ("x", "y")}
    assert set(lab.deduced()) == {"d@host/h", *up}


def test_rules_that_deny_each_other_are_in_error_and_heal_when_one_goes() -> None:
    lab = Lab()
    lab.entity("host/h")
    lab.rule(WELL, "well")
    lab.rule(without("one", "bb", "aa"), "one")
    assert lab.deduced() == {"aa@host/h": "WARNING"}
    lab.rule(without("two", "aa", "bb"), "two")
    assert {each["name"] for each in lab.changes("RULE") if each["op"] == "ERROR"} == {"one", "two"}
    assert (state(lab, "one"), state(lab, "two"), state(lab, "well")) == ("ERROR", "ERROR", "ACTIVE")
    assert lab.deduced() == {}
    lab.alarm("x", "host/h")
    assert lab.deduced() == {"d@host/h": "WARNING"}
    lab.drop_rule("one")
    assert state(lab, "two") == "ACTIVE"
    assert lab.deduced() == {"bb@host/h": "WARNING", "d@host/h": "WARNING"}


def test_a_rule_that_comes_searches_only_where_it_can_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab()
    lab.rule(WELL, "well")
    for number in range(50):
        lab.entity(f"host/{number}")
        lab.alarm("x", f"host/{number}")
    begun: list[Any] = []
    search = Search.at
    monkeypatch.setattr(Search, "at", lambda *given: begun.append(given) or search(*given))
    lab.alarm("other", "host/7")
    begun.clear()
    lab.rule(WELL.replace("name: x", "name: other").replace("alarm_name: d", "alarm_name: o"), "other")
    assert lab.deduced()["o@host/7"] == "WARNING"
    assert len(begun) == 1
