from __future__ import annotations

from typing import Any

import pytest

from pipeline.errors import InvalidCall, NotFound
from pipeline.history import causality

#: port -> vm1, vm2; vm1 -> app; disk -> app; app -> site; and a ring above one alarm.
CAUSES = [
    ("port", "vm1"), ("port", "vm2"), ("vm1", "app"), ("disk", "app"), ("app", "site"),
    ("x", "y"), ("y", "x"), ("x", "ring"),
]  # fmt: skip


#: What is needed, the label, what needs it: alarms are on entities of their names.
TOPOLOGY = [
    ("rack", "contains", "disk"), ("switch", "attached", "disk"), ("disk", "attached", "app"),
    ("zone", "contains", "rack"), ("shop", "comprised", "app"), ("shop", "comprised", "other"),
]  # fmt: skip
NEAR = {"rack": "e", "switch": "0", "zone": "a", "shop": "a", "other": "a"}


class History:
    """Answers what causality asks, from the edges above; ``asked`` counts the questions about them."""

    def __init__(
        self, domains: tuple[str, ...] = ("default",), status: str = "ACTIVE", near: tuple[str, ...] = ()
    ) -> None:
        self.domains = domains
        self.status = status
        self.near = near
        self.asked: list[int | None] = []

    def rows(self, sql: str, **given: Any) -> list[dict[str, Any]]:
        keys = given.get("keys")
        if "alarms_now" in sql:
            severities = {"disk": "WARNING", "port": "CRITICAL"}
            return [
                {
                    "key": key, "domain": domain, "status": self.status, "attributes": "", "match": "",
                    "operational_severity": severities.get(key, "SEVERE"), "since": NEAR.get(key, key),
                    "event_time": "", "resource_type": "on", "resource_id": key,
                    "deduced": key in ("app", "shop"),
                }
                for key in sorted({end for pair in CAUSES for end in pair} | {"alone", *self.near})
                for domain in self.domains
                if keys is None or key in keys
            ]  # fmt: skip
        if "SELECT DISTINCT key" in sql:
            return [{"key": "port"}] if given["text"] in "port" else []
        if "relationships_now" in sql:
            side = 2 if "target_type, '/'" in sql else 0
            return [
                {"source_type": "on", "source_id": edge[0], "type": edge[1], "target_type": "on",
                 "target_id": edge[2]}
                for edge in TOPOLOGY
                if f"on/{edge[side]}" in given["keys"]
            ]  # fmt: skip
        assert ("causes_now" in sql) == ("since" not in given)
        self.asked.append(None if keys is None else len(keys))
        end = 1 if "target IN" in sql else 0
        return [
            {"source": pair[0], "target": pair[1], "rules": ["r"]}
            for pair in CAUSES
            if keys is None or pair[end] in keys
        ]


def roots(history: History, key: str) -> list[tuple[str, list[str], int]]:
    found = causality.root_causes(history, key)  # type: ignore[arg-type]
    return [(root["alarm"]["key"], root["path"], root["explains"]) for root in found["roots"]]


@pytest.mark.parametrize("many", [1, 200])
def test_roots_are_ranked_by_what_they_explain_with_the_way_down(
    many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(causality, "MANY", many)
    assert roots(History(), "site") == [
        ("port", ["port", "vm1", "app", "site"], 4),
        ("disk", ["disk", "app", "site"], 2),
    ]


def test_only_the_way_up_is_asked_for() -> None:
    history = History()
    assert roots(history, "vm2") == [("port", ["port", "vm2"], 4)]
    assert history.asked[0] == 1
    assert None not in history.asked


def test_what_nothing_causes_has_no_roots() -> None:
    assert roots(History(), "alone") == []
    assert roots(History(), "x") == []


def test_a_circle_of_causes_is_one_root() -> None:
    [root] = causality.root_causes(History(), "ring")["roots"]  # type: ignore[arg-type]
    assert (root["alarm"]["key"], root["path"], root["circle"]) == ("x", ["x", "ring"], ["x", "y"])
    assert root["explains"] == 1


def suspects(history: History, key: str) -> list[tuple[str, int, bool]]:
    found = causality.root_causes(history, key)["suspects"]  # type: ignore[arg-type]
    return [(one["alarm"]["key"], one["distance"], one["earlier"]) for one in found]


def test_what_no_rule_joins_is_sought_up_the_topology() -> None:
    # The rack is as near as the switch, but came later; a sister in the same shop is no reason; of the
    # shop an alarm was deduced.
    history = History(near=("zone", "rack", "switch", "shop", "other"))
    assert suspects(history, "disk") == [("switch", 1, True), ("zone", 2, True), ("rack", 1, False)]
    found = causality.root_causes(history, "disk")["suspects"][1]  # type: ignore[arg-type]
    assert found["way"] == [
        {"key": "on/zone", "label": ""},
        {"key": "on/rack", "label": "contains"},
        {"key": "on/disk", "label": "contains"},
    ]


def test_what_rules_join_or_explain_is_no_suspect() -> None:
    # Of app, disk is a root; app itself is an effect of disk.
    history = History(near=("switch",))
    assert suspects(history, "app") == [("switch", 2, True)]
    assert ("app", 1, True) not in suspects(history, "disk")
    assert [key for key, _, _ in suspects(History(), "site")] == []


def test_the_parts_of_a_whole_are_what_it_depends_on() -> None:
    history = History(near=("shop", "other", "switch"))
    assert {key for key, _, _ in suspects(history, "shop")} == {"other", "switch", "disk"}


def test_a_root_has_its_way_down_the_topology() -> None:
    [_, disk] = causality.root_causes(History(), "app")["roots"]  # type: ignore[arg-type]
    assert [step["key"] for step in disk["way"]] == ["on/disk", "on/app"]


def test_ended_causes_are_asked_for_on_request() -> None:
    history: Any = History()
    assert causality.root_causes(history, "vm1", ended=True)["roots"][0]["alarm"]["key"] == "port"


def test_an_alarm_that_has_cleared_is_explained_by_what_stood_then() -> None:
    assert roots(History(status="CLEARED"), "vm1")[0][0] == "port"


def test_an_alarm_must_be_named_so_that_it_is_one() -> None:
    history: Any = History(domains=("east", "west"))
    with pytest.raises(InvalidCall, match=r"several domains \(east, west\)"):
        causality.root_causes(history, "port")
    assert causality.root_causes(history, "port", "west")["alarm"]["domain"] == "west"
    with pytest.raises(NotFound, match="in domain 'north'"):
        causality.root_causes(history, "port", "north")
    with pytest.raises(NotFound, match="did you mean 'port'"):
        causality.root_causes(history, "por")
    with pytest.raises(NotFound, match="faultline alarms --all lists"):
        causality.root_causes(history, "zzz")
