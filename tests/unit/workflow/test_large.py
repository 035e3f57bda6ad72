"""Large workflows: long chains, wide forks, many levels of joins."""

from __future__ import annotations

import pytest


def wide(branches: int, task: str, dead: int = -1) -> str:
    """A fork into ``branches`` of two tasks each that meet again; the second of one may fail."""
    names = ", ".join(f"a{n}" for n in range(branches))
    lines = [f"    a{n}: {{on-success: b{n}}}" for n in range(branches)]
    lines += [
        f"    b{n}: {{{'action: std.fail, on-success: j' if n == dead else task}}}" for n in range(branches)
    ]
    return "\n".join(
        ["wf:", "  tasks:", f"    start: {{on-success: [{names}]}}", *lines, "    j: {join: all}"]
    )


def test_a_chain_of_200_tasks(play):
    chain = "\n".join(f"    t{n}: {{publish: {{n: {n}}}, on-success: t{n + 1}}}" for n in range(200))
    ran = play(f"wf:\n  output: {{n: <% $.n %>}}\n  tasks:\n{chain}\n    t200: {{action: std.noop}}\n")
    assert (ran.state, ran.output, len(ran.tasks)) == ("SUCCESS", {"n": 199}, 201)


@pytest.mark.parametrize(
    ("text", "state", "joined"),
    [
        (wide(300, "on-success: j"), "SUCCESS", "SUCCESS"),
        (wide(300, "action: std.fail, on-error: noop, on-complete: j"), "SUCCESS", "SUCCESS"),
        (wide(300, "on-success: j", dead=150), "ERROR", "ERROR"),
    ],
    ids=["all succeed", "all fail", "one is dead"],
)
def test_a_fork_of_300_meets_in_a_join(play, text, state, joined):
    ran = play(text)
    assert (ran.state, ran.tasks["j"], ran.count("j")) == (state, joined, 1)
    assert ran.told("EXECUTION", "wf") == ["RUNNING", state]


def test_ten_levels_of_joins(play):
    levels = "\n".join(
        f"    {name}{n}: {{on-success: j{n}}}" for n in range(10) for name in "abc"
    ) + "\n".join(
        ["", *(f"    j{n}: {{join: all, on-success: [a{n + 1}, b{n + 1}, c{n + 1}]}}" for n in range(9))]
    )
    ran = play(f"wf:\n  tasks:\n    start: {{on-success: [a0, b0, c0]}}\n{levels}\n    j9: {{join: all}}\n")
    assert (ran.state, len(ran.tasks)) == ("SUCCESS", 41)
