"""Where variables come from, where they go, and which one wins."""

from __future__ import annotations

import pytest


def test_publish_in_all_three_places(play):
    ran = play(
        """
        wf:
          tasks:
            a:
              publish: {one: p, two: p}
              on-success: {publish: {branch: {one: s, three: s}, global: {g1: s}}, next: b}
              on-complete: {publish: {branch: {two: c, four: c}, global: {g2: c}}}
            b: {publish: {seen: "<% $.one %><% $.two %><% $.three %><% $.four %><% $.g1 %><% $.g2 %>"}}
        """
    )
    assert ran.task("a")["published"] == {"one": "p", "two": "c", "three": "s", "four": "c"}
    assert ran.task("b")["published"] == {"seen": "pcscsc"}


def test_on_error_publishes_in_its_state_only(play):
    ran = play(
        """
        wf:
          tasks:
            a:
              action: std.fail
              publish: {p: 1}
              publish-on-error: {q: 1}
              on-error: {publish: {branch: {also: 2}}, next: [b]}
            b: {action: std.noop}
        """
    )
    assert (ran.state, ran.task("a")["published"]) == ("SUCCESS", {"q": 1, "also": 2})


def test_branch_variables_hide_globals_and_global_goes_past_them(play):
    ran = play(
        """
        wf:
          vars: {v: global}
          tasks:
            a: {publish: {v: branch}, on-success: b}
            b: {publish: {seen: <% $.v %>, past: <% global(v) %>}}
            c: {action: std.echo output=1 delay=1, publish: {other: <% $.v %>}}
        """
    )
    assert ran.task("b")["published"] == {"seen": "branch", "past": "global"}
    assert ran.task("c")["published"] == {"other": "global"}


def test_a_global_published_over_a_dict_is_kept(play):
    ran = play(
        """
        wf:
          tasks:
            a: {on-success: {publish: {global: {g: {x: 1}}}, next: b}}
            b: {on-success: {publish: {global: {g: {x: 2, y: 3}}}, next: c}}
            c: {publish: {seen: <% $.g %>}}
        """
    )
    assert ran.task("c")["published"] == {"seen": {"x": 2, "y": 3}}


def test_globals_reach_other_branches(play):
    ran = play(
        """
        wf:
          tasks:
            a: {on-success: {publish: {global: {g: 1}}, next: noop}}
            b: {action: std.echo output=1 delay=1, publish: {seen: <% $.g %>}}
        """
    )
    assert ran.task("b")["published"] == {"seen": 1}


def test_publishing_the_same_structure_again_replaces_it(play):
    ran = play(
        "wf: {tasks: {a: {publish: {d: {x: 1, y: 1}}, on-success: b}, b: {publish: {d: {x: 2}}}}}",
    )
    assert ran.output == {"d": {"x": 2}}


def test_input_defaults_are_texts_and_are_not_evaluated(play):
    ran = play("wf: {input: [{b: <% 1 + 1 %>}], output: {b: <% $.b %>}, tasks: {t: {action: std.noop}}}")
    assert ran.output == {"b": "<% 1 + 1 %>"}


def test_vars_are_evaluated_over_the_input(play):
    ran = play(
        "wf: {input: [a], vars: {v: <% $.a + 1 %>}, output: {v: <% $.v %>}, tasks: {t: {action: std.noop}}}",
        {"a": 1},
    )
    assert ran.output == {"v": 2}


def test_published_beats_input_and_vars(play):
    ran = play(
        """
        wf:
          input: [v]
          output: {v: <% $.v %>}
          tasks: {t: {publish: {v: published}}}
        """,
        {"v": "input"},
    )
    assert ran.output == {"v": "published"}


def test_inline_parameters_win_over_input(play):
    ran = play("wf: {tasks: {t: {action: std.echo output=line, input: {output: block}}}}")
    assert ran.task("t")["result"] == "line"


def test_the_whole_input_may_be_an_expression(play):
    ran = play("wf: {vars: {i: {output: whole}}, tasks: {t: {action: std.echo, input: <% $.i %>}}}")
    assert ran.task("t")["result"] == "whole"


def test_the_name_of_the_action_may_be_an_expression(play):
    ran = play("wf: {input: [n], tasks: {t: {action: std.<% $.n %> output=1}}}", {"n": "echo"})
    assert (ran.state, ran.task("t")["result"]) == ("SUCCESS", 1)


@pytest.mark.parametrize("expression", ["<% env().key %>", "{{ env().key }}"])
def test_the_environment(play, expression):
    ran = play(f'wf: {{output: {{k: "{expression}"}}, tasks: {{t: {{action: std.noop}}}}}}', env={"key": "v"})
    assert ran.output == {"k": "v"}


def test_the_environment_is_evaluated_and_sees_itself(play):
    text = "wf: {output: {k: <% env().b %>}, tasks: {t: {action: std.noop}}}"
    assert play(text, env={"a": 1, "b": "<% env().a + 1 %>"}).output == {"k": 2}
    kept = play(text, env={"a": 1, "b": "<% env().a + 1 %>"}, evaluate_env=False)
    assert kept.output == {"k": "<% env().a + 1 %>"}


def test_defaults_of_actions_from_the_environment(play):
    ran = play(
        "wf: {tasks: {t: {action: some.action b=2}}}",
        script="[{action: some.action, answers: [{result: 1}]}]",
        env={"__actions": {"some.action": {"a": "<% env().who %>", "b": 1}}, "who": "me"},
    )
    assert ran.actions() == [("some.action", {"a": "me", "b": 2})]


def test_what_task_tells(play):
    ran = play(
        """
        wf:
          output:
            t: <% task(a) %>
            none: <% task(nobody) %>
            names: <% tasks().select($.name) %>
            failed: <% tasks(state => ERROR).select($.name) %>
          tasks:
            a: {action: std.fail, on-error: b, publish-on-error: {p: 1}}
            b: {action: std.noop}
        """
    )
    told = ran.output["t"]
    assert {key: told[key] for key in ("name", "state", "published", "type")} == {
        "name": "a",
        "state": "ERROR",
        "published": {"p": 1},
        "type": "ACTION",
    }
    assert set(told) == {
        "id", "name", "spec", "state", "state_info", "result", "published", "type", "workflow_execution_id",
        "created_at", "updated_at",
    }  # fmt: skip
    assert (ran.output["none"], ran.output["names"], ran.output["failed"]) == (None, ["a", "b"], ["a"])


def test_what_execution_tells(play):
    ran = play("wf: {input: [x], output: {e: <% execution() %>}, tasks: {t: {action: std.noop}}}", {"x": 1})
    told = ran.output["e"]
    assert (told["name"], told["input"], told["id"]) == ("wf", {"x": 1}, "root-1")


def test_a_large_result_is_carried_and_told_by_its_place(play):
    ran = play(
        "wf: {output: {n: <% task(t).result.len() %>}, tasks: {t: {action: some.action}}}",
        script=f"[{{action: some.action, answers: [{{result: {'x' * 100_000}}}]}}]",
    )
    assert (ran.state, ran.output) == ("SUCCESS", {"n": 100_000})
    told = [output.value for output in ran.runner.outputs if output.value.get("kind") == "TASK"][-1]
    assert told["result"]["reference"][0] == "workflow.commands"
    assert ran.task("t")["result"] == "x" * 100_000


def test_a_result_that_no_record_can_hold_is_the_tasks_error(play):
    ran = play(
        "wf: {tasks: {t: {action: some.action, on-error: noop}}}",
        script=f"[{{action: some.action, answers: [{{result: {'x' * 1_000_000}}}]}}]",
    )
    assert (ran.state, ran.tasks) == ("SUCCESS", {"t": "ERROR"})
    assert "a record holds" in ran.task("t")["state_info"]


def test_keys_and_values_that_json_does_not_know_are_made_fit(play):
    ran = play("wf: {input: [{d: 2026-01-05}], tasks: {t: {publish: {1: {yes: 2026-01-05}, n: <% $.d %>}}}}")
    assert ran.output == {"1": {"true": "2026-01-05"}, "n": "2026-01-05"}
