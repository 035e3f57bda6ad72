# ruff: noqa: E501 - a row of a table stands on one line.
"""What operators do: pause, resume, cancel, stop, rerun, skip, complete."""

from __future__ import annotations

import pytest

SLOW = """
wf:
  tasks:
    a: {action: std.echo output=1 delay=5, publish: {x: 1}, on-success: b}
    b: {action: std.echo output=2}
"""


def test_a_pause_lets_running_actions_finish_and_a_resume_goes_on(play):
    held = play(SLOW, script="{events: [{at: 1, pause: wait}]}")
    assert (held.state, held.info, held.tasks) == ("PAUSED", "wait", {"a": "SUCCESS"})
    ran = play(SLOW, script="{events: [{at: 1, pause: true}, {at: 9, resume: true}]}")
    assert (ran.state, ran.tasks) == ("SUCCESS", {"a": "SUCCESS", "b": "SUCCESS"})
    assert ran.told("EXECUTION", "wf") == ["RUNNING", "PAUSED", "RUNNING", "SUCCESS"]


def test_a_resume_before_the_action_ends_changes_nothing_in_the_end(play):
    ran = play(SLOW, script="{events: [{at: 1, pause: true}, {at: 2, resume: true}]}")
    assert (ran.state, ran.count("b")) == ("SUCCESS", 1)


def test_a_timer_that_falls_due_in_a_pause_waits_for_the_resume(play):
    ran = play(
        "wf: {tasks: {a: {action: some.action, retry: {count: 1, delay: 3}}}}",
        script="""
        actions: [{action: some.action, answers: [{error: no}, {result: yes}]}]
        events: [{at: 1, pause: true}, {at: 9, resume: true}]
        """,
    )
    assert (ran.state, ran.runs("a")) == ("SUCCESS", 2)
    assert ran.told("TASK", "a") == ["RUNNING", "DELAYED", "IDLE", "RUNNING", "SUCCESS"]


def test_commands_after_pause_wait_for_the_resume(play):
    text = "wf: {tasks: {a: {on-success: [b, pause, c]}, b: {action: std.noop}, c: {action: std.noop}}}"
    held = play(text)
    assert (held.state, held.tasks) == ("PAUSED", {"a": "SUCCESS", "b": "SUCCESS"})
    ran = play(text, script="{events: [{at: 1, resume: true}]}")
    assert (ran.state, ran.tasks) == ("SUCCESS", {"a": "SUCCESS", "b": "SUCCESS", "c": "SUCCESS"})


def test_resume_merges_the_environment(play):
    ran = play(
        "wf: {tasks: {a: {on-success: [pause, b]}, b: {publish: {k: <% env() %>}}}}",
        script="{events: [{at: 1, resume: {env: {b: 2}}}]}",
        env={"a": 1},
    )
    assert ran.output["k"] == {"a": 1, "b": 2}


def test_a_cancel_ends_the_execution_and_not_what_runs(play):
    ran = play(SLOW, script="{events: [{at: 1, cancel: enough}]}")
    assert (ran.state, ran.info, ran.tasks) == ("CANCELLED", "enough", {"a": "SUCCESS"})
    assert ran.told("EXECUTION", "wf") == ["RUNNING", "CANCELLED"]


@pytest.mark.parametrize(
    ("event", "state", "info"),
    [
        ("{at: 1, stop: {state: SUCCESS, message: done}}", "SUCCESS", "done"),
        ("{at: 1, stop: {state: ERROR, message: bad}}", "ERROR", "bad"),
        ("{at: 1, stop: {state: CANCELLED, message: over}}", "CANCELLED", "over"),
        ("{at: 1, stop: ERROR}", "ERROR", None),
    ],
)
def test_stop(play, event, state, info):
    ran = play(SLOW, script=f"{{events: [{event}]}}")
    assert (ran.state, ran.info, ran.tasks) == (state, info, {"a": "SUCCESS"})


@pytest.mark.parametrize("late", ["cancel: x", "stop: ERROR", "pause: true", "resume: true"])
def test_what_comes_after_the_end_changes_nothing(play, late):
    ran = play("wf: {tasks: {a: {action: std.noop}}}", script=f"{{events: [{{at: 5, {late}}}]}}")
    assert ran.told("EXECUTION", "wf") == ["RUNNING", "SUCCESS"]


def test_a_cancelled_task_cancels_the_execution_and_beats_an_error(play):
    ran = play(
        """
        wf:
          tasks:
            a: {action: std.async_noop}
            b: {action: std.fail}
        """,
        script="{events: [{at: 1, complete: {task: a, state: CANCELLED}}]}",
    )
    assert (ran.state, ran.info) == ("CANCELLED", "Cancelled tasks: a")


def test_an_asynchronous_action_is_completed_from_outside(play):
    ran = play(
        "wf: {tasks: {a: {action: std.async_noop, publish: {r: <% task().result %>}}}}",
        script="{events: [{at: 3, complete: {task: a, result: {ok: 1}}}, {at: 4, complete: {task: a, result: 2}}]}",
    )
    assert (ran.state, ran.output) == ("SUCCESS", {"r": {"ok": 1}})


RERUN = """
wf:
  tasks:
    a: {publish: {x: 1}, on-success: b}
    b: {action: some.action, publish: {y: <% task().result %>}, on-success: c}
    c: {publish: {z: "<% $.x %><% $.y %>"}}
"""


def test_a_rerun_takes_the_execution_up_where_it_failed(play):
    ran = play(
        RERUN,
        script="""
        actions: [{action: some.action, answers: [{error: no}, {result: 2}]}]
        events: [{at: 5, rerun: {task: b}}]
        """,
    )
    assert (ran.state, ran.runs("b"), ran.count("a")) == ("SUCCESS", 2, 1)
    assert ran.task("c")["published"] == {"z": "12"}
    assert ran.told("EXECUTION", "wf") == ["RUNNING", "ERROR", "RUNNING", "SUCCESS"]


def test_a_rerun_may_bring_another_environment(play):
    ran = play(
        "wf: {tasks: {a: {action: some.action v=<% env().v %>}}}",
        script="""
        actions: [{action: some.action, answers: [{error: no}, {result: 2}]}]
        events: [{at: 5, rerun: {task: a, env: {v: second}}}]
        """,
        env={"v": "first"},
    )
    assert ran.state == "SUCCESS"
    assert [given for _, given in ran.actions()] == [{"v": "first"}, {"v": "second"}]


@pytest.mark.parametrize(
    ("reset", "runs", "result"), [("true", 6, ["d", "e", "f"]), ("false", 4, ["a", "d", "c"])]
)
def test_a_rerun_of_items_repeats_all_or_the_failed_ones(play, reset, runs, result):
    ran = play(
        "wf: {tasks: {a: {with-items: 'i in [1, 2, 3]', action: some.action i=<% $.i %>}}}",
        script=f"""
        actions:
          - action: some.action
            answers: [{{result: a}}, {{error: b}}, {{result: c}}, {{result: d}}, {{result: e}}, {{result: f}}]
        events: [{{at: 5, rerun: {{task: a, reset: {reset}}}}}]
        """,
    )
    assert (ran.state, ran.runs("a"), ran.task("a")["result"]) == ("SUCCESS", runs, result)


def test_a_rerun_of_items_keeps_to_the_concurrency(play):
    ran = play(
        "wf: {tasks: {a: {with-items: 'i in [1, 2, 3, 4]', action: some.action i=<% $.i %>, concurrency: 1}}}",
        script="""
        actions:
          - action: some.action
            answers: [{error: a}, {error: b}, {error: c}, {result: d}, {result: e, delay: 1}, {result: f, delay: 1},
                      {result: g, delay: 1}]
        events: [{at: 5, rerun: {task: a, reset: false}}]
        """,
    )
    assert (ran.state, ran.task("a")["result"]) == ("SUCCESS", ["e", "f", "g", "d"])
    flying = peak = 0
    for output in ran.runner.outputs:
        if output.value.get("kind") == "ACTION":
            flying += 1 if output.value["state"] == "RUNNING" else -1
            peak = max(peak, flying)
    assert peak == 1


def test_a_rerun_of_what_succeeded_is_nothing(play):
    ran = play("wf: {tasks: {a: {action: std.noop}}}", script="{events: [{at: 5, rerun: {task: a}}]}")
    assert ran.told("EXECUTION", "wf") == ["RUNNING", "SUCCESS"]


def test_a_skipped_task_goes_on_as_on_skip_says(play):
    ran = play(
        """
        wf:
          tasks:
            a:
              action: std.fail
              publish-on-skip: {s: 1}
              on-skip: b
              on-success: c
            b: {publish: {seen: <% $.s %>}}
            c: {action: std.noop}
        """,
        script="{events: [{at: 2, skip: {task: a}}]}",
    )
    assert (ran.state, ran.tasks) == ("SUCCESS", {"a": "SKIPPED", "b": "SUCCESS"})
    assert (ran.task("a")["state_info"], ran.task("b")["published"]) == ("Task was skipped.", {"seen": 1})


@pytest.mark.parametrize("clause", ["on-success: c", "on-success: c, on-skip: [{b: <% false %>}]"])
def test_a_skipped_task_without_a_way_on_skip_takes_on_success(play, clause):
    ran = play(
        f"wf: {{tasks: {{a: {{action: std.fail, {clause}}}, b: {{action: std.noop, on-success: c}}, c: {{action: std.noop}}}}}}"
        if "on-skip" in clause
        else f"wf: {{tasks: {{a: {{action: std.fail, {clause}}}, c: {{action: std.noop}}}}}}",
        script="{events: [{at: 2, skip: {task: a}}]}",
    )
    assert (ran.state, ran.tasks["c"]) == ("SUCCESS", "SUCCESS")


def test_the_same_command_twice_is_carried_out_once(play):
    ran = play(
        RERUN,
        script="""
        actions: [{action: some.action, answers: [{error: no}, {error: no}, {result: 2}]}]
        events:
          - {at: 5, rerun: {task: b, id: the-same}}
          - {at: 6, rerun: {task: b, id: the-same}}
        """,
    )
    assert (ran.state, ran.runs("b")) == ("ERROR", 2)


def test_items_are_completed_from_outside_one_by_one(play):
    ran = play(
        "wf: {tasks: {a: {with-items: 'i in [1, 2]', action: std.async_noop}}}",
        script="{events: [{at: 1, complete: {task: a, result: x}}, {at: 2, complete: {task: a, result: y}}]}",
    )
    assert (ran.state, ran.task("a")["result"]) == ("SUCCESS", ["x", "y"])


def test_tasks_in_every_state_go_on_after_a_resume(play):
    ran = play(
        """
        wf:
          tasks:
            done: {on-success: after}
            slow: {action: std.echo output=1 delay=5, on-success: after}
            late: {action: std.echo output=1 delay=20, on-success: after}
            waits: {action: std.echo output=1, wait-before: 5, on-success: after}
            again: {action: some.action, retry: {count: 1, delay: 5}, on-success: after}
            held: {action: std.noop, pause-before: true, on-success: after}
            after: {join: all}
        """,
        script="""
        actions: [{action: some.action, answers: [{error: no}, {result: yes}]}]
        events: [{at: 10, resume: true}]
        """,
    )
    assert (ran.state, set(ran.tasks.values()), ran.count("after")) == ("SUCCESS", {"SUCCESS"}, 1)


def test_a_cancelled_child_among_items_cancels_whatever_fails_later(play):
    ran = play(
        """
        wf: {tasks: {many: {with-items: 'i in [1, 2]', workflow: sub i=<% $.i %>}}}
        sub: {input: [i], tasks: {t: {action: some.action i=<% $.i %>}}}
        """,
        script="""
        actions: [{action: some.action, answers: [{error: no, delay: 9}], repeat_last: true}]
        events: [{at: 1, cancel: x}]
        """,
    )
    assert (ran.state, ran.tasks) == ("CANCELLED", {"many": "CANCELLED"})
