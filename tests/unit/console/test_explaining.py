from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from pipeline.console.explaining import explanation, why_not


def drawn(shown: list[Any]) -> list[str]:
    """The lines as people see them, without the guides of trees."""
    output = io.StringIO()
    console = Console(file=output, width=200)
    for one in shown:
        console.print(one)
    return [line.lstrip(" │├└─").rstrip() for line in output.getvalue().splitlines()]


def element(what: str, *found: str, holds: bool = True, **more: Any) -> dict[str, Any]:
    given = {"wants": {}, "misses": [], "reason": "", "count": len(found), **more}
    return {"what": what, "holds": holds, "found": list(found), **given}


def walk(scenario: int, *elements: dict[str, Any], **more: Any) -> dict[str, Any]:
    given = {"alternative": 0, "start": "host", "matches": [], "count": 0, "waits": "", **more}
    return {"scenario": scenario, "condition": "a [on]\n  host", "elements": list(elements), **given}


def asked(*walks: dict[str, Any], error: str = "") -> list[str]:
    entity = {
        "key": "nova.host/h", "id": "h", "name": "h", "type": "nova.host", "category": "RESOURCE",
        "state": "up",
    }  # fmt: skip
    rule = {"name": "hosts", "revision": "1", "error": error, "shadow": False}
    found = {
        "holds": any(one["count"] and not one["waits"] for one in walks),
        "waits": any(one["count"] and one["waits"] for one in walks),
    }
    return drawn(why_not({"rule": rule, "entity": entity, "walks": list(walks), **found}))


def test_the_first_missing_element_stands_last_with_what_came_near() -> None:
    miss = {"key": "nagios/UP@nova.host/h", "why": "name is 'UP', wanted 'DOWN'"}
    wants = {"name": "DOWN", "category": "ALARM", "type": "nagios"}
    missing = element("a [on] host", holds=False, wants=wants, misses=[miss])
    assert asked(walk(0, element("host", "nova.host/h"), missing), walk(1, start=""), walk(2, start="")) == [
        "hosts does not hold for nova.host/h  up",
        "",
        "scenario 0: a [on] host",
        "✓ host  nova.host/h",
        "✗ a [on] host  finds no partner",
        "wanted: type: nagios, name: DOWN",
        "nagios/UP@nova.host/h: name is 'UP', wanted 'DOWN'",
        "",
        "scenarios 1, 2 say nothing of a nova.host",
    ]


def test_an_entity_that_does_not_fit_and_a_not_that_is_violated_are_said_so() -> None:
    lines = asked(
        walk(0, element("host", holds=False, misses=[{"key": "nova.host/h", "why": "a placeholder"}])),
        walk(1, element("host", "nova.host/h"), element("NOT a [on] host", holds=False), alternative=0),
        walk(1, element("host", "nova.host/h"), element("b [on] host", holds=False), alternative=1),
        error="it failed",
    )
    assert "the rule is in ERROR and takes no part: it failed" in lines
    assert "✗ host  cannot be this one" in lines
    assert "✗ NOT a [on] host  is violated" in lines
    assert lines.count("scenario 1: a [on] host") == 2


def test_alternatives_that_miss_the_same_are_told_together() -> None:
    def one(name: str, *reasons: str) -> dict[str, Any]:
        misses = [{"key": f"k{len(reason)}", "why": reason} for reason in reasons]
        return element("a [on] host", holds=False, wants={"name": name}, misses=misses)

    lines = asked(
        walk(0, element("host", "nova.host/h"), one("X", "differs; and more", "no")),
        walk(0, element("host", "nova.host/h"), one("Y", "also"), alternative=1),
    )
    assert lines[2:] == [
        "scenario 0: a [on] host  (2 alternatives)",
        "✓ host  nova.host/h",
        "✗ a [on] host  finds no partner",
        "wanted: name: X",
        "wanted: name: Y",
        "k2: no",
        "k4: also",
        "k17: differs; and more",
    ]
    assert "it has no scenarios" in asked()[1]


def test_what_holds_is_listed_with_what_it_waits_for() -> None:
    many = element("host [contains] vm", "vm/1", "vm/2", count=9)
    lines = asked(
        walk(0, many, count=9, matches=[{"host": "nova.host/h", "vm": "vm/1"}], waits="its actions follow")
    )
    assert lines[0] == "hosts holds, as far as the present tells, for nova.host/h  up"
    assert lines[3:] == [
        "✓ host [contains] vm  vm/1, vm/2 and 7 more",
        "it holds: 9 matches, 1 of them are shown",
        "host: nova.host/h, vm: vm/1",
        "its actions follow",
    ]
    assert asked(walk(0, many, count=9, matches=[{}]))[0] == "hosts holds for nova.host/h  up"


def test_a_rule_whose_text_is_not_known_is_named_all_the_same() -> None:
    rule = {
        "name": "r", "revision": "5f", "scenario": 0, "text": None, "excerpt": "", "path": "",
        "parameters": {}, "live_since": None, "live": None,
    }  # fmt: skip
    alarm = {
        "key": "vitrage/d@vm/v", "name": "d", "operational_severity": "WARNING", "deduced": True,
        "since": "2026-01-05T10:00:00.000000Z", "status": "ACTIVE", "source": "vitrage",
        "resource_type": "vm", "resource_id": "v",
    }  # fmt: skip
    found = {"alarm": alarm, "records": [], "rule": rule, "match": [], "chain": None, "repeated": None}
    lines = drawn(explanation(found))
    assert lines[:2] == ["▲ WARNING vitrage/d@vm/v  deduced", "since 2026-01-05 10:00:00"]
    assert "RULE r, scenario 0  (revision 5f)" in lines
    assert "its text is not known: it was put live before history kept texts" in lines
    assert "this is how it was; it has been taken away since" in lines
