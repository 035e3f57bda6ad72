"""Documents of triggers: what starts workflows by the clock, or at records of a topic.

triggers:
  nightly: {workflow: check_hosts, cron: "0 3 * * *", first: "2026-01-05T10:00:00Z", count: 10}
  severe:
    {workflow: look, topic: alarms.raw, when: <% $.alarm.severity = CRITICAL %>, input: {id: <% $.id %>}}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pipeline.document import Document, Finding, read
from pipeline.errors import ExpressionError
from pipeline.events import DEFAULT_DOMAIN
from pipeline.ids import identify
from pipeline.times import micros, normalize, rfc3339

from . import cron
from .check import Checker, Steps, sound
from .expressions import evaluate
from .scope import Scope, Seed, View

TRIGGER = "TRIGGER"
LABELS = frozenset({"version", "name", "description"})
COMMON = frozenset({"workflow", "input", "env", "domain", "description"})
CLOCK = COMMON | {"cron", "first", "count"}
EVENT = COMMON | {"topic", "when"}
OURS = frozenset({"graph.input", "workflow.commands", "workflow.actions", "controls", "roles.status"})
OURS_TOO = (".changelog", ".ledger")


@dataclass(frozen=True, slots=True)
class Trigger:
    """One trigger: of the clock (``cron``, ``first`` in microseconds) or of a ``topic``."""

    name: str
    workflow: str
    input: dict[str, Any] = field(default_factory=dict)
    env: dict[str, Any] | str = field(default_factory=dict)
    domain: str = ""
    cron: str = ""
    first: int = 0
    count: int = 0
    topic: str = ""
    when: Any = None


def parse(document: Document) -> tuple[tuple[Trigger, ...], list[Finding]]:
    """The triggers of a document, as far as they could be read, and the findings about it."""
    checker = Checker(document)
    top = document.value if isinstance(document.value, dict) else {}
    for key in top:
        if key not in {*LABELS, "triggers"}:
            checker.note("trigger-form", f"a document of triggers has no key {key!r}", (key,))
    found = checker.mapping(top.get("triggers"), ("triggers",), "triggers")
    triggers = tuple(trigger(checker, str(name), value, ("triggers", name)) for name, value in found.items())
    return triggers, checker.findings


@lru_cache(maxsize=256)
def triggers_of(text: str) -> tuple[Trigger, ...]:
    """The triggers of a text. Raises ``InvalidDocument`` with its errors."""
    return sound(parse(read(text, "-", aliases=False)))


def trigger(checker: Checker, name: str, value: Any, steps: Steps) -> Trigger:
    """One trigger; findings go to ``checker``."""
    body = checker.mapping(value, steps, f"trigger {name!r}")
    of_topic = "topic" in body
    if body and of_topic == bool({"cron", "first"} & body.keys()):
        checker.wrong("a trigger has cron (or first), or topic", steps)
    checker.unknown(body, EVENT if of_topic else CLOCK, steps, f"trigger {name!r}")
    given: dict[str, Any] = {"input": {}, "env": {}}
    for key in given:
        if key == "env" and isinstance(body.get(key), str):
            given[key] = body[key]
        elif key in body:
            given[key] = checker.mapping(body[key], (*steps, key), key, filled=False)
            checker.expression(given[key], (*steps, key))
    topic = checker.text(body["topic"], (*steps, "topic"), "topic") if of_topic else ""
    if topic in OURS or topic.endswith(OURS_TOO):
        checker.wrong(f"{topic} moves the pipeline itself; it triggers nothing", (*steps, "topic"))
    count = body.get("count", 0)
    if isinstance(count, bool) or not isinstance(count, int) or count < (1 if "count" in body else 0):
        checker.wrong("count must be a whole number, 1 or more", (*steps, "count"))
        count = 0
    return Trigger(
        name=name,
        workflow=checker.text(body.get("workflow"), (*steps, "workflow"), "workflow") if body else "",
        input=given["input"],
        env=given["env"],
        domain=checker.text(body["domain"], (*steps, "domain"), "domain") if "domain" in body else "",
        cron=pattern(checker, body.get("cron"), (*steps, "cron")),
        first=moment(checker, body.get("first"), (*steps, "first")),
        count=count,
        topic=topic,
        when=checker.condition(body.get("when"), (*steps, "when"), "when"),
    )


def pattern(checker: Checker, value: Any, steps: Steps) -> str:
    """A cron pattern, checked."""
    if value is None:
        return ""
    text = checker.text(value, steps, "cron")
    wrong = cron.problem(text) if text else None
    if wrong:
        checker.note("trigger-cron", wrong, steps)
        return ""
    return text


def moment(checker: Checker, value: Any, steps: Steps) -> int:
    """A time, in microseconds."""
    if value is None:
        return 0
    try:
        return micros(normalize(str(value)))
    except ValueError as error:
        checker.note("trigger-first", f"first: {error}", steps)
        return 0


def holds(when: Any, scope: Scope) -> bool:
    """Whether a condition holds; one that asks for what a record does not have does not."""
    try:
        return bool(evaluate(when, scope))
    except ExpressionError:
        return False


def start(
    document: str, trigger: Trigger, record: Any, causes: Mapping[str, Any], time: int
) -> dict[str, Any] | None:
    """The START for a record (or a scheduled time); None when the trigger's ``when`` does not hold.

    Its id follows from ``causes`` alone, so that the same cause starts one execution however often it
    is seen. Raises ``ExpressionError``.
    """
    root = identify("trigger", document, trigger.name, *causes.values())
    scope = Scope(View(record) if isinstance(record, Mapping) else record, seed=Seed(root, time))
    if trigger.when is not None and not holds(trigger.when, scope):
        return None
    own = record.get("domain") if isinstance(record, Mapping) and trigger.topic else None
    domain = trigger.domain or (own if isinstance(own, str) and own else DEFAULT_DOMAIN)
    given, env = evaluate(trigger.input, scope), evaluate(trigger.env, scope)
    if not isinstance(given, dict) or not isinstance(env, dict | str):
        raise ExpressionError(f"the input or env of trigger {trigger.name!r} is not a mapping")
    return {
        "id": identify("start", root),
        "time": rfc3339(time),
        "command": "START",
        "root": root,
        "execution": root,
        "workflow": trigger.workflow,
        "input": given,
        **({"env": env} if env else {}),
        "by": {"trigger": f"{document}/{trigger.name}", "domain": domain, **causes},
    }


def starts(
    fitting: Iterable[tuple[str, Trigger]], record: Any, place: Mapping[str, Any], time: int
) -> list[dict[str, Any]]:
    """The STARTs for a record at ``place``, of the triggers (each with its document's name) that read it."""
    found = (sure(document, each, record, place, time) for document, each in fitting)
    return [value for value in found if value is not None]


def sure(
    document: str, trigger: Trigger, record: Any, causes: Mapping[str, Any], time: int
) -> dict[str, Any] | None:
    """As ``start``, but what cannot be evaluated starts an execution in ERROR, which says so."""
    try:
        return start(document, trigger, record, causes, time)
    except ExpressionError as error:
        plain = Trigger(trigger.name, trigger.workflow, domain=trigger.domain, topic=trigger.topic)
        value = start(document, plain, record, causes, time)
        return {**value, "problem": str(error)} if value is not None else None
