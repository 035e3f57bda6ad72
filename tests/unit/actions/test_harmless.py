"""Actions that a dry run may really run, and those that it must not."""

from __future__ import annotations

import pytest

from pipeline.actions.harmless import perform_harmless
from pipeline.workflow.answers import Answer


@pytest.mark.parametrize(
    ("action", "given", "answer"),
    [
        ("std.echo", {"output": 5}, Answer("SUCCESS", 5)),
        ("std.echo", {"output": 5, "delay": 60}, Answer("SUCCESS", 5, 60)),
        ("std.noop", {}, Answer("SUCCESS", None)),
        ("std.fail", {"error_data": {"why": 1}}, Answer("ERROR", {"why": 1})),
        ("std.sleep", {"seconds": 3600}, Answer("SUCCESS", None, 3600)),
        ("std.async_noop", {}, Answer(never=True)),
        ("std.js", {"script": "return 1 + 1"}, Answer("SUCCESS", 2)),
    ],
)
def test_what_has_no_effect_outside_is_run_without_waiting(action, given, answer):
    assert perform_harmless(action, given) == answer


@pytest.mark.parametrize(
    ("action", "given"),
    [
        ("std.http", {"url": "http://example.org"}),
        ("nova.servers_migrate", {"server": "x"}),
        ("nobody.knows", {}),
    ],
)
def test_what_reaches_outside_is_not_run(action, given):
    assert perform_harmless(action, given) is None


def test_a_wrong_input_is_the_definitions_fault():
    answer = perform_harmless("std.echo", {"nonsense": 1})
    assert answer is not None
    assert (answer.state, answer.refused) == ("ERROR", True)
    assert "nonsense" in answer.result
