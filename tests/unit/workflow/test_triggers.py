# ruff: noqa: E501 - a row of a table stands on one line.
"""Triggers: what the clock starts and how often, what a record starts, what is refused."""

from __future__ import annotations

import pytest

from pipeline.document import read
from pipeline.events import Definition
from pipeline.times import SECOND, micros
from pipeline.workflow import cron, firing
from pipeline.workflow.answers import Answers
from pipeline.workflow.run import Runner
from pipeline.workflow.shard import WorkflowShard
from pipeline.workflow.triggers import parse, start, triggers_of

WF = "version: '2.0'\nwf: {input: [{x: 0}], tasks: {a: {action: some.action}}}"


class Clock:
    """A runner with one document of triggers."""

    def __init__(self, *written: str) -> None:
        self.runner = Runner([Definition("WORKFLOW", "wf", WF)], Answers())
        self.begin = self.runner.now
        for text in written:
            self.put(text)

    def put(self, text: str, op: str = "UPSERT") -> None:
        given = {"kind": "TRIGGER", "name": "doc", "text": f"triggers: {{{text}}}"}
        self.runner.apply({"command": "DEFINITION", "op": op, "definition": given})

    def until(self, seconds: float) -> list[str]:
        self.runner.advance(self.begin + round(seconds * SECOND))
        return self.started()

    def starts(self) -> list[dict[str, object]]:
        return [out.value for out in self.runner.outputs if out.value.get("command") == "START"]

    def started(self) -> list[str]:
        return [str(value["by"]["scheduled"])[11:19] for value in self.starts()]


@pytest.mark.parametrize(
    ("trigger", "until", "started"),
    [
        ("cron: '* * * * *'", 200, ["00:01:00", "00:02:00", "00:03:00"]),
        ("cron: '*/5 * * * *', count: 2", 3600, ["00:05:00", "00:10:00"]),
        ("cron: '* * * * * */20'", 65, ["00:00:20", "00:00:40", "00:01:00"]),
        ("cron: '0 * * * *', first: '2000-01-01T00:07:00Z'", 7300, ["00:07:00", "01:00:00", "02:00:00"]),
        ("first: '2000-01-01T00:07:00Z'", 86400, ["00:07:00"]),
        ("first: '1999-01-01T00:07:00Z'", 86400, []),
        ("cron: '30 1 * * *', first: '2000-01-01T01:00:00+01:00'", 86400, ["01:30:00"]),
    ],
)  # fmt: skip
def test_the_clock(trigger, until, started):
    assert Clock(f"t: {{workflow: wf, {trigger}}}").until(until) == started


def test_what_is_started_is_told_why_and_is_given_its_input():
    clock = Clock(
        "t: {workflow: wf, cron: '* * * * *', count: 1, domain: site, input: {x: <% $.scheduled %>}, env: {e: <% $.count %>}}"
    )
    clock.until(60)
    (value,) = clock.starts()
    assert value["by"] == {"trigger": "doc/t", "domain": "site", "scheduled": "2000-01-01T00:01:00.000000Z"}
    assert (value["input"], value["env"]) == ({"x": "2000-01-01T00:01:00.000000Z"}, {"e": 1})
    told = [out.value for out in clock.runner.outputs if out.value.get("kind") == "EXECUTION"]
    assert (told[0]["state"], told[0]["domain"]) == ("RUNNING", "site")


def test_the_same_scheduled_time_starts_one_execution_however_often_it_is_asked_for():
    clock = Clock("t: {workflow: wf, cron: '* * * * *'}")
    clock.until(60)
    asked = next(out.value for out in clock.runner.shard.timers(clock.begin + 120 * SECOND))
    clock.runner.now = clock.begin + 120 * SECOND
    for _ in range(3):
        clock.runner.apply(dict(asked))
    assert clock.started() == ["00:01:00", "00:02:00"]
    roots = [value["root"] for value in clock.starts()]
    twice = Clock("t: {workflow: wf, cron: '* * * * *'}")
    twice.until(120)
    assert [value["root"] for value in twice.starts()] == roots


def test_times_that_pass_while_nobody_looks_come_to_one():
    clock = Clock("t: {workflow: wf, cron: '* * * * *'}")
    clock.runner.now = clock.begin + 600 * SECOND
    for output in clock.runner.shard.timers(clock.runner.now):
        clock.runner.apply(output.value)
    assert clock.until(665) == ["00:01:00", "00:11:00"]


def test_a_changed_document_keeps_what_stayed_the_same():
    one, two = "t: {workflow: wf, cron: '* * * * *', count: 3}", "u: {workflow: wf, cron: '*/2 * * * *'}"
    clock = Clock(f"{one}, {two}")
    clock.until(120)
    clock.put(f"{one}, u: {{workflow: wf, cron: '0 1 * * *'}}")
    assert clock.until(600) == ["00:01:00", "00:02:00", "00:02:00", "00:03:00"]
    clock.put("", op="DELETE")
    assert clock.until(100_000) == ["00:01:00", "00:02:00", "00:02:00", "00:03:00"]
    assert clock.runner.shard.due() is None


def test_a_refused_document_leaves_the_earlier_one_in_force():
    clock = Clock("t: {workflow: wf, cron: '* * * * *'}", "t: {workflow: wf, cron: 'often'}")
    assert clock.until(60) == ["00:01:00"]
    assert "often" in clock.runner.shard.counters()["triggers"]["doc"]["error"]


def test_an_input_that_cannot_be_evaluated_is_an_execution_in_error():
    clock = Clock("t: {workflow: wf, cron: '* * * * *', count: 1, input: {x: <% $.none.more %>}}")
    clock.until(60)
    told = [out.value for out in clock.runner.outputs if out.value.get("kind") == "EXECUTION"]
    assert [(step["state"], "none" in step["state_info"]) for step in told] == [("ERROR", True)]


def test_a_restored_shard_goes_on_where_the_other_stood():
    clock = Clock("t: {workflow: wf, cron: '* * * * *', count: 3}")
    clock.until(60)
    live = clock.runner.shard
    other = WorkflowShard(0)
    for key in ("trigger/doc", *(record.key for record in live.store.revisions.values())):
        other.load(key, live.encode(key) or b"")
    other.restored()
    assert other.due() == live.due() == clock.begin + 120 * SECOND
    assert other.timers(clock.begin + 200 * SECOND) == live.timers(clock.begin + 200 * SECOND)


EVENT = """
triggers:
  severe:
    workflow: wf
    topic: alarms.raw
    when: <% $.alarm.severity = CRITICAL %>
    input: {x: <% $.alarm.resource.id %>}
"""
ALARM = {"id": "a1", "domain": "site", "alarm": {"severity": "CRITICAL", "resource": {"id": "h1"}}}


def test_a_record_starts_a_workflow_with_what_it_says():
    (trigger,) = triggers_of(EVENT)
    place = {"topic": "alarms.raw", "topic_id": "T", "partition": 3, "offset": 14}
    value = start("doc", trigger, ALARM, place, 0)
    assert value is not None
    assert (value["workflow"], value["input"]) == ("wf", {"x": "h1"})
    assert value["by"] == {"trigger": "doc/severe", "domain": "site", **place}
    assert start("doc", trigger, ALARM, place, 99) == {**value, "time": "1970-01-01T00:00:00.000099Z"}
    other = start("doc", trigger, ALARM, {**place, "offset": 15}, 0)
    assert other is not None
    assert other["root"] != value["root"]
    mild = {**ALARM, "alarm": {"severity": "WARNING"}}
    assert start("doc", trigger, mild, place, 0) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("triggers: {}", "triggers must be a mapping"),
        ("triggers: {t: {cron: '* * * * *'}}", "workflow must be a text"),
        ("triggers: {t: {workflow: wf}}", "a trigger has cron (or first), or topic"),
        ("triggers: {t: {workflow: wf, cron: '* * * * *', topic: x}}", "a trigger has cron (or first), or topic"),
        ("triggers: {t: {workflow: wf, cron: '* * *'}}", "has not five fields"),
        ("triggers: {t: {workflow: wf, cron: '61 * * * *'}}", "is no cron pattern"),
        ("triggers: {t: {workflow: wf, cron: '0 0 31 2 *'}}", "never comes"),
        ("triggers: {t: {workflow: wf, cron: 'R(0-5) * * * *'}}", "draws lots"),
        ("triggers: {t: {workflow: wf, first: tomorrow}}", "first: "),
        ("triggers: {t: {workflow: wf, cron: '* * * * *', count: 0}}", "count must be a whole number"),
        ("triggers: {t: {workflow: wf, topic: alarms.raw, count: 1}}", "has no key 'count'"),
        ("triggers: {t: {workflow: wf, topic: workflow.commands}}", "moves the pipeline itself"),
        ("triggers: {t: {workflow: wf, topic: x, when: <% $. %>}}", "YAQL"),
        ("triggers: {t: {workflow: wf, topic: x, when: always}}", "when must be an expression"),
        ("triggers: {t: {workflow: wf, topic: x}}\nmore: 1", "has no key 'more'"),
    ],
)  # fmt: skip
def test_what_is_no_trigger_is_refused(text, message):
    found = [each.message for each in parse(read(text, aliases=False))[1] if each.level == "error"]
    assert any(message in each for each in found), found


@pytest.mark.parametrize(
    ("pattern", "after", "comes"),
    [
        ("0 3 * * *", "2026-01-05T03:00:00.000000Z", "2026-01-06T03:00:00.000000Z"),
        ("0 3 * * *", "2026-01-05T02:59:59.999999Z", "2026-01-05T03:00:00.000000Z"),
        ("0 0 29 2 *", "2026-01-05T03:00:00.000000Z", "2028-02-29T00:00:00.000000Z"),
        ("*/15 9-17 * * mon-fri", "2026-01-09T17:45:00.000000Z", "2026-01-12T09:00:00.000000Z"),
    ],
)
def test_cron(pattern, after, comes):
    assert cron.following(pattern, micros(after)) == micros(comes)


def test_the_ids_of_timers_follow_from_what_they_are_for():
    assert firing.timer("d", "t", 1) != firing.timer("d", "t", 2)
