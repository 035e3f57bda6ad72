"""Direct workflows: order, data, guards, errors, engine commands."""

from __future__ import annotations

import pytest


def test_one_task_passes_its_result_on(play):
    ran = play(
        """
        wf:
          input: [who, {greeting: hello}]
          output: {said: <% $.said %>}
          tasks:
            say:
              action: std.echo output="<% $.greeting %> <% $.who %>"
              publish: {said: <% task().result %>}
        """,
        {"who": "you"},
    )
    assert (ran.state, ran.output, ran.tasks) == ("SUCCESS", {"said": "hello you"}, {"say": "SUCCESS"})
    assert ran.told("EXECUTION", "wf") == ["RUNNING", "SUCCESS"]
    assert ran.told("TASK", "say") == ["RUNNING", "SUCCESS"]
    assert ran.told("ACTION", "std.echo") == ["RUNNING", "SUCCESS"]


def test_without_output_all_that_was_published_is_the_output(play):
    ran = play(
        """
        wf:
          input: [x]
          vars: {v: 1}
          tasks:
            a: {publish: {one: 1}, on-success: b}
            b: {publish: {two: <% $.one + 1 %>}}
        """,
        {"x": 1},
    )
    assert ran.output == {"one": 1, "two": 2}


@pytest.mark.parametrize(
    ("given", "info"),
    [
        ({}, "Invalid input [name=wf, class=Workflow, missing=['a'], unexpected=[]]"),
        ({"a": 1, "z": 2}, "Invalid input [name=wf, class=Workflow, missing=[], unexpected=['z']]"),
    ],
)
def test_wrong_input_is_an_execution_in_error(play, given, info):
    ran = play("wf: {input: [a], tasks: {t: {action: std.noop}}}", given)
    assert (ran.state, ran.info, ran.tasks) == ("ERROR", info, {})


def test_an_unknown_workflow_is_an_execution_in_error(play):
    ran = play("wf: {tasks: {t: {action: std.noop}}}", workflow="other")
    assert ran.state == "ERROR"
    assert "other" in ran.info
    assert "wf" in ran.info


@pytest.mark.parametrize(("x", "ends"), [(1, {"a", "low"}), (5, {"a", "high"})])
def test_guards_choose(play, x, ends):
    ran = play(
        """
        wf:
          input: [x]
          tasks:
            a:
              on-success:
                - low: <% $.x < 3 %>
                - high: <% $.x >= 3 %>
            low: {action: std.noop}
            high: {action: std.noop}
        """,
        {"x": x},
    )
    assert set(ran.tasks) == ends
    assert ran.state == "SUCCESS"


def test_an_error_that_is_handled_does_not_fail_the_execution(play):
    ran = play(
        """
        wf:
          tasks:
            a:
              action: std.fail
              publish-on-error: {why: <% task().result %>}
              on-error: mend
              on-complete: always
            mend: {action: std.noop}
            always: {action: std.noop}
        """,
        script="[{action: std.fail, answers: [{error: boom}]}]",
    )
    assert ran.state == "SUCCESS"
    assert ran.tasks == {"a": "ERROR", "mend": "SUCCESS", "always": "SUCCESS"}
    assert ran.task("a")["published"] == {"why": "boom"}


def test_on_complete_alone_does_not_handle_an_error(play):
    ran = play(
        "wf: {tasks: {a: {action: std.fail, on-complete: b}, b: {action: std.noop}}}",
        script="[{action: std.fail, answers: [{error: boom}]}]",
    )
    assert (ran.state, ran.tasks) == ("ERROR", {"a": "ERROR", "b": "SUCCESS"})
    assert ran.info.startswith("Failure caused by error in tasks: a\n\n  a [task_ex_id=")
    assert "-> boom\n    [action_ex_id=" in ran.info
    assert ran.info.endswith("idx=0]: boom\n")
    assert ran.output["result"] == ran.info


def test_an_unhandled_error_lets_other_branches_go_on(play):
    ran = play(
        """
        wf:
          tasks:
            a: {action: std.fail}
            b: {action: std.echo output=1 delay=5, on-success: c}
            c: {action: std.noop}
        """
    )
    assert ran.tasks == {"a": "ERROR", "b": "SUCCESS", "c": "SUCCESS"}
    assert ran.state == "ERROR"


@pytest.mark.parametrize(
    ("clause", "state", "info", "tasks"),
    [
        ("fail", "ERROR", None, {"a"}),
        ('fail(msg="all is <% $.x %>")', "ERROR", "all is lost", {"a"}),
        ('fail msg="no"', "ERROR", "no", {"a"}),
        ("succeed", "SUCCESS", None, {"a"}),
        ("noop", "SUCCESS", None, {"a"}),
        ("[fail, b]", "ERROR", None, {"a"}),
        ("[b, fail]", "ERROR", None, {"a", "b"}),
        ("[succeed, b]", "SUCCESS", None, {"a"}),
        ("[b, c]", "SUCCESS", None, {"a", "b", "c"}),
    ],
)
def test_engine_commands(play, clause, state, info, tasks):
    named = [word for word in "bc" if word in clause.strip("[]").split(", ")]
    others = "".join(f", {name}: {{join: one}}" for name in named)
    written = clause if clause[0] == "[" else repr(clause)
    ran = play(f"wf: {{tasks: {{a: {{publish: {{x: lost}}, on-success: {written}}}{others}}}}}")
    assert (ran.state, ran.info, set(ran.tasks)) == (state, info, tasks)


def test_fail_without_a_message_has_a_null_result(play):
    ran = play("wf: {tasks: {a: {publish: {v: 1}, on-success: fail}}}")
    assert ran.output == {"result": None, "v": 1}


def test_output_on_error(play):
    ran = play(
        """
        wf:
          output-on-error: {mine: <% $.v %>}
          tasks: {a: {publish: {v: 1}, on-success: fail(msg='it broke')}}
        """
    )
    assert (ran.info, ran.output) == ("it broke", {"result": "it broke", "mine": 1})


@pytest.mark.parametrize(
    "task",
    [
        "{action: std.echo output=<% $.nothing %>, on-error: mend}",
        "{action: std.noop, publish: {x: <% $.nothing %>}, on-error: mend}",
        "{action: std.noop, on-success: [{mend: <% $.nothing %>}]}",
        "{action: std.noop, retry: {count: 1, delay: 0, continue-on: <% $.nothing %>}, on-error: mend}",
        "{with-items: 'i in <% $.nothing %>', action: std.noop, on-error: mend}",
    ],
)
def test_a_bad_expression_fails_task_and_execution_whatever_on_error_says(play, task):
    ran = play(f"wf: {{tasks: {{a: {task}, mend: {{action: std.noop}}}}}}")
    assert ran.state == "ERROR"
    assert ran.tasks["a"] == "ERROR"
    assert "nothing" in ran.info


def test_a_task_with_two_parents_runs_once_for_each(play):
    ran = play("wf: {tasks: {a: {on-success: c}, b: {on-success: c}, c: {action: std.noop}}}")
    assert (ran.state, ran.count("c")) == ("SUCCESS", 2)


def test_a_loop_goes_on_until_its_guard_says_no(play):
    ran = play(
        """
        wf:
          vars: {n: 0}
          output: {n: <% $.n %>}
          tasks:
            start: {on-success: count}
            count:
              publish: {n: <% $.n + 1 %>}
              on-success: [{count: <% $.n < 5 %>}]
        """
    )
    assert (ran.state, ran.output, ran.count("count")) == ("SUCCESS", {"n": 5}, 5)


def test_a_bad_output_is_an_error_with_all_tasks_in_success(play):
    ran = play("wf: {output: {x: <% $.nothing %>}, tasks: {a: {action: std.noop}}}")
    assert (ran.state, ran.tasks) == ("ERROR", {"a": "SUCCESS"})
    assert "nothing" in ran.info


@pytest.mark.parametrize(
    "loop",
    [
        "a: {with-items: 'i in <% list() %>', action: std.noop, on-success: a}",
        "a: {workflow: nobody, on-error: a}",
    ],
)
def test_a_loop_in_which_nothing_waits_ends_in_an_error(play, loop):
    ran = play(f"wf: {{tasks: {{start: {{on-success: a}}, {loop}}}}}")
    assert ran.state == "ERROR"
    assert "a loop in which nothing waits" in ran.info


def test_a_workflow_that_calls_itself_for_ever_ends_in_an_error(play):
    ran = play("wf: {tasks: {a: {workflow: wf}}}")
    assert ran.state == "ERROR"
    assert len(ran.info) < 100_000
    below = ran.document
    while "execution" in below["tasks"][0]:
        below = below["tasks"][0]["execution"]
    assert "nested more than 100 deep" in below["state_info"]


def test_a_long_loop_leaves_little_behind(play):
    ran = play(
        """
        wf:
          vars: {n: 0}
          tasks:
            start: {on-success: count}
            count:
              publish: {n: <% $.n + 1 %>}
              on-success:
                - call: <% $.n < 200 %>
                - last: <% $.n >= 200 %>
            call: {workflow: sub, on-success: count}
            last: {action: std.async_noop}
        sub: {tasks: {t: {action: std.noop}}}
        """
    )
    assert (ran.state, ran.count("count")) == ("RUNNING", 200)
    store = ran.runner.shard.store
    assert len(store.lives) == 1
    assert len(store.lives["root-1"].tasks) <= 5


@pytest.mark.parametrize(
    "task", ["{action: std.echo nonsense=1", "{with-items: 'i in [1, 2]', action: std.echo i=1"]
)
def test_wrong_parameters_of_an_action_fail_task_and_execution(play, task):
    ran = play(f"wf: {{tasks: {{a: {task}, on-error: noop}}}}}}")
    assert (ran.state, ran.tasks) == ("ERROR", {"a": "ERROR"})
    assert "std.echo" in ran.info


def test_a_loop_over_a_failing_sub_workflow_leaves_little_behind(play):
    ran = play(
        """
        wf:
          vars: {n: 0}
          tasks:
            start: {on-success: call}
            call: {workflow: sub, on-error: count}
            count:
              publish: {n: <% $.n + 1 %>}
              on-success:
                - call: <% $.n < 100 %>
                - last: <% $.n >= 100 %>
            last: {action: std.async_noop}
        sub: {tasks: {t: {action: std.fail}}}
        """
    )
    store = ran.runner.shard.store
    assert (ran.state, ran.count("call")) == ("RUNNING", 100)
    assert len(store.lives) <= 3


def test_a_task_tells_which_clauses_of_which_tasks_led_to_it(play):
    ran = play(
        """
        wf:
          tasks:
            a: {on-success: b}
            b: {action: std.fail, on-error: c}
            c: {action: std.fail, on-error: noop, on-success: d, on-complete: [d, j]}
            d: {on-complete: j}
            j: {join: all}
        """
    )
    began = {
        step["name"]: [clause for _, clause in step["triggers"]]
        for step in (output.value for output in ran.runner.outputs)
        if step.get("kind") == "TASK" and step["state"] == "RUNNING"
    }
    assert began == {
        "a": [],
        "b": ["on-success"],
        "c": ["on-error"],
        "d": ["on-complete"],
        "j": ["on-complete", "on-complete"],
    }


@pytest.mark.parametrize(
    ("defaults", "task", "safe"),
    [
        ("", "", False),
        ("", "safe-rerun: true, ", True),
        ("task-defaults: {safe-rerun: true}, ", "", True),
        ("task-defaults: {safe-rerun: true}, ", "safe-rerun: false, ", False),
        ("", "safe-rerun: <% 1 = 1 %>, with-items: 'i in [1, 2]', ", True),
    ],
)
def test_an_action_is_asked_for_with_what_a_second_run_of_it_would_mean(play, defaults, task, safe):
    ran = play(f"wf: {{{defaults}tasks: {{a: {{{task}action: std.echo output=1}}}}}}")
    asked = [
        output.value["safe_rerun"] for output in ran.runner.outputs if output.topic == "workflow.actions"
    ]
    assert set(asked) == {safe}
