"""What a test expects of rules in shadow mode, beside what they would bring about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..events import DEFAULT_DOMAIN
from .compare import Difference, against, name, wanted


def compared(
    expected: Mapping[str, Any], shadow: list[dict[str, Any]], partial: bool
) -> Iterator[Difference]:
    """Where the ``shadow`` of the end state differs from what is ``expected``, section by section; what is
    not listed is a difference unless ``partial``."""
    found = _sections(shadow)
    for section, told in found.items():
        place = ("expect", "shadow", section) if section in expected else ("expect", "shadow")
        try:
            entries = wanted(section, expected.get(section))
        except ValueError as error:
            yield Difference(place, str(error))
            continue
        differences, meant = against(section, entries, told)
        for one in differences:
            yield Difference(("expect", "shadow", *one.steps), f"shadow {one.message}")
        for at, thing in enumerate(told):
            if at not in meant and not partial:
                yield Difference(place, f"shadow {section}: not expected: {name(section, thing)}")


def _sections(shadow: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """What would be, in the form in which tests have what is."""
    found: dict[str, list[dict[str, Any]]] = {"alarms": [], "states": [], "causes": [], "workflows": []}
    for each in shadow:
        one = {"domain": DEFAULT_DOMAIN, **each}
        kind = one.pop("deduces")
        if kind == "ALARM":
            found["alarms"].append({"source": "vitrage", "status": "ACTIVE", **one})
        elif kind == "CAUSE":
            found["causes"].append(one)
        elif kind == "WORKFLOW":
            found["workflows"].append(one)
        else:
            _state(found["states"], kind, one)
    return found


def _state(states: list[dict[str, Any]], kind: str, one: dict[str, Any]) -> None:
    """State and mark of one entity stand together, as those that are do."""
    type_, _, identity = one["key"].partition("/")
    mine = {"type": type_, "id": identity, "domain": one["domain"]}
    there = next((each for each in states if mine.items() <= each.items()), None)
    if there is None:
        there = {**mine, "aggregated_state": None, "marked_down": False}
        states.append(there)
    if kind == "DOWN":
        there["marked_down"] = True
    else:
        there["aggregated_state"] = str(one["state"]).upper()
