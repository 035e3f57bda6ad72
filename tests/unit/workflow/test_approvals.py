# ruff: noqa: E501 - a row of a table stands on one line.
"""Approvals: whom they wait for, who decides, and what happens when nobody does."""

from __future__ import annotations

import pytest

WF = """
wf:
  output-on-error: {{r: <% task(ask).result %>}}
  tasks:
    ask:
      action: std.approval
      input: {{{given}}}
      publish: {{r: <% task().result %>}}
      on-success: act
    act: {{action: std.noop}}
"""


def asked(play, given, *events, until=None, script=""):
    text = script or f"events: [{', '.join(events)}]" if events or script else ""
    return play(WF.format(given=given), script=text, until=until)


def test_it_waits_for_a_role_and_tells_who_decided(play):
    waiting = asked(play, "role: operator, message: 'Shall I?'")
    assert (waiting.state, waiting.tasks, waiting.actions()) == ("RUNNING", {"ask": "RUNNING"}, [])
    ran = asked(play, "role: operator", "{at: 3, approve: {as: operator, comment: fine}}")
    assert (ran.state, ran.tasks) == ("SUCCESS", {"ask": "SUCCESS", "act": "SUCCESS"})
    result = ran.task("ask")["published"]["r"]
    decision = {
        "role": "operator",
        "approved": True,
        "by": None,
        "at": "2000-01-01T00:00:03.000000Z",
        "comment": "fine",
    }
    assert result == {"approved": True, "how": "decided", "decisions": [decision]}
    assert ran.told("APPROVAL", "ask") == ["APPROVED"]


@pytest.mark.parametrize(
    ("given", "events", "state", "info"),
    [
        ("roles: [a, b]", ["{at: 1, approve: a}"], "RUNNING", None),
        ("roles: [a, b]", ["{at: 1, approve: a}", "{at: 2, approve: a}"], "RUNNING", None),
        ("roles: [a, b]", ["{at: 1, approve: a}", "{at: 2, approve: b}"], "SUCCESS", None),
        ("roles: [a, b], needed: 1", ["{at: 1, approve: b}"], "SUCCESS", None),
        ("roles: [a, b, c], needed: 2", ["{at: 1, approve: b}", "{at: 2, approve: c}"], "SUCCESS", None),
        ("roles: [a, b]", ["{at: 1, approve: a}", "{at: 2, approve: {as: b, reject: true, comment: not now}}"], "ERROR", "Rejected by b: not now"),
        # Who does not say for whom speaks for the only role that is still waited for.
        ("roles: [a]", ["{at: 1, approve: true}"], "SUCCESS", None),
        ("roles: [a, b]", ["{at: 1, approve: true}"], "RUNNING", None),
        ("roles: [a, b]", ["{at: 1, approve: a}", "{at: 2, approve: true}"], "SUCCESS", None),
        ("roles: [a]", ["{at: 1, approve: z}"], "RUNNING", None),
        ("roles: [a], timeout: 10", [], "ERROR", "Rejected: nobody decided within 10 s"),
        ("roles: [a], timeout: 10, otherwise: approve", [], "SUCCESS", None),
        ("roles: [a], timeout: 10", ["{at: 9, approve: a}"], "SUCCESS", None),
        ("roles: [a], timeout: 10", ["{at: 11, approve: a}"], "ERROR", "Rejected: nobody decided within 10 s"),
        ("roles: [a], timeout: 10, otherwise: escalate, escalate_to: boss", ["{at: 15, approve: boss}"], "SUCCESS", None),
        ("roles: [a], timeout: 10, otherwise: escalate, escalate_to: boss", ["{at: 15, approve: a}"], "ERROR", "Rejected: nobody decided within 10 s"),
        ("roles: [a], timeout: 10, otherwise: escalate, escalate_to: boss", ["{at: 5, approve: boss}"], "ERROR", "Rejected: nobody decided within 10 s"),
    ],
)  # fmt: skip
def test_decisions(play, given, events, state, info):
    ran = asked(play, given, *events)
    tasks = {"RUNNING": "RUNNING", "SUCCESS": "SUCCESS", "ERROR": "ERROR"}
    assert (ran.state, ran.tasks["ask"]) == (state, tasks[state])
    if info:
        assert ran.task("ask")["state_info"] == info


def test_what_the_time_limit_did_is_told(play):
    ran = asked(play, "roles: [a], timeout: 10, otherwise: escalate, escalate_to: [boss]")
    assert ran.told("APPROVAL", "ask") == ["ESCALATED", "REJECTED"]
    assert ran.output["r"] == {"approved": False, "how": "timeout", "decisions": []}


def test_a_word_that_nobody_waits_for_is_told_as_refused(play):
    ran = asked(play, "roles: [a, b]", "{at: 1, approve: z}", "{at: 2, approve: true}")
    told = [out.value for out in ran.runner.outputs if out.value.get("kind") == "APPROVAL"]
    assert [(step["state"], step["state_info"]) for step in told] == [("REFUSED", "waits for: a, b")] * 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("message: hello", "roles is the name of a role"),
        ("roles: []", "roles is the name of a role"),
        ("role: a, otherwise: shrug", "otherwise is reject, approve, escalate"),
        ("role: a, otherwise: approve", "otherwise: approve needs a timeout"),
        ("role: a, otherwise: escalate, timeout: 1", "escalate_to is the name of a role"),
        ("role: a, needed: 2", "needed is a number from 1 to 1"),
        ("role: a, timeout: soon", "timeout must be a number"),
        ("role: a, rolls: b", "has no input 'rolls'"),
    ],
)
def test_wrong_inputs_fail_the_execution(play, given, message):
    ran = asked(play, given)
    assert (ran.state, message in str(ran.info)) == ("ERROR", True), ran.info


def test_a_script_may_answer(play):
    ran = asked(
        play,
        "role: a",
        script="{actions: [{action: std.approval, answers: [{result: {approved: true}, delay: 5}]}]}",
    )
    assert (ran.state, ran.task("ask")["published"]) == ("SUCCESS", {"r": {"approved": True}})
    ran = asked(play, "role: a", script="{actions: [{action: std.approval, answers: [{error: 'no'}]}]}")
    assert (ran.state, ran.task("ask")["state_info"]) == ("ERROR", "no")


def test_each_item_is_decided_by_itself(play):
    ran = play(
        """wf: {tasks: {ask: {with-items: 'r in ["a", "b"]', action: approval role=<% $.r %>}}}""",
        script="events: [{at: 1, approve: b}, {at: 2, approve: {as: a, reject: true}}]",
    )
    assert [run["state"] for run in ran.task("ask")["runs"]] == ["ERROR", "SUCCESS"]


def test_an_approval_within_a_sub_workflow_is_found_from_the_top(play):
    ran = play(
        "wf: {tasks: {call: {workflow: inner}}}\ninner: {tasks: {ask: {action: std.approval role=a}}}",
        script="events: [{at: 1, approve: a}]",
    )
    assert ran.state == "SUCCESS"


def test_a_tasks_own_timeout_ends_the_waiting(play):
    ran = play(
        "wf: {tasks: {ask: {action: std.approval role=a, timeout: 5, on-error: noop}}}",
        script="events: [{at: 6, approve: a}]",
    )
    assert (ran.state, ran.tasks, ran.told("APPROVAL", "ask")) == ("SUCCESS", {"ask": "ERROR"}, [])
    assert not ran.runner.shard.store.lives


def test_an_answer_in_a_pause_counts_and_what_follows_waits_for_the_resume(play):
    events = ["{at: 1, pause: true}", "{at: 2, approve: a}"]
    held = asked(play, "role: a", *events)
    assert (held.state, held.tasks) == ("PAUSED", {"ask": "SUCCESS"})
    assert asked(play, "role: a", *events, "{at: 3, resume: true}").state == "SUCCESS"
