# ruff: noqa: E501 - a row of a table stands on one line.
"""Ad-hoc actions and reverse workflows."""

from __future__ import annotations

import pytest

ACTIONS = """
concat:
  base: std.echo
  base-input: {output: "<% $.left %>+<% $.right %>"}
  input: [left, {right: r}]
nested:
  base: concat
  base-input: {left: "<% $.x %>!"}
  input: [x]
  output: {whole: <% $ %>}
outer:
  base: nested
  base-input: {x: <% $.y %>}
  input: [y]
  output: <% $.whole + '?' %>
ring: {base: gnir, base-input: {a: 1}}
gnir: {base: ring, base-input: {a: 1}}
"""


@pytest.mark.parametrize(
    ("action", "result"),
    [
        ("concat left=a", "a+r"),
        ("concat left=a right=b", "a+b"),
        ("nested x=1", {"whole": "1!+r"}),
        ("outer y=2", "2!+r?"),
    ],
)
def test_actions_made_of_actions(play, action, result):
    ran = play(f"wf: {{tasks: {{a: {{action: {action}}}}}}}", more={"actions": ACTIONS})
    assert (ran.state, ran.task("a")["result"]) == ("SUCCESS", result)


@pytest.mark.parametrize("action", ["concat", "concat left=a other=b", "ring"])
def test_wrong_parameters_and_rings_fail_the_execution(play, action):
    ran = play(f"wf: {{tasks: {{a: {{action: {action}, on-error: noop}}}}}}", more={"actions": ACTIONS})
    assert (ran.state, ran.tasks) == ("ERROR", {"a": "ERROR"})


REVERSE = """
wf:
  type: reverse
  input: [x]
  output: {r: <% $.r %>}
  tasks:
    one: {action: some.action, publish: {a: <% $.x %>}}
    two: {action: some.action, publish: {b: <% $.x + 1 %>}}
    top: {action: some.action, requires: [one, two], publish: {r: <% $.a + $.b %>}}
    middle: {action: some.action, requires: one, publish: {r: <% $.a %>}}
    unused: {action: some.action}
"""
FINE = "[{action: some.action, answers: [{result: 1}], repeat_last: true}]"


@pytest.mark.parametrize(
    ("target", "tasks", "output"),
    [
        ("top", ["one", "two", "top"], {"r": 5}),
        ("middle", ["one", "middle"], {"r": 2}),
    ],
)
def test_a_reverse_workflow_runs_what_its_target_needs(play, target, tasks, output):
    ran = play(REVERSE, {"x": 2}, script=FINE, task_name=target)
    assert (ran.state, [task["name"] for task in ran.document["tasks"]], ran.output) == (
        "SUCCESS",
        tasks,
        output,
    )


def test_an_error_stops_those_that_need_it_and_no_others(play):
    ran = play(
        REVERSE,
        {"x": 2},
        script="[{task: one, answers: [{error: no}]}, {action: some.action, answers: [{result: 1, delay: 2}]}]",
        task_name="top",
    )
    assert (ran.state, ran.tasks) == ("ERROR", {"one": "ERROR", "two": "SUCCESS"})


def test_a_rerun_of_a_reverse_workflow_goes_on_to_the_target(play):
    ran = play(
        REVERSE,
        {"x": 2},
        script=f"""
        actions: [{{task: one, answers: [{{error: no}}, {{result: 1}}]}}, {FINE[1:-1]}]
        events: [{{at: 5, rerun: {{task: one}}}}]
        """,
        task_name="top",
    )
    assert (ran.state, ran.output) == ("SUCCESS", {"r": 5})


@pytest.mark.parametrize("target", ["nobody", None])
def test_a_target_that_is_not_there(play, target):
    ran = play(REVERSE, {"x": 2}, task_name=target)
    assert ran.state == "ERROR"
    assert "Invalid task name" in ran.info
