"""Rules for property tests: NOT, OR, chains, loops, values, twins; each as text and as data."""

from __future__ import annotations

import random

from .correlation_oracle import Rule

HOST = {"type": "host"}
VM = {"type": "vm"}
X = {"category": "ALARM", "type": "mon", "name": "x"}
Y = {"category": "ALARM", "type": "mon", "name": "y"}


def deduced(name: str, **more: str) -> dict[str, str]:
    return {"category": "ALARM", "type": "vitrage", "name": name, **more}


RULES = [
    Rule(
        "fan",
        0,
        {"a": X, "h": HOST, "i": VM},
        "a [on] h AND h [contains] i",
        [([("a", "on", "h"), ("h", "contains", "i")], [], [])],
        "- raise_alarm: {target: i, alarm_name: d1, severity: WARNING, causing_alarm: a}",
        lambda b: [("alarm", b["i"], "d1", "WARNING"), ("cause", b["a"], f"vitrage/d1@{b['i'].key}")],
    ),
    Rule(
        "worst",
        0,
        {"a": {**X, "severity": "CRITICAL"}, "h": HOST},
        "a [on] h",
        [([("a", "on", "h")], [], [])],
        "- raise_alarm: {target: h, alarm_name: d1, severity: CRITICAL}\n"
        "- set_state: {target: h, state: ERROR}",
        lambda b: [("alarm", b["h"], "d1", "CRITICAL"), ("state", b["h"], "ERROR")],
    ),
    Rule(
        "milder",
        0,
        {"a": Y, "h": HOST},
        "a [on] h",
        [([("a", "on", "h")], [], [])],
        "- raise_alarm: {target: h, alarm_name: d1, severity: WARNING}\n"
        "- set_state: {target: h, state: SUBOPTIMAL}",
        lambda b: [("alarm", b["h"], "d1", "WARNING"), ("state", b["h"], "SUBOPTIMAL")],
    ),
    Rule(
        "quiet",
        0,
        {"a": Y, "h": HOST},
        "h AND NOT a [on] h",
        [([], [("a", "on", "h")], ["h"])],
        "- raise_alarm: {target: h, alarm_name: d5, severity: WARNING}",
        lambda b: [("alarm", b["h"], "d5", "WARNING")],
    ),
    Rule(
        "either",
        0,
        {"a": X, "b": Y, "h": HOST},
        "(a [on] h or b [on] h)",
        [([("a", "on", "h")], [], []), ([("b", "on", "h")], [], [])],
        "- mark_down: {target: h}",
        lambda b: [("down", b["h"])],
    ),
    Rule(
        "twins",
        0,
        {"a": {"category": "ALARM", "type": "mon"}, "b": {"category": "ALARM", "type": "mon"}, "h": HOST},
        "a [on] h AND b [on] h",
        [([("a", "on", "h"), ("b", "on", "h")], [], [])],
        "- add_causal_relationship: {source: a, target: b}\n"
        "- raise_alarm: {target: h, alarm_name: two, severity: WARNING}",
        lambda b: [("cause", b["a"], b["b"]), ("alarm", b["h"], "two", "WARNING")],
    ),
    Rule(
        "single",
        0,
        {"a": {"category": "ALARM", "type": "mon"}, "b": {"category": "ALARM", "type": "mon"}, "h": HOST},
        "a [on] h AND NOT b [on] h",
        [([("a", "on", "h")], [("b", "on", "h")], [])],
        "- raise_alarm: {target: h, alarm_name: only, severity: CRITICAL}",
        lambda b: [("alarm", b["h"], "only", "CRITICAL")],
    ),
    Rule(
        "one_way",
        0,
        {"h": HOST, "g": HOST},
        "h [link] g AND NOT g [link] h",
        [([("h", "link", "g")], [("g", "link", "h")], [])],
        "- raise_alarm: {target: h, alarm_name: oneway, severity: WARNING}",
        lambda b: [("alarm", b["h"], "oneway", "WARNING")],
    ),
    Rule(
        "no_bad_vm",
        0,
        {"h": HOST, "i": {**VM, "state": "ERROR"}, "j": VM},
        "h [contains] j AND NOT h [contains] i",
        [([("h", "contains", "j")], [("h", "contains", "i")], [])],
        "- raise_alarm: {target: h, alarm_name: d6, severity: WARNING}",
        lambda b: [("alarm", b["h"], "d6", "WARNING")],
    ),
    Rule(
        "seed",
        1,
        {"a": X, "h": HOST},
        "a [on] h",
        [([("a", "on", "h")], [], [])],
        "- raise_alarm: {target: h, alarm_name: spread, severity: WARNING}",
        lambda b: [("alarm", b["h"], "spread", "WARNING")],
    ),
    Rule(
        "spread",
        1,
        {"a": deduced("spread"), "h": HOST, "g": HOST},
        "a [on] h AND h [link] g",
        [([("a", "on", "h"), ("h", "link", "g")], [], [])],
        "- raise_alarm: {target: g, alarm_name: spread, severity: WARNING, causing_alarm: a}",
        lambda b: [("alarm", b["g"], "spread", "WARNING"), ("cause", b["a"], f"vitrage/spread@{b['g'].key}")],
    ),
    Rule(
        "failing_over",
        1,
        {"h": {**HOST, "aggregated_state": "ERROR"}, "g": HOST},
        "h [link] g",
        [([("h", "link", "g")], [], [])],
        "- set_state: {target: g, state: ERROR}",
        lambda b: [("state", b["g"], "ERROR")],
    ),
    Rule(
        "down_vm",
        2,
        {"h": {**HOST, "vitrage_aggregated_state": "ERROR"}, "i": VM},
        "h [contains] i",
        [([("h", "contains", "i")], [], [])],
        "- set_state: {target: i, state: SUBOPTIMAL}",
        lambda b: [("state", b["i"], "SUBOPTIMAL")],
    ),
    Rule(
        "calm",
        2,
        {"a": deduced("spread"), "h": HOST, "i": VM},
        "h [contains] i AND NOT a [on] h",
        [([("h", "contains", "i")], [("a", "on", "h")], [])],
        "- raise_alarm: {target: i, alarm_name: calm, severity: WARNING}",
        lambda b: [("alarm", b["i"], "calm", "WARNING")],
    ),
    Rule(
        "marked",
        2,
        {"h": {**HOST, "is_marked_down": "true"}},
        "h",
        [([], [], ["h"])],
        "- raise_alarm: {target: h, alarm_name: marked, severity: CRITICAL}",
        lambda b: [("alarm", b["h"], "marked", "CRITICAL")],
    ),
    Rule(
        "repair",
        3,
        {"a": deduced("d1", severity="CRITICAL"), "h": HOST},
        "a [on] h",
        [([("a", "on", "h")], [], [])],
        "- execute_mistral: {workflow: repair, input: {rack: 'get_attr(h, rack)'}}",
        lambda b: [("start", "repair", repr(b["h"].get("rack")))],
    ),
    Rule(
        "chain",
        3,
        {"c": X, "a": deduced("d1"), "i": VM},
        "c [causes] a AND a [on] i",
        [([("c", "causes", "a"), ("a", "on", "i")], [], [])],
        "- raise_alarm: {target: i, alarm_name: chained, severity: WARNING}",
        lambda b: [("alarm", b["i"], "chained", "WARNING")],
    ),
]
BY_NAME = {rule.name: rule for rule in RULES}


def oracle_rules(names: set[str]) -> list[Rule]:
    """The rules of these names; long property names are short to the oracle."""
    found = []
    for name in sorted(names):
        rule = BY_NAME[name]
        entities = {
            entity: {key.removeprefix("vitrage_"): value for key, value in wants.items()}
            for entity, wants in rule.entities.items()
        }
        found.append(
            Rule(rule.name, rule.level, entities, rule.condition, rule.clauses, rule.actions, rule.effect)
        )
    return found


LABELS = {("host", "host"): "link", ("host", "vm"): "contains", ("mon", "host"): "on", ("mon", "vm"): "on"}
WANTS = {
    "host": [HOST, {**HOST, "state": "ERROR"}, {**HOST, "rack": "r1"}],
    "vm": [VM, {**VM, "state": "ERROR"}],
    "mon": [
        X,
        Y,
        {"category": "ALARM", "type": "mon"},
        {"category": "ALARM", "type": "mon", "severity": "CRITICAL"},
    ],
}


def random_rule(draw: random.Random, name: str) -> Rule:
    """A rule of one or two alternatives, each a connected pattern around one host, perhaps with NOTs."""
    entities: dict[str, dict[str, str]] = {"v0": draw.choice(WANTS["host"])}
    kinds = {"v0": "host"}
    clauses = []
    for _ in range(draw.choice((1, 1, 2))):
        present: list[tuple[str, str, str]] = []
        absent: list[tuple[str, str, str]] = []
        bound = ["v0"]
        for _ in range(draw.randrange(1, 4)):
            edge = _edge(draw, entities, kinds, bound)
            present.append(edge)
            bound = list(dict.fromkeys([*bound, edge[0], edge[2]]))
        for _ in range(draw.choice((0, 0, 1, 1, 2))):
            edge = _edge(draw, entities, kinds, bound, draw.random() < 0.3)
            if edge not in present:
                absent.append(edge)
        clauses.append((present, absent, ["v0"]))
    spelled = [
        " AND ".join(
            [f"{s} [{label}] {t}" for s, label, t in present]
            + [f"NOT {s} [{label}] {t}" for s, label, t in no]
        )
        for present, no, _ in clauses
    ]
    return Rule(
        name,
        0,
        entities,
        " OR ".join(f"({text})" for text in spelled),
        clauses,
        f"- raise_alarm: {{target: v0, alarm_name: {name}, severity: WARNING}}",
        lambda binding: [("alarm", binding["v0"], name, "WARNING")],
    )


def _edge(
    draw: random.Random,
    entities: dict[str, dict[str, str]],
    kinds: dict[str, str],
    bound: list[str],
    between: bool = False,
) -> tuple[str, str, str]:
    """An edge from or to something bound; to a new vertex, or ``between`` two that are bound."""
    pairs = [(s, t) for s in bound for t in bound if s != t and (kinds[s], kinds[t]) in LABELS]
    if between and pairs:
        source, target = draw.choice(pairs)
        return source, LABELS[kinds[source], kinds[target]], target
    near = draw.choice(bound)
    options = [pair for pair in LABELS if kinds[near] in pair]
    source_kind, target_kind = draw.choice(options)
    new = f"v{len(entities)}"
    outgoing = kinds[near] == source_kind and (kinds[near] != target_kind or draw.random() < 0.5)
    kinds[new] = target_kind if outgoing else source_kind
    entities[new] = draw.choice(WANTS[kinds[new]])
    label = LABELS[source_kind, target_kind]
    return (near, label, new) if outgoing else (new, label, near)
