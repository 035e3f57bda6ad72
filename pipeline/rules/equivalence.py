"""Equivalences: an entity that is one member of a group may be any other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import product

from .pattern import Absence, Pattern, Wants
from .properties import canonical

Groups = list[tuple[Wants, ...]]
MAX_VARIANTS = 256


def groups(equivalences: Iterable[tuple[dict[str, str], ...]]) -> Groups:
    """The groups with their property sets in comparable form."""
    return [tuple(_wants(member) for member in group) for group in equivalences]


def variants(pattern: Pattern, known: Groups) -> list[Pattern]:
    """The pattern and what it becomes with other members of the groups in the place of its
    entities; an entity stands for a member only when it has exactly its properties."""
    if not known:
        return [pattern]
    choices = [_choices(wants, known) for wants in pattern.wants]
    gaps = [
        _choices(absence.wants, known) if absence.other < 0 and absence.tally is None else [absence.wants]
        for absence in pattern.absences
    ]
    found: list[Pattern] = []
    for wants in product(*choices):
        if len(found) >= MAX_VARIANTS:
            break
        # What must not be there must not be there in any of its forms.
        absences: list[Absence] = [
            replace(absence, wants=form)
            for absence, forms in zip(pattern.absences, gaps, strict=True)
            for form in forms
        ]
        found.append(replace(pattern, wants=tuple(wants), absences=tuple(absences)))
    return list(dict.fromkeys(found))


def _choices(wants: Wants, known: Groups) -> list[Wants]:
    form = _wants(dict(wants))
    for group in known:
        if form in group:
            return [wants, *(member for member in group if member != form)]
    return [wants]


def _wants(properties: dict[str, str]) -> Wants:
    return tuple(sorted((canonical(name), value) for name, value in properties.items()))
