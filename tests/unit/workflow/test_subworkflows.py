# ruff: noqa: E501 - a row of a table stands on one line.
"""Sub-workflows: their input, their result, and how control passes up and down."""

from __future__ import annotations

import pytest

PAIR = """
wf:
  tasks:
    call: {workflow: sub x=1, publish: {got: <% task().result %>}, on-success: after, on-error: mend}
    after: {action: std.noop}
    mend: {action: std.noop}
sub:
  input: [x, {d: 5}]
  output: {y: <% $.x + $.d %>}
  tasks:
    t: {action: some.action}
"""


def answered(*answers):
    return f"[{{action: some.action, answers: [{', '.join(answers)}]}}]"


def test_the_output_is_the_result(play):
    ran = play(PAIR, script=answered("{result: 1}"))
    assert (ran.state, ran.task("call")["published"]) == ("SUCCESS", {"got": {"y": 6}})
    inner = ran.task("call")["execution"]
    assert (inner["workflow"], inner["state"], inner["input"], inner["output"]) == (
        "sub",
        "SUCCESS",
        {"x": 1, "d": 5},
        {"y": 6},
    )
    assert ran.runner.shard.store.lives == {}


def test_an_error_below_is_an_error_of_the_task(play):
    ran = play(PAIR, script=answered("{error: broken}"))
    assert (ran.state, ran.tasks) == ("SUCCESS", {"call": "ERROR", "mend": "SUCCESS"})
    assert "Failure caused by error in tasks: t" in ran.task("call")["state_info"]


@pytest.mark.parametrize(
    ("call", "info"),
    [
        ("nobody", "Workflow not found [name=nobody]"),
        ("sub", "missing=['x']"),
    ],
)
def test_what_cannot_be_called_is_an_ordinary_error(play, call, info):
    ran = play(PAIR.replace("sub x=1", call))
    assert (ran.state, ran.tasks) == ("SUCCESS", {"call": "ERROR", "mend": "SUCCESS"})
    assert info in ran.task("call")["state_info"]


def test_input_that_is_not_known_below_becomes_a_parameter(play):
    ran = play(
        PAIR.replace("sub x=1", "sub x=1 other=2").replace(
            "{y: <% $.x + $.d %>}", "{p: <% execution().params %>}"
        ),
        script=answered("{result: 1}"),
    )
    assert ran.task("call")["published"] == {"got": {"p": {"namespace": "", "env": {}, "other": 2}}}


def test_name_and_input_may_be_expressions(play):
    ran = play(
        """
        wf:
          input: [name, given]
          tasks: {call: {workflow: <% $.name %>, input: <% $.given %>}}
        sub: {input: [x], output: {y: <% $.x %>}, tasks: {t: {action: std.noop}}}
        """,
        {"name": "sub", "given": {"x": 7}},
    )
    assert ran.task("call")["result"] == {"y": 7}


def test_the_environment_is_always_the_roots(play):
    ran = play(
        """
        wf: {tasks: {call: {workflow: sub, input: {env: {k: child}}}}}
        sub: {output: {k: <% env().k %>}, tasks: {t: {action: std.noop}}}
        """,
        env={"k": "root"},
    )
    assert ran.task("call")["result"] == {"k": "root"}


def test_a_pause_goes_down_and_up_and_so_does_the_resume(play):
    deep = """
    wf: {tasks: {call: {workflow: middle}}}
    middle: {tasks: {call: {workflow: bottom}}}
    bottom: {tasks: {a: {action: std.noop, on-success: [pause, b]}, b: {action: std.noop}}}
    """
    held = play(deep)
    middle = held.task("call")["execution"]
    assert (held.state, middle["state"], middle["tasks"][0]["execution"]["state"]) == (
        "PAUSED",
        "PAUSED",
        "PAUSED",
    )
    ran = play(deep, script="{events: [{at: 1, resume: true}]}")
    assert ran.state == "SUCCESS"


def test_a_cancel_goes_down(play):
    ran = play(
        PAIR,
        script="{actions: [{action: some.action, answers: [{never: true}]}], events: [{at: 1, cancel: x}]}",
    )
    assert (ran.state, ran.task("call")["execution"]["state"]) == ("CANCELLED", "CANCELLED")
    assert ran.tasks == {"call": "CANCELLED"}


def test_a_stop_as_error_does_not_touch_what_is_below(play):
    ran = play(
        PAIR,
        script="{actions: [{action: some.action, answers: [{result: 1, delay: 9}]}], events: [{at: 1, stop: ERROR}]}",
    )
    assert (ran.state, ran.task("call")["execution"]["state"]) == ("ERROR", "SUCCESS")


def test_a_rerun_below_brings_the_parents_back(play):
    text = PAIR.replace(", on-error: mend", "").replace("    mend: {action: std.noop}\n", "")
    first = play(text, script=answered("{error: no}"))
    below = first.task("call")["execution"]["execution_id"]
    ran = play(
        text,
        script=f"""
        actions: [{{action: some.action, answers: [{{error: no}}, {{result: 1}}]}}]
        events: [{{at: 5, rerun: {{task: t, execution: {below}}}}}]
        """,
    )
    assert (ran.state, ran.tasks) == ("SUCCESS", {"call": "SUCCESS", "after": "SUCCESS"})
    assert ran.told("EXECUTION", "wf") == ["RUNNING", "ERROR", "RUNNING", "SUCCESS"]


def test_tasks_of_the_whole_tree(play):
    ran = play(
        """
        wf:
          output:
            all: <% tasks(recursive => true).select($.name) %>
            flat: <% tasks(recursive => true, state => ERROR, flat => true).select($.name) %>
          tasks: {call: {workflow: sub, on-error: noop}}
        sub: {tasks: {t: {action: std.fail}}}
        """
    )
    assert ran.output == {"all": ["call", "t"], "flat": ["t"]}


BOOK = """
name: book
workflows:
  main: {tasks: {call: {workflow: helper}}}
  helper: {output: {from: book}, tasks: {t: {action: say what=hi}}}
actions:
  say: {base: std.echo, base-input: {output: "book <% $.what %>"}, input: [what]}
"""


def test_within_a_workbook_its_own_workflows_and_actions_come_first(play):
    ran = play(
        BOOK,
        workflow="book.main",
        more={"other": "helper: {output: {from: elsewhere}, tasks: {t: {action: std.noop}}}"},
    )
    assert (ran.state, ran.task("call")["result"]) == ("SUCCESS", {"from": "book"})
    assert ran.actions() == [("std.echo", {"output": "book hi"})]


def test_items_that_were_cancelled_together_are_waited_for_together_after_a_rerun(play):
    text = """
    wf: {tasks: {many: {with-items: 'i in [1, 2]', workflow: sub i=<% $.i %>}}}
    sub: {input: [i], tasks: {t: {action: some.action}}}
    """
    never = "{action: some.action, answers: [{never: true}, {never: true}, {result: 1}]}"
    stopped = play(text, script=f"{{actions: [{never}], events: [{{at: 1, cancel: x}}]}}")
    children = [live.record for live in stopped.runner.shard.store.lives.values() if live.record.parent]
    first = children[0].id
    assert [child.state for child in children] == ["CANCELLED", "CANCELLED"]
    task = next(iter(stopped.runner.shard.store.lives[first].tasks.values()))
    assert task.state == "RUNNING"
    # The action of the first one fails after all, and its task is run again.
    runner = stopped.runner
    action = task.running[0]
    place = {"root": "root-1", "execution": first, "task": task.id}
    runner.apply({"command": "RESULT", **place, "action": action, "state": "ERROR", "result": "late"})
    runner.apply({"command": "RERUN", "root": "root-1", "execution": first, "task": "t"})
    runner.advance()
    states = {live.record.id: live.record.state for live in runner.shard.store.lives.values()}
    assert states == {"root-1": "CANCELLED", children[1].id: "CANCELLED"}


def test_keep_result_does_nothing_for_a_sub_workflow(play):
    ran = play(
        """
        wf: {output: {r: <% task(call).result %>}, tasks: {call: {workflow: sub, keep-result: false}}}
        sub: {output: {x: 1}, tasks: {t: {action: std.noop}}}
        """
    )
    assert ran.output == {"r": {"x": 1}}
