"""Bounds for Jinja2: how often it loops and calls, and how long its texts become."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from jinja2 import nodes, pass_context
from jinja2.filters import FILTERS
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pipeline.errors import ExpressionError

from .values import weigh

STEPS = 100_000
LONGEST = 1024 * 1024
# Values within one that is looked at whole, and how many of them count as a step.
HEAVIEST = 200_000
PARTS = 20
WIDEST = re.compile(r"\d{6,}|\*")
BUDGET = "_budget"
DRAW = "_draw"


class Environment(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox, counting every call and every turn of a loop."""

    intercepted_binops = frozenset({"*", "**", "%", "+"})

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        spend(__context)
        owner = getattr(__obj, "__self__", None)
        if isinstance(owner, str):
            bounded_method(owner, getattr(__obj, "__name__", ""), args)
        return super().call(__context, __obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        spend(context)
        if operator == "*":
            for many, times in ((left, right), (right, left)):
                if isinstance(many, str | list | tuple) and isinstance(times, int):
                    short(len(many) * times)
        if operator == "**" and isinstance(left, int) and isinstance(right, int):
            short(left.bit_length() * max(right, 0))
        if operator == "%" and isinstance(left, str):
            formatted(left)
        if operator == "+" and isinstance(left, str | list | tuple) and isinstance(right, str | list | tuple):
            short(len(left) + len(right))
        return super().call_binop(context, operator, left, right)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        owner = getattr(value, "__self__", None)
        if isinstance(owner, str) and getattr(value, "__name__", "") in ("format", "format_map"):
            formatted(owner)
        return super().wrap_str_format(value)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        counted_loops(tree)
        weighed_operands(tree)
        return tree


def counted_loops(tree: nodes.Node) -> None:
    """Has every loop's turns counted and every ``~`` measured."""
    for loop in tree.find_all(nodes.For):
        loop.iter = nodes.Filter(loop.iter, "_counted", [], [], None, None, lineno=loop.lineno)
    for parent in [tree, *tree.find_all(nodes.Node)]:
        for field, value in parent.iter_fields():
            if isinstance(value, nodes.Concat):
                setattr(parent, field, joined_node(value))
            elif isinstance(value, list):
                value[:] = [joined_node(each) if isinstance(each, nodes.Concat) else each for each in value]


def weighed_operands(tree: nodes.Node) -> None:
    """Has what is compared, tested, cut, filtered or printed looked at for its size first."""
    for node in list(tree.find_all((nodes.Compare, nodes.Operand, nodes.Test, nodes.Filter, nodes.Getitem))):
        if isinstance(node, nodes.Compare | nodes.Operand):
            node.expr = weighed_node(node.expr)
        elif isinstance(node, nodes.Getitem):
            if isinstance(node.arg, nodes.Slice):
                node.node = weighed_node(node.node)
        elif isinstance(node, nodes.Filter | nodes.Test) and node.node and not node.name.startswith("_"):
            node.node = weighed_node(node.node)
    for output in tree.find_all(nodes.Output):
        output.nodes = [
            each if isinstance(each, nodes.TemplateData) else weighed_node(each) for each in output.nodes
        ]


def weighed_node(node: nodes.Expr) -> nodes.Expr:
    if isinstance(node, nodes.Const | nodes.Name) and getattr(node, "name", "_") == "_":
        # What is written out is as short as it looks; all the variables are seldom meant as a whole.
        return node
    return nodes.Filter(node, "_weighed", [], [], None, None, lineno=node.lineno)


def joined_node(node: nodes.Concat) -> nodes.Filter:
    """``a ~ b`` as a filter that looks at lengths first."""
    parts = nodes.List(node.nodes, lineno=node.lineno)
    return nodes.Filter(parts, "_joined", [], [], None, None, lineno=node.lineno)


def spend(context: Context, steps: int = 1) -> None:
    """Counts ``steps``. Raises ``ExpressionError`` at the last."""
    budget = context.resolve(BUDGET)
    if isinstance(budget, list):
        budget[0] -= steps
        if budget[0] < 0:
            raise ExpressionError(f"the expression took more than {STEPS} steps")


def short(length: int) -> None:
    """Raises ``ExpressionError`` when a text or list would become too long."""
    if length > LONGEST:
        raise ExpressionError(f"a value of {length} characters or items is too long; {LONGEST} are allowed")


def formatted(pattern: str) -> None:
    """Refuses a format with a huge width."""
    if WIDEST.search(pattern):
        raise ExpressionError(f"the format {pattern[:40]!r} asks for a width that is not allowed")


def bounded_method(text: str, name: str, args: tuple[Any, ...]) -> None:
    """Looks at what a method of a text would make of it."""
    if name in ("center", "ljust", "rjust", "zfill", "expandtabs") and args and isinstance(args[0], int):
        short(args[0] * (text.count("\t") if name == "expandtabs" else 1))
    elif name == "replace" and len(args) > 1:
        replaced_length(text, args[0], args[1])
    elif name == "join" and args:
        joined_length(text, args[0])


def replaced_length(text: Any, old: Any, new: Any) -> None:
    """How long a text becomes with ``new`` for every ``old``."""
    times = str(text).count(str(old)) if old else len(str(text)) + 1
    short(len(str(text)) + times * len(str(new)))


def joined_length(between: Any, parts: Any) -> None:
    """How long the parts of a list become as one text."""
    if isinstance(parts, list | tuple):
        short(len(str(between)) * len(parts) + sum(len(str(part)) for part in parts))


@pass_context
def counted(context: Context, values: Iterable[Any]) -> Iterator[Any]:
    """The values of a loop, each one counted."""
    for value in values:
        spend(context)
        yield value


@pass_context
def weighed(context: Context, value: Any) -> Any:
    """The value itself, counted by its size."""
    if isinstance(value, str | list | tuple | dict):
        spend(context, weigh(value, HEAVIEST) // PARTS)
    return value


def joined(parts: list[Any]) -> str:
    """The parts as one text, if it is not too long."""
    texts = [str(part) for part in parts]
    short(sum(len(text) for text in texts))
    return "".join(texts)


def guarded(name: str, look: Callable[..., None]) -> Callable[..., Any]:
    """A filter of Jinja's that first looks at how long its result will be."""
    original = FILTERS[name]
    takes_context = hasattr(original, "jinja_pass_arg")

    def filtered(*args: Any, **kwargs: Any) -> Any:
        look(*(args[1:] if takes_context else args))
        return original(*args, **kwargs)

    if takes_context:
        filtered.jinja_pass_arg = original.jinja_pass_arg  # type: ignore[attr-defined]
    return filtered


def _center(value: Any, width: Any = 80, *_rest: Any) -> None:
    short(int(width))


def _replace(value: Any, old: Any = "", new: Any = "", *_rest: Any) -> None:
    replaced_length(value, old, new)


def _join(value: Any, between: Any = "", *_rest: Any) -> None:
    joined_length(between, value if isinstance(value, list | tuple) else [])


def _indent(value: Any, width: Any = 4, *_rest: Any) -> None:
    step = width if isinstance(width, int) else len(str(width))
    short(len(str(value)) + step * (str(value).count("\n") + 1))


def _format(value: Any, *_rest: Any) -> None:
    formatted(str(value))


@pass_context
def drawn(context: Context, values: Any) -> Any:
    """One of the values, by the dice of the record, so that a replay draws the same."""
    return random.Random(context.resolve(DRAW)()).choice(list(values))


FILTERS_HERE: dict[str, Callable[..., Any]] = {
    "_counted": counted,
    "_weighed": weighed,
    "_joined": joined,
    "random": drawn,
    "center": guarded("center", _center),
    "replace": guarded("replace", _replace),
    "join": guarded("join", _join),
    "indent": guarded("indent", _indent),
    "format": guarded("format", _format),
}
