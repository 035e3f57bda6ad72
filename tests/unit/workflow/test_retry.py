"""Retry: how often, when, and what its conditions see."""

from __future__ import annotations

import pytest

from pipeline.times import SECOND
from pipeline.workflow.run import EPOCH

SNIPPET = """
wf:
  tasks:
    wait_for_migration:
      action: nova.servers_get server=vm-1
      retry:
        count: 10
        delay: 2
        continue-on: >
          <% switch(not isList(task(wait_for_migration)) =>
          'RESIZE' in task(wait_for_migration).result.status,
          isList(task(wait_for_migration)) =>
          'RESIZE' in task(wait_for_migration).last().result.status) %>
      publish: {status: <% task(wait_for_migration).result.status %>}
"""


def test_a_condition_over_several_lines_is_one_expression(play):
    ran = play(
        SNIPPET,
        script="""
        - action: nova.servers_get
          answers: [{result: {status: RESIZE}}, {result: {status: VERIFY_RESIZE}}, {result: {status: ACTIVE}}]
        """,
    )
    assert ran.state == "SUCCESS"
    assert ran.runs("wait_for_migration") == 3
    assert ran.task("wait_for_migration")["published"] == {"status": "ACTIVE"}
    assert ran.runner.now == EPOCH + 4 * SECOND


@pytest.mark.parametrize(
    ("policy", "answers", "runs", "state"),
    [
        ("{count: 3, delay: 1}", "E E S", 3, "SUCCESS"),
        ("{count: 3, delay: 1}", "E E E E", 4, "ERROR"),
        ("{count: 2, delay: 1}", "E E E E", 3, "ERROR"),
        ("{count: 0, delay: 1}", "E S", 1, "ERROR"),
        ("{count: 3, delay: 0}", "E E S", 3, "SUCCESS"),
        ("{count: 3, delay: 1}", "S", 1, "SUCCESS"),
        ("{count: 3, delay: 1, break-on: <% task().result = 'E' %>}", "E S", 1, "ERROR"),
        ("{count: 3, delay: 1, break-on: <% task().result = 'other' %>}", "E S", 2, "SUCCESS"),
        ("{count: 3, delay: 1, continue-on: <% task().state = 'SUCCESS' %>}", "S S S S S", 4, "SUCCESS"),
        ("{count: 3, delay: 1, continue-on: <% false %>}", "E S", 1, "ERROR"),
        ("{count: 3, delay: 1, continue-on: <% $.seen = 'again' %>}", "again S", 2, "SUCCESS"),
        ("count=3 delay=1", "E E S", 3, "SUCCESS"),
        ("{count: <% $.n %>, delay: <% $.n %>}", "E E E E", 3, "ERROR"),
    ],
)
def test_retry(play, policy, answers, runs, state):
    given = [f"{{error: {word}}}" if word == "E" else f"{{result: {word}}}" for word in answers.split()]
    ran = play(
        f"""
        wf:
          vars: {{n: 2, seen: no}}
          tasks:
            a:
              action: some.action
              retry: {policy}
              publish: {{seen: <% task().result %>}}
              publish-on-error: {{seen: <% task().result %>}}
        """,
        script=f"[{{action: some.action, answers: [{', '.join(given)}]}}]",
    )
    assert (ran.state, ran.runs("a")) == (state, runs)


def test_attempts_are_told_with_their_number_and_the_wait_between(play):
    ran = play(
        "wf: {tasks: {a: {action: some.action, retry: {count: 1, delay: 3}}}}",
        script="[{action: some.action, answers: [{error: no}, {result: yes}]}]",
    )
    assert ran.told("TASK", "a") == ["RUNNING", "DELAYED", "RUNNING", "SUCCESS"]
    delayed = next(output.value for output in ran.runner.outputs if output.value.get("state") == "DELAYED")
    assert delayed["state_info"] == "Delayed by 'retry' policy [delay=3]"
    assert [run["attempt"] for run in ran.task("a")["runs"]] == [1, 2]


@pytest.mark.parametrize("policy", ["{count: many, delay: 1}", "{count: <% 'x' %>, delay: 1}"])
def test_a_count_that_is_no_number(play, policy):
    from pipeline.document import read
    from pipeline.workflow.definition import check

    text = f"version: '2.0'\nwf: {{tasks: {{a: {{action: some.action, retry: {policy}}}}}}}"
    if "<%" not in policy:
        assert [finding.level for finding in check(read(text, aliases=False))] == ["error"]
        return
    ran = play(text.split("\n", 1)[1], script="[{action: some.action, answers: [{error: no}]}]")
    assert ran.state == "ERROR"
    assert "retry count must be a number" in ran.info
