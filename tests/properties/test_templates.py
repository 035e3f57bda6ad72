"""Whatever a file holds, it is accepted or refused with places and reasons; nothing else happens."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.document import Finding
from pipeline.errors import InvalidDocument
from pipeline.events import Definition
from pipeline.graph.undo import Undo
from pipeline.resources import shipped
from pipeline.rules.condition import ConditionError, clauses, parse
from pipeline.rules.engine import Engine
from pipeline.rules.reading import parse as read_template
from pipeline.rules.ruleset import RuleSet

LEGACY = """
metadata: {name: host_high_cpu, version: 2}
definitions:
  entities:
    - entity: {category: ALARM, type: nagios, name: CPU load, template_id: alarm}
    - entity: {category: RESOURCE, type: nova.host, template_id: host}
  relationships:
    - relationship: {source: alarm, target: host, relationship_type: on, template_id: alarm_on_host}
scenarios:
  - scenario:
      condition: alarm_on_host
      actions:
        - action:
            action_type: raise_alarm
            properties: {alarm_name: slow, severity: WARNING}
            action_target: {target: host}
        - action:
            action_type: execute_mistral
            properties: {workflow: x, input: {vm: 'get_attr(host, id)'}}
"""
JUNK: list[Any] = [
    None,
    "",
    3,
    True,
    [],
    {},
    "x",
    ["a"],
    {"a": "b"},
    "get_param(",
    "get_attr(a",
    "(",
    {"a": ["b", {"c": []}]},
    "a [on] b",
    [["x"]],
    {"x": {"y": "z"}},
]
TEXTS = [
    LEGACY,
    *(path.read_text() for path in sorted(shipped("rules").glob("*.yaml")) if ".test." not in path.name),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def mutated(document: Any, draw: random.Random) -> Any:
    document = copy.deepcopy(document)
    for path in draw.sample(list(places(document)), draw.choice((1, 1, 2, 3))):
        try:
            inner = document
            for key in path[:-1]:
                inner = inner[key]
            if draw.random() < 0.3:
                del inner[path[-1]]
            else:
                inner[path[-1]] = copy.deepcopy(draw.choice(JUNK))
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    return document


@pytest.mark.parametrize("seed", range(20))
def test_any_document_is_accepted_or_refused(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(30):
        text = yaml.safe_dump(mutated(yaml.safe_load(draw.choice(TEXTS)), draw))
        try:
            read_template(text)
        except InvalidDocument as error:
            findings = [finding for finding in error.findings if isinstance(finding, Finding)]
            assert findings
            assert all(finding.line >= 1 and finding.code and finding.message for finding in findings)
        else:
            # What is accepted can be put live.
            rules, undo = RuleSet(Engine()), Undo()
            rules.put(undo, Definition("RULE", "x", text))
            rules.compile(undo)


@given(
    st.lists(
        st.sampled_from(["a", "b", "E", "and", "OR", "not", "NOT", "(", ")", "[on]", "[", "]", "é"]),
        max_size=12,
    )
)
def test_any_condition_is_read_or_refused(words: list[str]) -> None:
    try:
        found = clauses(parse(" ".join(words)))
    except ConditionError:
        return
    assert found
