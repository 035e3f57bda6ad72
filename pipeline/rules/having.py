"""Counts over a relationship, beside a scenario's condition: what redundancy is asked by.

::

    - condition: volume
      having:
        - {of: 'volume [has] path_up', at_most: 1}
    - condition: cluster
      having:
        - {all: 'cluster [contains] member', are: failed_member}

``of`` (or ``all``) is a relationship between an entity that stands in the condition and
one of ``entities`` that does not: that one is counted, each vertex that fits it once.
``at_least`` and ``at_most`` are whole numbers and may stand together; ``all ... are``
asks that every one that fits ``all`` fits the entity named by ``are`` too, and that there
is one at all (``at_least`` may ask for more). All entries of ``having`` must hold, in each
alternative of the condition. A count can be fulfilled by what is not there, so as under
NOT a rule must not feed itself through it.
"""

from __future__ import annotations

from typing import Any

from ..document import Step
from .condition import ConditionError, Link, Name, Term, parse
from .notes import Notes
from .template import Having, Template

_KEYS = ("of", "all", "are", "at_least", "at_most")
_FORM = "`{of: x [label] y, at_least: N, at_most: N}` or `{all: x [label] y, are: z}`"


def read_having(notes: Notes, value: Any, place: tuple[Step, ...]) -> tuple[Having, ...]:
    """The entries of ``having``; what is wrong goes to ``notes``."""
    if value is None:
        return ()
    if not isinstance(value, list) or not value:
        notes.add("having", f"`having` is a list of {_FORM}", *place)
        return ()
    found = [_entry(notes, item, (*place, index)) for index, item in enumerate(value)]
    return tuple(each for each in found if each is not None)


def check_having(
    notes: Notes, template: Template, having: tuple[Having, ...], place: tuple[Step, ...]
) -> bool:
    """Whether every name in ``having`` is known; those that are not go to ``notes``."""
    good = True
    for index, each in enumerate(having):
        names = [each.are] if each.are is not None else []
        if isinstance(each.of, Link):
            names += [each.of.source, each.of.target]
        elif each.of.name not in template.relationships:
            notes.add("having", f"{each.of.name!r} is no relationship; write x [label] y", *place, index)
            good = False
        for name in names:
            if name not in template.entities:
                notes.add("10200", f"{name!r} in `having` is no entity of this template", *place, index)
                good = False
    return good


def _entry(notes: Notes, item: Any, place: tuple[Step, ...]) -> Having | None:
    if not isinstance(item, dict) or ("of" in item) == ("all" in item):
        notes.add("having", f"an entry of `having` is {_FORM}", *place)
        return None
    for key in item:
        if key not in _KEYS:
            notes.add("having", f"{key!r} is not part of {_FORM}", *place, key)
    every = "all" in item
    term = _term(notes, item["all"] if every else item["of"], (*place, "all" if every else "of"))
    are = item.get("are")
    if every and (not isinstance(are, str) or "at_most" in item):
        notes.add("having", "`all: x [label] y` needs `are: ENTITY`, and takes no `at_most`", *place)
        return None
    if not every and (are is not None or not {"at_least", "at_most"} & item.keys()):
        notes.add("having", "`of: x [label] y` needs `at_least` or `at_most`; `are` goes with `all`", *place)
        return None
    least = _number(notes, item.get("at_least", "1" if every else "0"), (*place, "at_least"))
    most = _number(notes, item["at_most"], (*place, "at_most")) if "at_most" in item else None
    if term is None or least is None:
        return None
    if most is not None and least > most:
        notes.add("having", f"at least {least} and at most {most} never holds", *place)
        return None
    if most is None and not least and not every:
        notes.add("having", "at least 0 always holds; leave it out", *place)
        return None
    return Having(term, least, most, are if every else None)


def _term(notes: Notes, text: Any, place: tuple[Step, ...]) -> Term | None:
    try:
        term = parse(str(text))
    except ConditionError as error:
        notes.add("having", str(error), *place)
        return None
    if not isinstance(term, Link | Name):
        notes.add("having", "one relationship stands here, such as volume [has] path", *place)
        return None
    return term


def _number(notes: Notes, value: Any, place: tuple[Step, ...]) -> int | None:
    text = str(value)
    if not text.isdecimal() or len(text) > 9:
        notes.add("having", f"{text!r} is not a whole number", *place)
        return None
    return int(text)
