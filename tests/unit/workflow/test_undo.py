# ruff: noqa: E501 - a row of a table stands on one line.
"""Compensation: what is undone, in which order, and what an undo that fails leaves."""

from __future__ import annotations

import pytest

from pipeline.document import read
from pipeline.workflow.definition import check

LINE = """
wf:
  tasks:
    a: {action: do.a, publish: {x: <% task().result %>}, compensate: undo.a x=<% $.x %>, on-success: b}
    b: {action: do.b, compensate: {action: undo.b, input: {r: <% task(b).result %>}}, on-success: c}
    c: {action: do.c, compensate: undo.c}
"""


def script(events="", **answers):
    """Answers by action (its dot as _): ``do_a='{result: 1}'``; what is left out gives 1."""
    names = {f"do.{name}": "{result: 1}" for name in "abc"} | {
        f"undo.{name}": "{result: 0}" for name in "abc"
    }
    names |= {name.replace("_", "."): answer for name, answer in answers.items()}
    actions = ", ".join(f"{{action: {name}, answers: [{answer}]}}" for name, answer in names.items())
    return f"{{actions: [{actions}], events: [{events}]}}"


def calls(ran):
    return [name for name, _ in ran.actions()]


def test_what_was_done_is_undone_the_last_first(play):
    ran = play(LINE, script=script(do_c="{error: broken}"))
    assert calls(ran) == ["do.a", "do.b", "do.c", "undo.b", "undo.a"]
    assert dict(ran.actions())["undo.a"] == {"x": 1}
    assert dict(ran.actions())["undo.b"] == {"r": 1}
    assert (ran.state, ran.told("EXECUTION", "wf")) == ("ERROR", ["RUNNING", "UNDOING", "ERROR"])
    assert "c [task_ex_id" in ran.info
    last = [out.value for out in ran.runner.outputs if out.value.get("kind") == "EXECUTION"][-1]
    assert last["undone"] == ["b", "a"]
    assert ran.info.endswith("\nUndone: b, a")
    assert ran.tasks == {
        "a": "SUCCESS",
        "b": "SUCCESS",
        "c": "ERROR",
        "b.undo": "SUCCESS",
        "a.undo": "SUCCESS",
    }


def test_nothing_is_undone_where_all_went_well_or_the_error_was_handled(play):
    ran = play(LINE, script=script())
    assert (ran.state, calls(ran)) == ("SUCCESS", ["do.a", "do.b", "do.c"])
    ran = play(LINE.replace("compensate: undo.c", "on-error: noop"), script=script(do_c="{error: x}"))
    assert (ran.state, calls(ran)) == ("SUCCESS", ["do.a", "do.b", "do.c"])


def test_an_undo_that_fails_is_an_error_with_both_reasons(play):
    ran = play(LINE, script=script(do_c="{error: broken}", undo_b="{error: stuck}"))
    assert calls(ran)[3:] == ["undo.b"]
    assert ran.state == "ERROR"
    assert "broken" in ran.info
    assert "Compensation of b failed: b.undo -> stuck" in ran.info
    assert "Not undone: a" in ran.info
    assert ran.output["result"] == ran.info


def test_an_undo_has_policies_of_its_own(play):
    text = LINE.replace("{action: undo.b,", "{action: undo.b, retry: {count: 2, delay: 5},")
    ran = play(text, script=script(do_c="{error: broken}", undo_b="{error: stuck}, {result: 0}"))
    assert calls(ran)[3:] == ["undo.b", "undo.b", "undo.a"]
    assert (ran.state, "Compensation" in ran.info) == ("ERROR", False)


@pytest.mark.parametrize(
    ("event", "state", "undone"),
    [
        ("cancel: {undo: true, message: enough}", "CANCELLED", ["undo.a"]),
        ("cancel: enough", "CANCELLED", []),
        ("stop: ERROR", "ERROR", []),
        ("stop: {state: ERROR, undo: true}", "ERROR", ["undo.a"]),
    ],
)
def test_operators_say_whether_it_is_undone(play, event, state, undone):
    text = LINE.replace(
        "action: do.b, compensate: {action: undo.b, input: {r: <% task(b).result %>}}", "action: do.b"
    )
    ran = play(text, script=script(f"{{at: 1, {event}}}", do_b="{never: true}"))
    assert (ran.state, calls(ran)[2:]) == (state, undone)


def test_what_runs_when_it_is_cancelled_is_undone_too(play):
    ran = play(LINE, script=script("{at: 1, cancel: {undo: true}}", do_b="{result: 1, delay: 5}"))
    assert (ran.state, calls(ran)) == ("CANCELLED", ["do.a", "do.b", "undo.b", "undo.a"])


def test_what_never_ends_holds_it_up_until_a_second_cancel(play):
    one = "{at: 1, cancel: {undo: true}}"
    assert play(LINE, script=script(one, do_b="{never: true}")).state == "UNDOING"
    ran = play(LINE, script=script(f"{one}, {{at: 2, cancel: over}}", do_b="{never: true}"))
    assert (ran.state, ran.info, calls(ran)) == ("CANCELLED", "over", ["do.a", "do.b"])


def test_a_cancelled_undo_that_fails_is_an_error(play):
    ran = play(
        LINE,
        script=script(
            "{at: 1, cancel: {undo: true, message: why}}",
            do_c="{result: 1, delay: 3}",
            undo_c="{error: nope}",
        ),
    )
    assert ran.state == "ERROR"
    assert ran.info == "why\nCompensation of c failed: c.undo -> nope\nNot undone: b, a"


def test_a_task_may_be_the_undo_of_another(play):
    text = """
    wf:
      tasks:
        a: {action: do.a, compensate: back, on-success: b}
        b: {action: do.b}
        back: {action: undo.a, on-success: b}
    """
    ran = play(text, script=script(do_b="{error: x}"))
    assert (ran.state, calls(ran)) == ("ERROR", ["do.a", "do.b", "undo.a"])
    assert play(text, script=script()).tasks == {"a": "SUCCESS", "b": "SUCCESS"}


def test_a_bad_expression_in_an_undo_is_its_failure(play):
    ran = play(LINE.replace("x=<% $.x %>", "x=<% $.none %>"), script=script(do_c="{error: broken}"))
    assert (ran.state, calls(ran)[3:]) == ("ERROR", ["undo.b"])
    assert "Compensation of a failed" in ran.info


def test_a_forced_failure_and_the_command_fail_undo_as_well(play):
    for rest in ("on-success: fail", "on-success: [{b: <% $.none %>}]"):
        text = f"wf: {{tasks: {{a: {{action: do.a, compensate: undo.a, on-success: m}}, m: {{{rest}}}, b: {{}}}}}}"
        text = (
            text.replace(", b: {}", ", b: {action: std.noop, join: all}")
            if "b:" in rest
            else text.replace(", b: {}", "")
        )
        ran = play(text, script=script())
        assert (ran.state, calls(ran)) == ("ERROR", ["do.a", "std.noop", "undo.a"])


SUB = """
wf:
  tasks:
    first: {action: do.a, compensate: undo.a, on-success: call}
    call: {workflow: inner, compensate: undo.b}
inner:
  tasks:
    one: {action: do.b, compensate: undo.c, on-success: two}
    two: {action: do.c}
"""


def test_a_sub_workflow_undoes_itself_before_the_one_above(play):
    ran = play(SUB, script=script(do_c="{error: x}"))
    assert (ran.state, calls(ran)[3:]) == ("ERROR", ["undo.c", "undo.a"])
    ran = play(SUB, script=script("{at: 1, cancel: {undo: true}}", do_c="{never: true}"))
    assert (ran.state, calls(ran)[3:]) == ("CANCELLED", ["undo.c", "undo.a"])
    assert ran.told("EXECUTION", "inner") == ["RUNNING", "UNDOING", "CANCELLED"]


def test_a_sub_workflow_that_succeeded_is_undone_by_its_tasks_undo(play):
    text = SUB.replace("compensate: undo.b}", "compensate: undo.b, on-success: fail}")
    ran = play(text, script=script())
    assert (ran.state, calls(ran)[3:]) == ("ERROR", ["undo.b", "undo.a"])


def test_waiting_tasks_do_not_begin_while_it_is_undone(play):
    text = """
    wf:
      tasks:
        a: {action: do.a, compensate: undo.a, wait-after: 60}
        b: {action: do.b, wait-before: 30}
        c: {action: std.noop, on-success: fail}
    """
    ran = play(text, script=script(undo_a="{result: 0, delay: 90}"))
    assert ran.state == "ERROR"
    # c fails it before a has done anything; a is waited for, and then undone.
    assert (calls(ran)[0], calls(ran)[-1], "do.b" in calls(ran)) == ("do.a", "undo.a", False)


def test_what_was_undone_is_not_run_again(play):
    ran = play(
        LINE, script=script("{at: 60, rerun: {task: c}}, {at: 61, skip: {task: c}}", do_c="{error: broken}")
    )
    assert (ran.state, calls(ran).count("do.c")) == ("ERROR", 1)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("[]", "compensate must be a mapping"),
        ("{input: {x: 1}}", "compensate names a task, or has action: or workflow:"),
        ("{action: undo.a, on-success: b}", "compensate has no key 'on-success'"),
        ("a", "a task cannot be its own undo"),
        ("undo.a x=<% $. %>", "YAQL"),
    ],
)
def test_what_is_no_undo_is_refused(written, message):
    text = f"version: '2.0'\nwf:\n  tasks:\n    a:\n      action: do.a\n      compensate: {written}\n"
    found = [each for each in check(read(text, aliases=False)) if each.level == "error"]
    assert any(message in each.message for each in found), found
    assert all(each.line == 6 for each in found)
