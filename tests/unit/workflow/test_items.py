# ruff: noqa: E501 - a row of a table stands on one line.
"""Tasks over items."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ("i in [3, 1, 2]", [3, 1, 2]),
        ("i in <% $.list %>", [7, 8]),
        ("i in {{ _.list }}", [7, 8]),
        ("i in <% list() %>", []),
        ("i in <% 'ab' %>", ["a", "b"]),
        ("i in <% dict(k => 1) %>", ["k"]),
        ("i in <% range(0, 130) %>", list(range(130))),
    ],
)
def test_results_stand_in_the_order_of_the_items(play, items, expected):
    ran = play(
        f"""
        wf:
          vars: {{list: [7, 8]}}
          output: {{r: <% task(a).result %>}}
          tasks:
            a: {{with-items: '{items.replace("'", "''")}', action: std.echo output=<% $.i %>}}
        """
    )
    assert (ran.state, ran.output) == ("SUCCESS", {"r": expected})
    assert ran.task("a")["result"] == expected


def test_order_does_not_depend_on_which_ends_first(play):
    ran = play(
        "wf: {tasks: {a: {with-items: 'i in [1, 2, 3]', action: some.action i=<% $.i %>}}}",
        script="[{action: some.action, answers: [{result: x, delay: 3}, {result: y, delay: 1}, {result: z}]}]",
    )
    assert ran.task("a")["result"] == ["x", "y", "z"]


def test_several_lists_run_side_by_side(play):
    ran = play(
        """
        wf:
          tasks:
            a:
              with-items: ["i in [1, 2]", "j in <% list(a, b) %>"]
              action: std.echo output="<% $.i %><% $.j %>"
        """
    )
    assert ran.task("a")["result"] == ["1a", "2b"]


@pytest.mark.parametrize(
    "items", ["['i in [1, 2]', 'j in [1]']", "i in <% 5 %>", "i in <% null %>", "i in <% $.nothing %>"]
)
def test_lists_that_do_not_fit_fail_task_and_execution(play, items):
    ran = play(f"wf: {{tasks: {{a: {{with-items: {items}, action: std.noop, on-error: noop}}}}}}")
    assert (ran.state, ran.tasks) == ("ERROR", {"a": "ERROR"})


def test_all_items_run_though_one_fails(play):
    ran = play(
        """
        wf:
          tasks:
            a: {with-items: 'i in [1, 2, 3]', action: some.action, on-error: b, publish-on-error: {r: <% task().result %>}}
            b: {action: std.noop}
        """,
        script="[{action: some.action, answers: [{result: x}, {error: bad}, {result: z}]}]",
    )
    assert (ran.state, ran.runs("a")) == ("SUCCESS", 3)
    assert ran.task("a")["state_info"] == "One or more actions had failed."
    assert ran.task("a")["published"] == {"r": ["x", "bad", "z"]}


def test_the_message_names_each_failed_item(play):
    ran = play(
        "wf: {tasks: {a: {with-items: 'i in [1, 2, 3]', action: some.action}}}",
        script="[{action: some.action, answers: [{error: one}, {result: x}, {error: three}]}]",
    )
    assert "-> One or more actions had failed.\n" in ran.info
    assert "idx=0]: one\n" in ran.info
    assert "idx=2]: three\n" in ran.info


@pytest.mark.parametrize("concurrency", [1, 2, 3, 5, 9, "<% $.c %>"])
def test_concurrency_is_never_exceeded_and_everything_runs(play, concurrency):
    ran = play(
        f"""
        wf:
          vars: {{c: 2}}
          tasks:
            a:
              with-items: i in <% range(0, 5) %>
              action: std.echo output=<% $.i %> delay=1
              concurrency: {concurrency}
        """
    )
    assert ran.task("a")["result"] == [0, 1, 2, 3, 4]
    flying = peak = 0
    for output in ran.runner.outputs:
        if output.value.get("kind") == "ACTION":
            flying += 1 if output.value["state"] == "RUNNING" else -1
            peak = max(peak, flying)
    assert peak == (2 if isinstance(concurrency, str) else min(concurrency, 5))


def test_a_failed_item_does_not_hold_the_next_ones_back(play):
    ran = play(
        "wf: {tasks: {a: {with-items: 'i in [1, 2, 3, 4]', action: some.action, concurrency: 2}}}",
        script="[{action: some.action, answers: [{error: x}, {error: y}, {result: z}, {result: z}]}]",
    )
    assert (ran.state, ran.runs("a")) == ("ERROR", 4)


def test_retry_runs_all_items_again(play):
    ran = play(
        "wf: {tasks: {a: {with-items: 'i in [1, 2]', action: some.action, retry: {count: 1, delay: 1}}}}",
        script="[{action: some.action, answers: [{result: a}, {error: b}, {result: c}, {result: d}]}]",
    )
    assert (ran.state, ran.runs("a"), ran.task("a")["result"]) == ("SUCCESS", 4, ["c", "d"])


def test_a_variable_from_upstream_hides_the_item_variable_and_an_input_does_not(play):
    ran = play(
        """
        wf:
          input: [{j: input}]
          tasks:
            start: {publish: {i: upstream}, on-success: [a, b]}
            a: {with-items: 'i in [1, 2]', action: std.echo output=<% $.i %>}
            b: {with-items: 'j in [1, 2]', action: std.echo output=<% $.j %>}
        """
    )
    assert ran.task("a")["result"] == ["upstream", "upstream"]
    assert ran.task("b")["result"] == [1, 2]


def test_items_over_sub_workflows(play):
    ran = play(
        """
        wf:
          tasks:
            a: {with-items: 'i in [1, 2]', workflow: sub x=<% $.i %>}
        sub:
          input: [x]
          output: {y: <% $.x * 10 %>}
          tasks: {t: {action: std.noop}}
        """
    )
    assert ran.task("a")["result"] == [{"y": 10}, {"y": 20}]
    assert [run["state"] for run in ran.task("a")["runs"]] == ["SUCCESS", "SUCCESS"]
