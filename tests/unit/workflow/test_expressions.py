"""Expressions: what they give, how they are found, and what a hostile one comes to."""

from __future__ import annotations

import time

import pytest

from pipeline.errors import ExpressionError
from pipeline.workflow.expressions import evaluate, has_expression, is_expression, problem
from pipeline.workflow.scope import Nothing, Scope, Seed, View

DATA = {"a": {"b": [1, {"c": 3}]}, "list": [3, 1], "one": 1, "text": "abc", "none": None}


class Facts(Nothing):
    """A world with one task."""

    def task(self, name):
        return {"name": name, "result": {"status": "VERIFY_RESIZE"}, "state": "SUCCESS"}

    def execution(self):
        return {"id": "e-1"}

    def env(self):
        return {"key": "value"}

    def globals(self):
        return {"shared": 7}


def value(text, seed="record"):
    return evaluate(text, Scope(View(DATA), Facts(), Seed(seed, 1_000_000_000_000_000)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("<% $.a.b[1].c %>", 3),
        ("<% $.a.b %>", [1, {"c": 3}]),
        ("  <% $.one %>\n", 1),
        ("<% $.one\n  + 1 %>", 2),
        ("a <% $.one %> b <% $.none %> <% true %> <% $.list %>", "a 1 b None True [3, 1]"),
        ("<% $ %>", DATA),
        ("<% $.list.orderBy($) %>", [1, 3]),
        ("<% $.get(zzz, 5) %>", 5),
        ("<% dict(x => 1) %>", {"x": 1}),
        ("<% $.list.toSet() %>", [1, 3]),
        ("<% switch(not isList(task(one)) => 'RESIZE' in task(one).result.status, true => 0) %>", True),
        ("<% task('one').name + task(one).name %>", "oneone"),
        ("<% execution().id %>", "e-1"),
        ("<% env().key %>", "value"),
        ("<% global(shared) %>", 7),
        ("<% json_parse('{\"x\": [1]}').x %>", [1]),
        ("<% json_dump($.a) %>", '{"b": [1, {"c": 3}]}'),
        ("<% yaml_parse('x: 1').x %>", 1),
        ("<% yaml_dump({x => 1}) %>", "x: 1\n"),
        ("<% now() %>", "2001-09-09T01:46:40+00:00"),
        ("<% regex('(a)(.)').search('xab', $2.value + $3.value) %>", "ab"),
        ("<% 'a1b2'.replace(regex('[0-9]'), '-') %>", "a-b-"),
        ("<% 'a-b'.replace('-', '+').replace({a => c}) %>", "c+b"),
        ("<% list(1, 2).join('-') + '-'.join(list(3)) + str(pow(2, 3) * 2) %>", "1-2316"),
        ("<% 'abc' =~ 'b' and 'abc' !~ 'z' %>", True),
        ("{{ _.a.b }}", [1, {"c": 3}]),
        ("{{ _.list | sort | first }} and {{ _.one }}", "1 and 1"),
        ("{% for i in _.list %}{{ i }};{% endfor %}", "3;1;"),
        ("{{ task('one').result.status }}", "VERIFY_RESIZE"),
        ("{{ env().key ~ execution().id ~ global('shared') }}", "valuee-17"),
        ("{{ _.missing | default(4) }}", 4),
        ("<| a.b[1].c |>", 3),
        ("<| list[?@ > `1`] |>", [3]),
        ({"k": ["<% $.one %>", {"<% $.one %>": "{{ _.one }}"}]}, {"k": [1, {"<% $.one %>": 1}]}),
    ],
)
def test_values(text, expected):
    assert value(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "<% $.missing %>", "<% $.a.missing %>", "{{ _.missing }}", "<% 1/0 %>", "<% nothing() %>",
        "{{ ''.__class__.__mro__ }}", "{{ _.__class__ }}", "{{ _.list.append(1) }}", "{{ lipsum() }}",
        "<% json_parse('{') %>", "<% $.a.len( %>", "{{ _.a | }}", "<% $.one %> {{ _.one }}", "<| a[ |>",
    ],
)  # fmt: skip
def test_what_cannot_be_evaluated_says_so(text):
    with pytest.raises(ExpressionError) as caught:
        value(text)
    assert str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "<% 'a' * 100000000 %>",
        "<% list(range(0, 100000)) * 1000 %>",
        "<% " + "(" * 3000 + "1" + ")" * 3000 + " %>",
        "<% range(0, 1000000000).toList() %>",
        "<% list(1, 2).cycle().toList() %>",
        "<% pow(10, pow(10, 10)) %>",
        "<% shiftBitsLeft(1, 10000000000) %>",
        "<% range(0, 60).aggregate($1 * $1, 7) %>",
        "<% ('a' * 1000000).replace('a', 'b' * 100000) %>",
        "<% ('a' * 1000000).replace({a => 'b' * 100000}) %>",
        "<% range(0, 90000).join('a' * 1000000) %>",
        "<% ('a' * 1000000).join(range(0, 90000)) %>",
        "<% let(a => 'aa') -> range(0, 60).aggregate($1 + $1, $a) %>",
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set n = namespace(x='aa') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
        "{{ 'a' * 10000000000 }}",
        "{{ 7 ** 10000000000 }}",
        "{{ ('a' * 1000000) | replace('a', 'b' * 100000) }}",
        "{{ ('a' * 1000000).replace('a', 'b' * 100000) }}",
        "{{ '%0999999999d' % 1 }}",
        "{{ '{:999999999}'.format(1) }}",
        "{{ 'a'.center(10000000000) }}",
        "{{ ['a' * 4000000] * 1000 | join(',') }}",
    ],
)
def test_a_hostile_expression_ends_soon_in_an_error(text):
    begin = time.monotonic()
    with pytest.raises(ExpressionError):
        value(text)
    # A limit of steps, not of time; generous, for a machine that does much else.
    assert time.monotonic() - begin < 60


def test_steps_are_counted(monkeypatch):
    monkeypatch.setattr("pipeline.workflow.yaql_language.STEPS", 1_000)
    with pytest.raises(ExpressionError, match="1000 steps"):
        value("<% range(0, 100000).select(range(0, 100000).select($ * 2).sum()).sum() %>")


def test_a_regular_expression_takes_linear_time():
    begin = time.monotonic()
    assert value("<% ('a' * 200 + '!') =~ '^(a+)+$' %>") is False
    assert time.monotonic() - begin < 5


def test_what_looks_like_chance_comes_from_the_record():
    drawn = ("<% uuid() %>", "<% random() %>", "{{ uuid() }}", "{{ range(1000) | random }}")
    for text in drawn:
        assert value(text) == value(text)
        assert value(text) != value(text, "another record")
    assert (
        value("<% uuid() %> <% uuid() %>").split(" ")[0] != value("<% uuid() %> <% uuid() %>").split(" ")[1]
    )


@pytest.mark.parametrize(
    "text",
    [
        "<% set(delta, alpha, charlie, bravo).toList() %>",
        "<% set(delta, alpha).union(set(charlie, bravo)).toList() %>",
        "<% list(delta, alpha, charlie, bravo).toSet().select($) %>",
        "<% set(delta, alpha, charlie, bravo, echo).difference(set(echo)).toList() %>",
        "<% set(delta, alpha, charlie).add(bravo).toList() %>",
    ],
)
def test_sets_are_walked_in_one_order(text):
    assert value(text) == ["alpha", "bravo", "charlie", "delta"]


def test_finding_expressions():
    assert has_expression("a <% 1 %>")
    assert not has_expression("a < b % c")
    assert is_expression("<% 1 %>\n")
    assert not is_expression("x <% 1 %>")
    assert problem("<% $.x( %>")
    assert problem("nothing {here}") is None
