"""What a scenario says about time, beside its condition.

::

    - condition: alarm [on] host
      for: 5m                       # it must hold that long before the actions do
    - condition: link_down [on] port AND switch [has] port
      within: 10m                   # link_down came ...
      at_least: 3                   # ... three times in ten minutes, for each port and its switch
      of: link_down                 # only needed where the condition has several alarms
    - condition: host AND NOT heartbeat [on] host
      absent_for: 15m               # what stands under NOT has not been there for that long

- ``for`` is about each match by itself. It ends at once when the match does, and counts
  from the beginning when it comes again.
- ``within`` and ``at_least`` count how often the condition came to hold for the counted
  alarm, by the time of the records that brought it about, whether or not the alarm still
  stands. The count is kept for each binding of the rest of the condition, and the rest
  must hold for the actions to. Alternatives of OR with the same rest count together. An
  action may name the counted alarm only as a cause (``causing_alarm``, ``source``).
- ``absent_for`` needs a NOT whose free end does not stand in the condition. The rest of the
  condition may come later: with the alarm long gone the actions follow at once.
- The keys may stand together: ``for`` then waits for the count, or for the absence.
- What stood when the rule came is waited for from then on, starts no workflow when the
  wait ends, and is not counted. Time is the domain's clock (see ``graph/clock.py``).
"""

from __future__ import annotations

from typing import Any

from ..document import Step
from ..graph.durations import duration
from .notes import Notes
from .template import Timing

KEYS = ("for", "within", "at_least", "of", "absent_for")
MOST = 10_000


def read_timing(notes: Notes, item: dict[str, Any], place: tuple[Step, ...]) -> Timing | None:
    """The time keys of a scenario, None without any; what is wrong goes to ``notes``."""
    if not any(key in item for key in KEYS):
        return None
    lengths = {key: _length(notes, item, key, place) for key in ("for", "within", "absent_for")}
    if ("within" in item) != ("at_least" in item):
        missing = "at_least: N" if "within" in item else "within: 10m"
        message = f"`within` and `at_least` go together: add `{missing}`"
        if "within" not in item:
            message += "; what is there now is counted by `having`"
        notes.add("time", message, *place)
        return None
    if "of" in item and ("within" not in item or not isinstance(item["of"], str)):
        notes.add("time", "`of` names the entity that `within` and `at_least` count", *place, "of")
        return None
    least = str(item.get("at_least", "0"))
    if "at_least" in item and not (least.isdecimal() and 1 <= int(least[:9]) <= MOST and len(least) < 9):
        notes.add("time", f"`at_least` is a whole number from 1 to {MOST}", *place, "at_least")
        return None
    if any(length is None for length in lengths.values()):
        return None
    return Timing(
        lengths["for"] or 0, lengths["within"] or 0, int(least), item.get("of"), lengths["absent_for"] or 0
    )


def _length(notes: Notes, item: dict[str, Any], key: str, place: tuple[Step, ...]) -> int | None:
    if key not in item:
        return 0
    try:
        length = duration(item[key])
        if length == 0:
            raise ValueError("it must be longer than nothing")
    except ValueError as error:
        notes.add("time", f"`{key}`: {error}", *place, key)
        return None
    return length
