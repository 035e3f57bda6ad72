# ruff: noqa: E501 - a row of a table stands on one line.
"""Policies besides retry: waits, timeout, pause-before, fail-on, concurrency, keep-result."""

from __future__ import annotations

import pytest

from pipeline.times import SECOND
from pipeline.workflow.run import EPOCH


def seconds(ran):
    return (ran.runner.now - EPOCH) / SECOND


@pytest.mark.parametrize(
    ("policies", "states", "took"),
    [
        ("wait-before: 3", ["DELAYED", "RUNNING", "SUCCESS"], 3),
        ("wait-after: 4", ["RUNNING", "DELAYED", "SUCCESS"], 4),
        ("wait-before: 0.5", ["DELAYED", "RUNNING", "SUCCESS"], 0.5),
        ("wait-before: 0", ["RUNNING", "SUCCESS"], 0),
        ("wait-before: <% $.n %>", ["DELAYED", "RUNNING", "SUCCESS"], 2),
        ("wait-before: 1, wait-after: 2", ["DELAYED", "RUNNING", "DELAYED", "SUCCESS"], 3),
        ("timeout: 9", ["RUNNING", "SUCCESS"], 0),
        ("fail-on: <% $.n = 3 %>", ["RUNNING", "SUCCESS"], 0),
        ("fail-on: <% task().result = 1 %>", ["RUNNING", "ERROR"], 0),
        ("fail-on: true, wait-after: 1", ["RUNNING", "DELAYED", "ERROR"], 1),
    ],
)
def test_waits(play, policies, states, took):
    ran = play(f"wf: {{vars: {{n: 2}}, tasks: {{a: {{action: std.echo output=1, {policies}}}}}}}")
    assert (ran.told("TASK", "a"), seconds(ran)) == (states, took)


def test_defaults_fill_what_a_task_lacks(play):
    ran = play(
        """
        wf:
          task-defaults: {wait-before: 2, retry: {count: 1, delay: 1}, on-error: mend}
          tasks:
            a: {action: some.action, wait-before: 5}
            mend: {action: std.noop}
        """,
        script="[{action: some.action, answers: [{error: no}], repeat_last: true}]",
    )
    assert (ran.state, ran.runs("a"), ran.tasks) == ("SUCCESS", 2, {"a": "ERROR", "mend": "SUCCESS"})
    assert seconds(ran) == 5 + 1 + 2


def test_a_timeout_ends_the_task_and_the_late_result_is_told_and_ignored(play):
    ran = play(
        "wf: {tasks: {a: {action: slow, timeout: 2, on-error: b, retry: {count: 3, delay: 1}}, b: {action: std.noop}}}",
        script="[{action: slow, answers: [{result: late, delay: 5}]}]",
    )
    assert (ran.state, ran.tasks, ran.runs("a")) == ("SUCCESS", {"a": "ERROR", "b": "SUCCESS"}, 1)
    assert ran.task("a")["state_info"] == "Task timed out [timeout(s)=2]."
    late = [output.value for output in ran.runner.outputs if output.value.get("late")]
    assert [(each["state"], each["result"]) for each in late] == [("SUCCESS", "late")]


def test_the_timeout_includes_the_wait_before(play):
    ran = play("wf: {tasks: {a: {action: std.echo output=1, wait-before: 5, timeout: 3}}}")
    assert ran.state == "ERROR"
    assert ran.runs("a") == 0


def test_a_timeout_ends_a_retry_too(play):
    ran = play(
        "wf: {tasks: {a: {action: some.action, timeout: 5, retry: {count: 10, delay: 2}}}}",
        script="[{action: some.action, answers: [{error: no}], repeat_last: true}]",
    )
    assert (ran.state, ran.runs("a"), seconds(ran)) == ("ERROR", 3, 5)


def test_pause_before_holds_the_execution_until_it_is_resumed(play):
    text = "wf: {tasks: {a: {on-success: b}, b: {action: std.echo output=1, pause-before: true}}}"
    held = play(text)
    assert (held.state, held.tasks) == ("PAUSED", {"a": "SUCCESS", "b": "IDLE"})
    assert held.task("b")["state_info"] == "Set by 'pause-before' policy"
    ran = play(text, script="{events: [{at: 5, resume: true}]}")
    assert (ran.state, ran.tasks) == ("SUCCESS", {"a": "SUCCESS", "b": "SUCCESS"})


def test_pause_before_comes_before_wait_before(play):
    ran = play(
        "wf: {tasks: {a: {action: std.noop, pause-before: true, wait-before: 2}}}",
        script="{events: [{at: 5, resume: true}]}",
    )
    assert ran.told("TASK", "a") == ["IDLE", "DELAYED", "RUNNING", "SUCCESS"]
    assert seconds(ran) == 7


def test_fail_on_publishes_as_a_success_and_goes_on_as_an_error(play):
    ran = play(
        """
        wf:
          tasks:
            a:
              action: std.echo output=1
              fail-on: true
              publish: {p: mine}
              publish-on-error: {e: other}
              on-success: bad
              on-error: good
            bad: {action: std.noop}
            good: {action: std.noop, publish: {seen: <% $.p %>}}
        """
    )
    assert (ran.state, ran.tasks) == ("SUCCESS", {"a": "ERROR", "good": "SUCCESS"})
    assert ran.task("a")["state_info"] == "Failed by 'fail-on' policy"
    assert ran.task("good")["published"] == {"seen": "mine"}


def test_fail_on_with_retry_over_items_runs_all_items_again(play):
    ran = play(
        """
        wf:
          tasks:
            a:
              with-items: i in [1, 2]
              action: some.action i=<% $.i %>
              fail-on: <% 0 in task().result %>
              retry: {count: 2, delay: 1}
        """,
        script="[{action: some.action, answers: [{result: 0}, {result: 1}, {result: 5}, {result: 6}]}]",
    )
    assert (ran.state, ran.runs("a"), ran.task("a")["result"]) == ("SUCCESS", 4, [5, 6])


@pytest.mark.parametrize(("keep", "result"), [("true", 5), ("false", None), ("<% $.n = 3 %>", None)])
def test_keep_result(play, keep, result):
    ran = play(
        f"""
        wf:
          vars: {{n: 2}}
          output: {{r: <% task(a).result %>, p: <% $.p %>}}
          tasks: {{a: {{action: std.echo output=5, keep-result: {keep}, publish: {{p: <% task().result %>}}}}}}
        """
    )
    assert ran.output == {"r": result, "p": 5}


def test_keep_result_of_items(play):
    ran = play(
        """
        wf:
          output: {r: <% task(a).result %>}
          tasks: {a: {with-items: 'i in [1, 2]', action: std.echo output=<% $.i %>, keep-result: false}}
        """
    )
    assert ran.output == {"r": [None, None]}


def test_a_policy_that_is_no_number_fails_the_task(play):
    ran = play("wf: {vars: {n: no}, tasks: {a: {action: std.noop, wait-before: <% $.n %>, on-error: noop}}}")
    assert ran.state == "ERROR"
    assert "wait-before must be a number" in ran.info
