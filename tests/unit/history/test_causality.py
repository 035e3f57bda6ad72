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


class History:
    """Answers what causality asks, from the edges above; ``asked`` counts the questions about them."""

    def __init__(self, domains: tuple[str, ...] = ("default",), status: str = "ACTIVE") -> None:
        self.domains = domains
        self.status = status
        self.asked: list[int | None] = []

    def rows(self, sql: str, **given: Any) -> list[dict[str, Any]]:
        keys = given.get("keys")
        if "alarms_now" in sql:
            severities = {"disk": "WARNING", "port": "CRITICAL"}
            return [
                {
                    "key": key, "domain": domain, "status": self.status, "attributes": "", "match": "",
                    "operational_severity": severities.get(key, "SEVERE"), "since": key, "event_time": "",
                }
                for key in sorted({end for pair in CAUSES for end in pair} | {"alone"})
                for domain in self.domains
                if keys is None or key in keys
            ]  # fmt: skip
        if "SELECT DISTINCT key" in sql:
            return [{"key": "port"}] if given["text"] in "port" else []
        assert ("causes_now" in sql) == (self.status == "ACTIVE")
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


def test_what_nothing_causes_has_no_roots_and_a_ring_ends() -> None:
    assert roots(History(), "alone") == []
    assert roots(History(), "ring") == []


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
    with pytest.raises(NotFound, match="faultline alarms lists"):
        causality.root_causes(history, "zzz")
