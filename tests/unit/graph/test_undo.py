"""Every change can be taken back."""

from __future__ import annotations

from types import SimpleNamespace

from pipeline.graph.single import Single
from pipeline.graph.undo import Undo


def test_rollback_restores_fields_and_entries() -> None:
    undo, thing, mapping = Undo(), SimpleNamespace(a=1), {"x": 1, "y": 2}
    undo.set(thing, "a", 2)
    undo.set(thing, "a", 3)
    undo.put(mapping, "x", 5)
    undo.put(mapping, "z", 6)
    undo.drop(mapping, "y")
    undo.drop(mapping, "not there")
    undo.put(mapping, "y", 7)
    undo.rollback()
    assert (thing.a, mapping) == (1, {"x": 1, "y": 2})
    assert undo.log == []


def test_a_single_answers_as_a_dict_would() -> None:
    single = Single("k", 1)
    assert dict(single.items()) == {"k": 1}
    assert (single.get("k"), single.get("x"), single["k"], "k" in single, "x" in single) == (
        1,
        None,
        1,
        True,
        False,
    )
    assert (list(single), list(single.values()), len(single), bool(single)) == (["k"], [1], 1, True)
