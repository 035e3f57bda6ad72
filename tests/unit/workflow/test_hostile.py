# ruff: noqa: E501 - a row of a table stands on one line.
"""Expressions that mean harm: each ends in an error, after steps that are counted and not timed."""

from __future__ import annotations

import pytest

from pipeline.actions.harmless import perform_harmless
from pipeline.errors import ExpressionError
from pipeline.events import Definition
from pipeline.workflow.expressions import evaluate
from pipeline.workflow.run import Runner, report
from pipeline.workflow.scope import Nothing, Scope, Seed, View

DATA = {
    "a": {"b": [1, {"c": 3}]},
    "list": [3, 1],
    "thousand": list(range(1000)),
    "ten": [{"k": index} for index in range(10_000)],
    "wide": list(range(100_000)),
    "big": "x" * 100_000,
    "json": "[" * 100_000,
}
DEEP = [
    "<% " + "let(a => 1) -> " * 3000 + "1 %>",
    "<% " + "(" * 3000 + "1" + ")" * 3000 + " %>",
    "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "{{ " + "not " * 3000 + "true }}",
    "<| " + "[" * 3000 + "]" * 3000 + " |>",
    "<| " + "!" * 3000 + "a |>",
]
# fmt: off
HOSTILE = [  # one line each
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ _.__class__ }}",
    "{{ (_|attr('__class__')) }}",
    "{{ _|map(attribute='__class__')|list }}",
    "{{ cycler.__init__.__globals__.os }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ lipsum.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ '{0.__class__}'.format(1) }}",
    "{{ '%c' % 99999999999 }}",
    "{{ task.func.__globals__ }}",
    "{{ (''|string).__init__ }}",
    "{{ _.list.append(1) }}",
    "{{ range(10000000000)|list }}",
    "{{ range(99999)|list * 1000 }}",
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{{ 'a' * 10**10 }}",
    "{{ ('a'*1000000)|replace('a','b'*100000) }}",
    "{{ ('a,'*2000000).split(',')|join('xxxxx') }}",
    "{{ ('<'*4000000)|escape }}",
    "{{ ('<'*4000000)|urlize }}",
    "{{ ('a '*2000000)|wordwrap(1) }}",
    "{{ ('x'*4000000)|striptags }}",
    "{{ ('a'*4000000)|title }}",
    "{{ ('a '*2000000)|wordcount }}",
    "{{ _.wide|sum(start='') }}",
    "{{ [_.wide,_.wide]|sum(start=[]) }}",
    "{% for i in range(9999) %}{{ _.wide|sum }}{% endfor %}",
    "{% for i in range(99999) %}{{ _.wide|tojson }}{% endfor %}",
    "{% for i in range(9999) %}{{ json_dump(_.wide) }}{% endfor %}",
    "{% for i in range(9999) %}{% if _.wide == 5 or 'a' in _.wide %}{% endif %}{% endfor %}",
    "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
    "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l,ns.l] %}{% endfor %}{{ ns.l }}",
    "{% for i in range(999) %}{{ _.wide|pprint }}{% endfor %}",
    "{{ 'x'|indent(10**9) }}",
    "{{ 'x'|center(10**9) }}",
    "{{ '%9999999999d'|format(1) }}",
    "{{ '{:9999999999}'.format(1) }}",
    "{{ 'a'.zfill(10**10) }}",
    "{{ ('\t'*1000000).expandtabs(1000000) }}",
    "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
    "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "{{ 123456789**9999 * 123456789**9999 }}",
    "{{ (10**9999)|string|length }}",
    "{% for i in range(99999) %}{{ 10**999 // 7**300 }}{% endfor %}",
    "{{ (7**99999) % (3**99999) }}",
    "{{ 7 ** 1000000 }}",
    "{% for i in range(9999) %}{{ 3**30000 * 7**30000 }}{% endfor %}",
    "<% $.__class__ %>",
    "<% $.list.__class__ %>",
    "<% 'a' * 100000000 %>",
    "<% range(0, 1000000000).toList() %>",
    "<% generate(0, true, $ + 1).toList() %>",
    "<% sequence().toList() %>",
    "<% sequence(0,1).select($*2).sum() %>",
    "<% 1.repeat().toList() %>",
    "<% list(1,2).cycle().toList() %>",
    "<% sequence().where(false).first() %>",
    "<% sequence().where($ < 0).toList() %>",
    "<% sequence().skipWhile(true).first() %>",
    "<% sequence().skip(100000000000).first() %>",
    "<% sequence().len() %>",
    "<% 5 in sequence() and (-1 in sequence()) %>",
    "<% sequence().contains(-1) %>",
    "<% sequence().last() %>",
    "<% repeat(1).distinct().toList() %>",
    "<% sequence().any($ < 0) %>",
    "<% sequence().all($ >= 0) %>",
    "<% sequence().indexOf(-1) %>",
    "<% sequence().aggregate($1 + $2) %>",
    "<% sequence().toSet() %>",
    "<% sequence().orderBy($) %>",
    "<% sequence().groupBy($) %>",
    "<% sequence().max() %>",
    "<% generateMany(1, list($, $)).toList() %>",
    "<% generateMany(1, range(0,1000)).len() %>",
    "<% range(0, 60).aggregate($1 * $1, 7) %>",
    "<% pow(10, pow(10, 10)) %>",
    "<% pow(3, 10000, pow(7,10000)) %>",
    "<% shiftBitsLeft(1, 10000000000) %>",
    "<% range(0,300).select(range(0,300).select(range(0,300).sum()).sum()).sum() %>",
    "<% $.thousand.select($.thousand) %>",
    "<% let(x => $.thousand) -> $x.select(let(y=>$) -> $x.select($ + $y)) %>",
    "<% $.thousand.join($.thousand, true, [$1,$2]).len() %>",
    "<% $.wide.join($.wide, false, 1).toList() %>",
    "<% $.big =~ '(.*){1,1000}(.*){1,1000}$' %>",
    "<% ($.big*1).split('') %>",
    "<% $.big.toCharArray().select($ * 100).join('') %>",
    "<% regex('').searchAll($.big).toList() %>",
    "<% def(f, f()) -> f() %>",
    "<% def(f, f($) + f($)) -> f(1) %>",
    "<% json_parse($.json) %>",
    "{{ json_parse('['*100000) }}",
    "{{ json_parse('1'*1000000) }}",
    "{{ yaml_parse('['*100000) }}",
    "{{ yaml_parse('- '*50000) }}",
    "{{ yaml_parse('a'*1000000) }}",
    "{{ yaml_parse('a: 1\\n'*20000) }}",
    "{{ yaml_parse('- a\\n'*500000) }}",
    "{{ yaml_dump(_.wide) }}",
    "{{ yaml_parse('!!python/object/apply:os.system [id]') }}",
    "<% yaml_dump($.wide) %>",
    "<% yaml_dump($.ten) %>",
    "<% range(0,500).select(json_dump($.wide)).len() %>",
    "<% range(0,500).select(json_dump($.ten).len()).sum() %>",
    "{% for i in range(999) %}{{ yaml_dump(_.ten)|length }}{% endfor %}",
    "<| wide[?contains(join(',', wide[].to_string(@)), 'zzz')] |>",
    "<| wide[*].[wide] |>",
    "<| map(&[@,@], wide)[].[@,@][].[@,@][].[@,@][].[@,@][] |>",
    "<| ten[].{a:to_string(@),b:to_string(@)}[].[a,b][].[@,@,@,@][].[@,@,@,@][] |>",
    "<| map(&to_string([$.wide,@]), wide) |>",
    "<| wide[?contains(`[1,2]`,@)||contains(['a'],@)]|[?!@] |>",
    "<| thousand[].not_null(map(&@,@)) |>",
    "<| wide[?contains(to_string(wide), 'q')] |>",
    "<% $.ten.select($.k).distinct().orderBy($).thenByDescending($).toList().len() %>",
    "<% dict($.wide.select([$,$])).len() %>",
    "<% $.wide.toDict($).set(a,1).len() %>",
    "<% range(0,9000).aggregate($1.set($2, 1), {}).len() %>",
    "<% range(0,40000).aggregate($1 + [$2], []).len() %>",
    "<% range(0,9000).aggregate($1 + list($2), list()).len() %>",
    "<% range(0, 30).aggregate($1 + $1, [1]).len() %>",
    "<% range(0, 60).aggregate([$1,$1], 1) %>",
    "<% let(a => range(0,3000).toList()) -> range(0,9000).select($a + $a).len() %>",
    "<% range(0,9000).select($.in($.wide)) %>",
    "<% range(0,9000).select(-1 in $$.wide) %>",
    "<% let(w=>$.wide) -> range(0,9000).select(-1 in $w).len() %>",
    "<% let(w=>$.wide) -> range(0,9000).select($w.sum()) %>",
    "<% let(w=>$.wide) -> range(0,9000).select($w = 1 or $w = $w.append(1)).len() %>",
    "<% let(b=>$.big) -> range(0,9000).select($b.replace(x,y)).len() %>",
    "<% let(b=>$.big) -> range(0,9000).select($b.toUpper()).len() %>",
    "<% let(b=>$.big) -> range(0,9000).select(str($b)+$b).len() %>",
    "<% let(w=>$.wide) -> range(0,9000).select(str($w)).len() %>",
    "<% let(w=>$.wide) -> range(0,9000).select($w.len()).len() %>",
    "<% let(w=>$.wide) -> range(0,9000).select($w.toSet().len()).len() %>",
    "<% let(w=>$.wide) -> range(0,9000).select($w.orderBy($)).len() %>",
    "<% let(w=>$.wide) -> range(0,9000).select($w.reverse().first()).len() %>",
    "<% let(w=>$.ten) -> range(0,9000).select($w.last()).len() %>",
    "<% format('{0:9999999999}', 1) %>",
    "<% '{0:999999999}'.format(1) %>",
    "<% '{0.__class__}'.format(1) %>",
    "<% 'a'.len().toString() %>",
    "<% call(eval, ['1'], {}) %>",
    "<% $.call('__class__') %>",
    "<% datetime('1'*100000) %>",
    "<% timespan(days => 99999999999999) %>",
    "<% 'x'.hex() %>",
    "<% int('9' * 1000000) %>",
    "<% str(pow(10,9000)) %>",
    "<% assert($, false) %>",
]
# fmt: on


def value(text):
    return evaluate(text, Scope(View(DATA), Nothing(), Seed("record", 1_000_000_000_000_000)))


@pytest.mark.parametrize("text", [*HOSTILE, *DEEP], ids=lambda text: text[:60])
def test_it_ends_in_an_error(text):
    with pytest.raises(ExpressionError) as caught:
        value(text)
    assert str(caught.value)


@pytest.mark.parametrize("text", ["<% $.list.orderBy($) %>", "{{ _.list | sort }}", "<| sort(list) |>"])
def test_the_next_expression_has_all_its_steps_again(text):
    for hostile in ("<% sequence().max() %>", "{{ range(99999) | list * 1000 }}"):
        with pytest.raises(ExpressionError):
            value(hostile)
    assert value(text) == [1, 3]


PLAYBOOK = """
version: '2.0'
hostile:
  tasks:
    a:
      publish:
        x: %s
innocent:
  tasks:
    a:
      publish:
        x: <%% [3, 1].orderBy($) %%>
  output: {x: <%% $.x %%>}
"""


@pytest.mark.parametrize(
    "text",
    [
        "<% sequence().max() %>",
        "'{{ range(99999) | list * 1000 }}'",
        "<% range(10000000).select($ * 2) %>",
        "'{{ ().__class__.__mro__ }}'",
    ],
)
def test_it_ends_its_own_execution_and_no_other(text):
    runner = Runner([Definition("WORKFLOW", "all", PLAYBOOK % text)], None, perform_harmless)
    for root, name in (("i-1", "innocent"), ("h", "hostile"), ("i-2", "innocent")):
        runner.start({"command": "START", "root": root, "execution": root, "workflow": name})
    runner.advance()
    told = {root: report(runner, root) for root in ("i-1", "h", "i-2")}
    assert {root: one["state"] for root, one in told.items()} == {
        "i-1": "SUCCESS",
        "h": "ERROR",
        "i-2": "SUCCESS",
    }
    assert "Can not evaluate" in told["h"]["state_info"]
    assert told["i-2"]["output"] == {"x": [1, 3]}
