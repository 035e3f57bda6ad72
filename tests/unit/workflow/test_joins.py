# ruff: noqa: E501 - a row of a table stands on one line.
"""Joins: all, one and N; dead branches; loops."""

from __future__ import annotations

import pytest

FAIL = "{action: std.fail"


def test_all_waits_for_every_branch_and_sees_what_each_published(play):
    ran = play(
        """
        wf:
          output: {r: <% $.r %>}
          tasks:
            a: {action: std.echo output=1 delay=3, publish: {a: <% task().result %>}, on-success: j}
            b: {action: std.echo output=2, publish: {b: <% task().result %>}, on-success: j}
            j: {join: all, publish: {r: <% $.a + $.b %>}}
        """
    )
    assert (ran.state, ran.output, ran.count("j")) == ("SUCCESS", {"r": 3}, 1)
    assert ran.told("TASK", "j") == ["WAITING", "RUNNING", "SUCCESS"]


@pytest.mark.parametrize(
    ("a", "b", "state", "tasks"),
    [
        # A branch that reaches the join over on-error counts as any other.
        ("{action: std.fail, on-error: j}", "{on-success: j}", "SUCCESS", {"a": "ERROR", "b": "SUCCESS", "j": "SUCCESS"}),
        ("{action: std.fail, on-success: j}", "{on-success: j}", "ERROR", {"a": "ERROR", "b": "SUCCESS", "j": "ERROR"}),
        ("{on-success: [{j: <% false %>}]}", "{on-success: j}", "ERROR", {"a": "SUCCESS", "b": "SUCCESS", "j": "ERROR"}),
        # Nothing reaches the join: it never comes to be.
        ("{on-success: [{j: <% false %>}]}", "{on-error: j}", "SUCCESS", {"a": "SUCCESS", "b": "SUCCESS"}),
        ("{action: std.fail, on-error: noop, on-success: j}", "{on-error: j}", "SUCCESS", {"a": "ERROR", "b": "SUCCESS"}),
    ],
)  # fmt: skip
def test_branches_that_die(play, a, b, state, tasks):
    ran = play(f"wf: {{tasks: {{a: {a}, b: {b}, j: {{join: all}}}}}}")
    assert (ran.state, ran.tasks) == (state, tasks)


def test_a_failed_join_says_by_whom_and_can_be_handled(play):
    ran = play(
        """
        wf:
          tasks:
            a: {action: std.fail, on-success: j, on-error: noop}
            b: {on-success: j}
            j: {join: all, on-error: mend}
            mend: {publish: {r: <% task(j).result %>}}
        """
    )
    assert (ran.state, ran.tasks["j"], ran.tasks["mend"]) == ("SUCCESS", "ERROR", "SUCCESS")
    assert ran.task("j")["state_info"] == "Failed by tasks: ['a']"
    assert ran.output == {"r": []}


def test_a_join_fails_early_while_other_branches_run(play):
    ran = play(
        """
        wf:
          tasks:
            a: {action: std.fail, on-success: j, on-error: noop}
            b: {on-success: j}
            slow: {action: std.echo output=1 delay=9, on-success: j}
            j: {join: all, on-error: noop}
        """,
        until=1,
    )
    assert (ran.state, ran.tasks["j"], ran.tasks["slow"]) == ("RUNNING", "ERROR", "RUNNING")


def test_an_indirect_death_is_seen(play):
    ran = play(
        """
        wf:
          tasks:
            a: {on-success: j}
            b: {action: std.fail, on-success: c, on-error: noop}
            c: {on-success: d}
            d: {on-success: j}
            j: {join: all, on-error: mend}
            mend: {action: std.noop}
        """
    )
    assert (ran.state, ran.tasks) == (
        "SUCCESS",
        {"a": "SUCCESS", "b": "ERROR", "j": "ERROR", "mend": "SUCCESS"},
    )


def test_chained_joins_with_dead_branches_do_not_get_stuck(play):
    ran = play(
        """
        wf:
          tasks:
            a: {on-success: [j1, {b: <% false %>}]}
            b: {on-success: j1}
            c: {action: std.noop, on-success: j2}
            j1: {join: all, on-success: j2}
            j2: {join: all}
        """
    )
    assert (ran.state, ran.tasks["j1"], ran.tasks["j2"]) == ("ERROR", "ERROR", "ERROR")


@pytest.mark.parametrize(
    ("join", "answers", "state", "joined"),
    [
        ("2", "S S S S", "SUCCESS", "SUCCESS"),
        ("2", "S S E E", "SUCCESS", "SUCCESS"),
        ("2", "E E S S", "SUCCESS", "SUCCESS"),
        ("2", "S E E E", "ERROR", "ERROR"),
        ("one", "E E E S", "SUCCESS", "SUCCESS"),
        ("one", "E E E E", "SUCCESS", None),
        ("4", "S S S S", "SUCCESS", "SUCCESS"),
        ("4", "S S S E", "ERROR", "ERROR"),
    ],
)
def test_some_of_the_branches_are_enough_and_the_join_fires_once(play, join, answers, state, joined):
    branches = "\n".join(
        f"            b{n}: {{action: some.action, on-success: j, on-error: noop}}" for n in range(4)
    )
    given = ", ".join(
        f"{{{'result' if word == 'S' else 'error'}: x, delay: {n}}}" for n, word in enumerate(answers.split())
    )
    ran = play(
        f"""
        wf:
          tasks:
{branches}
            j: {{join: {join}, action: std.noop, on-success: after}}
            after: {{action: std.noop}}
        """,
        script=f"[{{action: some.action, answers: [{given}]}}]",
    )
    assert (ran.state, ran.tasks.get("j")) == (state, joined)
    assert ran.count("j") == (joined is not None)
    assert ran.count("after") == (joined == "SUCCESS")


def test_a_join_in_a_loop_fires_in_every_round(play):
    ran = play(
        """
        wf:
          vars: {n: 0}
          tasks:
            start: {on-success: [a, b]}
            a: {on-success: j}
            b: {on-success: j}
            j:
              join: all
              publish: {n: <% $.n + 1 %>}
              on-success:
                - a: <% $.n < 3 %>
                - b: <% $.n < 3 %>
        """
    )
    assert (ran.state, ran.count("j"), ran.output) == ("SUCCESS", 3, {"n": 3})


def test_join_one_in_a_loop_is_armed_again(play):
    ran = play(
        """
        wf:
          vars: {n: 0}
          tasks:
            start: {on-success: j}
            j: {join: one, publish: {n: <% $.n + 1 %>}, on-success: again}
            again: {on-success: [{j: <% $.n < 3 %>}]}
        """
    )
    assert (ran.state, ran.count("j"), ran.output) == ("SUCCESS", 3, {"n": 3})


def test_a_join_that_waits_is_cancelled_when_the_execution_ends(play):
    ran = play(
        """
        wf:
          tasks:
            a: {on-success: j}
            b: {action: std.echo output=1 delay=2, on-success: fail}
            c: {action: std.echo output=1 delay=5, on-success: j}
            j: {join: all}
        """
    )
    assert (ran.state, ran.tasks["j"]) == ("ERROR", "CANCELLED")
    assert ran.task("j")["state_info"] == "the execution ended first"
    assert ran.tasks["c"] == "SUCCESS"


def test_a_failed_join_with_retry_is_tried_again(play):
    ran = play(
        """
        wf:
          tasks:
            a: {action: std.fail, on-success: j, on-error: noop}
            b: {on-success: j}
            j: {join: all, retry: {count: 2, delay: 1}}
        """
    )
    assert (ran.state, ran.tasks["j"]) == ("ERROR", "ERROR")
    assert ran.told("TASK", "j").count("DELAYED") == 2


def test_a_join_with_wrong_input_is_an_error_not_a_hang(play):
    ran = play(
        "wf: {tasks: {a: {on-success: j}, b: {on-success: j}, j: {join: all, action: std.echo output=<% $.no %>}}}"
    )
    assert (ran.state, ran.tasks["j"]) == ("ERROR", "ERROR")


def test_merging_takes_what_was_published_more_often(play):
    ran = play(
        """
        wf:
          vars: {v: 0}
          output: {v: <% $.v %>, k: <% $.d %>}
          tasks:
            start: {publish: {d: {x: 0, y: 0}}, on-success: [a1, b]}
            a1: {publish: {v: 1}, on-success: a2}
            a2: {publish: {v: 2, d: {x: 5, y: 0}}, on-success: j}
            b: {action: std.echo output=1 delay=5, publish: {v: 9, d: {x: 0, y: 7}}, on-success: j}
            j: {join: all}
        """
    )
    assert ran.output["v"] == 2


def test_of_equals_the_branch_that_completed_later_wins(play):
    ran = play(
        """
        wf:
          output: {v: <% $.v %>}
          tasks:
            a: {action: std.echo output=1 delay=5, publish: {v: late}, on-success: j}
            b: {publish: {v: early}, on-success: j}
            j: {join: all}
        """
    )
    assert ran.output == {"v": "late"}


def test_leaves_of_one_variable_from_two_branches_survive_both(play):
    ran = play(
        """
        wf:
          output: {d: <% $.d %>}
          tasks:
            a: {publish: {d: {k1: 1}}, on-success: j}
            b: {publish: {d: {k2: 2}}, on-success: j}
            j: {join: all}
        """
    )
    assert ran.output == {"d": {"k1": 1, "k2": 2}}


def test_an_indirect_death_is_seen_while_other_branches_run(play):
    ran = play(
        """
        wf:
          tasks:
            a: {on-success: j}
            b: {action: std.fail, on-success: c, on-error: noop}
            c: {on-success: d}
            d: {on-success: j}
            slow: {action: std.echo output=1 delay=9}
            j: {join: all, on-error: noop}
        """,
        until=1,
    )
    assert (ran.state, ran.tasks["slow"], ran.tasks["j"]) == ("RUNNING", "RUNNING", "ERROR")


@pytest.mark.parametrize(
    ("first", "state"),
    [("{on-success: t0}", "SUCCESS"), ("{action: std.fail, on-success: t0, on-error: noop}", "ERROR")],
)
def test_a_join_behind_a_very_long_branch(play, first, state):
    length = 1_500
    chain = "\n".join(
        f"    t{n}: {{on-success: {f't{n + 1}' if n + 1 < length else 'j'}}}" for n in range(length)
    )
    text = f"wf:\n  tasks:\n    first: {first}\n{chain}\n    other: {{on-success: j}}\n    j: {{join: all}}\n"
    ran = play(text)
    assert (ran.state, ran.tasks["j"]) == (state, state)


def test_each_branch_of_a_loop_counts_for_itself(play):
    ran = play(
        """
        wf:
          vars: {n: 0}
          tasks:
            start: {on-success: [a, b]}
            a: {publish: {n: <% $.n + 1 %>}, on-success: [{a: <% $.n < 3 %>}, {end: <% $.n >= 3 %>}]}
            b: {publish: {n: <% $.n + 1 %>}, on-success: [{b: <% $.n < 5 %>}, {end: <% $.n >= 5 %>}]}
            end: {join: all, publish: {total: <% $.n %>}}
        """
    )
    assert (ran.state, ran.count("a"), ran.count("b"), ran.count("end")) == ("SUCCESS", 3, 5, 1)
