# ruff: noqa: E501 - a row of a table stands on one line.
"""What is accepted, refused and warned about, with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.document import read, read_file
from pipeline.errors import InvalidDocument
from pipeline.resources import shipped
from pipeline.workflow.definition import check, content, load
from pipeline.workflow.inline import split


def findings(text, level="error"):
    document = read(text, "wf.yaml", aliases=False)
    return [finding for finding in check(document) if finding.level == level]


def task(body, before="", after=""):
    return (
        f"version: '2.0'\nwf:\n{before}  tasks:\n    a:\n      {body}\n    b: {{action: std.noop}}\n{after}"
    )


ACCEPTED = [
    "action: std.noop",
    "action: std.echo output=<% $.x %>",
    "workflow: other x=1 y='two words'",
    "publish: {x: 1}",
    "input: {x: 1}\n      action: std.noop",
    "input: <% $.all %>\n      action: std.noop",
    "on-success: b",
    "on-success: [b, fail, noop]",
    "on-success:\n        - b: <% $.x = 1 %>",
    "on-success:\n        - b: '{{ _.x == 1 }}'",
    "on-success:\n        - fail(msg='two words')",
    'on-success:\n        - fail msg="no": <% $.x %>',
    "on-error: {publish: {branch: {x: 1}, global: {y: 2}}, next: [b]}",
    "on-complete: {publish: {branch: {x: 1}}}",
    "on-skip: b",
    "retry: {count: 3, delay: 1}",
    "retry: {count: <% $.n %>, delay: '{{ _.n }}', break-on: <% $.x %>, continue-on: <% $.y %>}",
    "retry: count=3 delay=1 break-on=<% $.x %>",
    "wait-before: 1\n      wait-after: <% $.n %>\n      timeout: 0\n      pause-before: true\n      fail-on: <% $.x %>",
    "with-items: i in [1, 2]",
    "with-items: i in <% $.list %>",
    "with-items: ['i in <% $.list %>', 'j in [\"a\"]']\n      concurrency: 3",
    "keep-result: false\n      safe-rerun: <% $.x %>\n      target: somewhere",
    "description: words\n      tags: [one]",
]

REFUSED = [
    ("action: std.noop\n      workflow: other", "not both"),
    ("action: 5", "text"),
    ("unknown: 1", "no key 'unknown'"),
    ("publish: []", "mapping"),
    ("publish: {}", "mapping"),
    ("input: []\n      action: std.noop", "input"),
    ("retry: {count: 3}", "delay"),
    ("retry: {delay: 3}", "count"),
    ("retry: {count: -1, delay: 1}", "count"),
    ("retry: {count: many, delay: 1}", "count"),
    ("retry: {count: 1, delay: 1, other: 1}", "other"),
    ("retry: {count: 1, delay: 1, break-on: words}", "break-on"),
    ("wait-before: -1", "wait-before"),
    ("wait-before: soon", "wait-before"),
    ("timeout: true", "timeout"),
    ("pause-before: maybe", "pause-before"),
    ("with-items: 5", "with-items"),
    ("with-items: i of [1]", "Wrong format of 'with-items'"),
    ("with-items: i in [a b]", "Invalid array in 'with-items'"),
    ("with-items: i in []", "Invalid array in 'with-items'"),
    ("with-items: ['i in [1]', 'i in [1]']", "with-items"),
    ("join: sometimes", "join"),
    ("join: -1", "join"),
    ("join: all", "No inbound tasks"),
    ("join: 2", "Not enough inbound tasks"),
    ("on-success: c", "Task 'c' not found."),
    ("on-success: []", "transition"),
    ("on-success: [b: maybe]", "guard"),
    ("requires: b", "requires"),
    ("publish: {x: <% $.x( %>}", "YAQL"),
    ("publish: {x: '{{ _.x | }}'}", "Jinja"),
    ("publish: {x: '<% $.x %> {{ _.x }}'}", "mix"),
    ("on-error: {publish: {other: {x: 1}}}", "other"),
    ("description: ''", "description"),
    ("tags: one", "tags"),
    ("tags: [one, one]", "tags"),
]

WARNED = [
    ("on-success: {b: <% $.x %>}", "workflow-on-mapping"),
    ("on-success: {next: {b: <% $.x %>}}", "workflow-on-mapping"),
    ("on-success: {publish: {atomic: {x: 1}}, next: b}", "workflow-atomic"),
    ("action: std.echo output=1\n      input: {output: 2}", "workflow-inline-wins"),
    ("publish: {'<% $.x %>': 1}", "workflow-key-expression"),
    ("action: std.echo output=1 and more", "workflow-inline"),
    ("retry: {count: 1, delay: 1}\n      timeout: 5", "workflow-timeout-retry"),
    ("publish: {x: 1}\n      on-complete: {publish: {branch: {x: 2}}}", "workflow-publish-twice"),
    ("publish: {x: 1}\n      on-success: {publish: {branch: {x: 2}}, next: b}", "workflow-publish-twice"),
    ("publish: {x: 1}\n      on-success: {publish: {global: {y: 2}}, next: b}", "workflow-scopes"),
]


@pytest.mark.parametrize("body", ACCEPTED)
def test_accepted(body):
    assert findings(task(body)) == []


@pytest.mark.parametrize(("body", "words"), REFUSED)
def test_refused_with_the_place(body, words):
    found = findings(task(body))
    assert found
    assert words in " ".join(finding.message for finding in found)
    assert all(finding.line > 1 and finding.column > 1 for finding in found)
    assert str(found[0]).startswith("wf.yaml:")


@pytest.mark.parametrize(("body", "code"), WARNED)
def test_warned(body, code):
    assert findings(task(body)) == []
    assert code in [finding.code for finding in findings(task(body), "warning")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "mapping"),
        ("wf: {tasks: {a: {action: std.noop}}}", "version"),
        ("version: '2.0'", "no workflow"),
        ("version: '2.0'\nwf: {}", "mapping"),
        ("version: '2.0'\nwf: {tasks: {}}", "tasks"),
        ("version: '2.0'\nwf: {tasks: {a: {}}}", "task 'a'"),
        ("version: '2.0'\nwf: {tasks: {a: null}}", "task 'a'"),
        ("version: '2.0'\nwf: {type: sideways, tasks: {a: {action: std.noop}}}", "direct or reverse"),
        ("version: '2.0'\nwf: {input: {a: 1}, tasks: {a: {action: std.noop}}}", "input"),
        ("version: '2.0'\nwf: {input: [a, a], tasks: {a: {action: std.noop}}}", "twice"),
        ("version: '2.0'\nwf: {output: [], tasks: {a: {action: std.noop}}}", "output"),
        (
            "version: '2.0'\nwf: {tasks: {a: {on-success: b}, b: {on-success: a}}}",
            "Failed to find start tasks",
        ),
        ("version: '2.0'\nwf: {type: reverse, tasks: {a: {requires: b}}}", "Task 'b' not found."),
        ("version: '2.0'\nwf: {type: reverse, tasks: {a: {on-success: b}}}", "on-success"),
        ("version: '2.0'\nwf: {task-defaults: {publish: {x: 1}}, tasks: {a: {action: std.noop}}}", "publish"),
        ("version: '2.0'\n12345678-1234-1234-1234-123456789abc: {tasks: {a: {action: std.noop}}}", "UUID"),
        ("version: '2.0'\nname: b\nworkflows: {a b: {tasks: {a: {action: std.noop}}}}", "not a name"),
        ("version: '2.0'\nworkflows: {w: {tasks: {a: {action: std.noop}}}}", "name of a workbook"),
        ("version: '2.0'\nname: b\nother: 1\nworkflows: {w: {tasks: {a: {action: std.noop}}}}", "other"),
        ("version: '2.0'\nact: {base: std.echo, more: 1}", "more"),
    ],
)
def test_documents_that_are_refused(text, words):
    found = findings(text)
    assert words in " ".join(finding.message for finding in found)
    with pytest.raises(InvalidDocument):
        content(read(text, aliases=False))


@pytest.mark.parametrize("text", ["a: &x 1\nb: *x", "a: {<<: {b: 1}}"])
def test_anchors_and_merge_keys_are_refused(text):
    with pytest.raises(InvalidDocument, match="not part of this language"):
        read(text, aliases=False)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("version: '2.0'\nwf: {other: 1, tasks: {a: {action: std.noop}}}", "workflow-key"),
        (
            "version: '2.0'\nwf: {input: [{a: <% 1 %>}], tasks: {a: {action: std.noop}}}",
            "workflow-default-expression",
        ),
        (
            "version: '2.0'\nwf: {tasks: {a: {on-success: fail}, fail: {action: std.noop}}}",
            "workflow-command-name",
        ),
    ],
)
def test_documents_that_are_warned_about(text, code):
    assert findings(text) == []
    assert code in [finding.code for finding in findings(text, "warning")]


@pytest.mark.parametrize(
    ("line", "name", "parameters"),
    [
        ("std.noop", "std.noop", {}),
        ("std.echo output=1", "std.echo", {"output": 1}),
        ("std.echo output=1.5 x=-2", "std.echo", {"output": 1.5, "x": -2}),
        ("a x=\"two words\" y='it is'", "a", {"x": "two words", "y": "it is"}),
        ("a x=true y=null z=False", "a", {"x": True, "y": None, "z": False}),
        ("a x=<% $.a + 1 %> y={{ _.b }}", "a", {"x": "<% $.a + 1 %>", "y": "{{ _.b }}"}),
        ('a x=[1, 2, "b"]', "a", {"x": [1, 2, "b"]}),
        ("a x=bare", "a", {"x": "bare"}),
        ("a x = 1", "a", {"x": 1}),
        ("fail(msg='no luck')", "fail", {"msg": "no luck"}),
        ("<% $.name %> x=1", "<% $.name %>", {"x": 1}),
        ("std.<% $.name %> x=1", "std.<% $.name %>", {"x": 1}),
    ],
)
def test_parameters_on_the_line(line, name, parameters):
    assert split(line) == (name, parameters, "")


def test_a_workbook_names_what_it_holds():
    found = content(
        read(
            "version: '2.0'\nname: book\n"
            "workflows: {w: {tasks: {a: {action: act}}}}\nactions: {act: {base: std.noop}}",
            aliases=False,
        )
    )
    assert ([each.name for each in found.workflows], [each.name for each in found.actions]) == (
        ["book.w"],
        ["book.act"],
    )


PLAYBOOKS = sorted(path for path in shipped("playbooks").glob("*.yaml") if ".test." not in path.name)


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.name)
def test_shipped_playbooks_are_without_findings(path: Path):
    if path.name.endswith(".test.yaml"):
        return
    document = read_file(path, aliases=False)
    assert check(document) == []
    assert load(document)
