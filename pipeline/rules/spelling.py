"""Elements of patterns in words, for explanations."""

from __future__ import annotations

from ..times import SECOND
from .pattern import Tally, Wants
from .properties import canonical
from .template import Timing


def waits(timing: Timing | None) -> str:
    """What a scenario says about time, which no look at one moment can tell."""
    if timing is None:
        return ""
    parts = [f"it has held for {_length(timing.hold)}"] if timing.hold else []
    if timing.within:
        counted_ = f"{timing.of or 'its alarm'} has come {timing.at_least} times"
        parts.append(f"{counted_} within {_length(timing.within)}")
    if timing.absent_for:
        parts.append(f"what must not be there has been away for {_length(timing.absent_for)}")
    if timing.unseen_for:
        parts.append(f"nothing has reported what stands under NOT for {_length(timing.unseen_for)}")
    return "its actions follow once " + " and ".join(parts)


def _length(micros: int) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        if micros % (size * SECOND) == 0:
            return f"{micros // (size * SECOND)}{unit}"
    return f"{micros / SECOND:g}s"


def spelt(wants: Wants) -> str:
    """What an element wants, its type first, without its category."""
    ordered = sorted(wants, key=lambda want: (canonical(want[0]) != "type", want[0]))
    shown = ", ".join(f"{name}: {value}" for name, value in ordered if canonical(name) != "category")
    return f"({shown or 'anything'})"


def spelt_tally(tally: Tally) -> str:
    """How many there must be, or what all of them must be."""
    if tally.are is not None:
        least = f", at least {tally.least}" if tally.least > 1 else ""
        return f"all are {spelt(tally.are)}{least}"
    parts = [f"at least {tally.least}"] if tally.least else []
    if tally.most is not None:
        parts.append(f"at most {tally.most}")
    return ", ".join(parts)


def some(keys: set[str]) -> str:
    """The first few of many."""
    ordered = sorted(keys)
    more = f" and {len(ordered) - 3} more" if len(ordered) > 3 else ""
    return ", ".join(ordered[:3]) + more
