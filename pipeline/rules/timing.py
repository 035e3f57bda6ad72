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
    - condition: host AND NOT heartbeat [on] host
      not_seen_for: 15m             # nothing has reported it for that long, whether or not it stands

- ``for`` is about each match by itself. It ends at once when the match does, and counts
  from the beginning when it comes again.
- ``within`` and ``at_least`` count how often the condition came to hold for the counted
  alarm, by the time of the records that brought it about, whether or not the alarm still
  stands. The count is kept for each binding of the rest of the condition, and the rest
  must hold for the actions to. Alternatives of OR with the same rest count together. An
  action may name the counted alarm only as a cause (``causing_alarm``, ``source``).
- ``absent_for`` needs a NOT whose free end does not stand in the condition. The rest of the
  condition may come later: with the alarm long gone the actions follow at once.
- ``not_seen_for`` is ``absent_for`` by reports: what counts is when it was last reported, as active
  where it is an alarm, also without any change; that it still stands in the graph counts for nothing.
  For a host that nothing was ever reported of, time runs from when it came. The next report ends
  what followed. A record that was sent twice, or is older than what its source said last, is no
  report; a deduced alarm has none.
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

KEYS = ("for", "within", "at_least", "of", "absent_for", "not_seen_for")
LENGTHS = ("for", "within", "absent_for", "not_seen_for")
MOST = 10_000


def read_timing(notes: Notes, item: dict[str, Any], place: tuple[Step, ...]) -> Timing | None:
    """The time keys of a scenario, None without any; what is wrong goes to ``notes``."""
    if not any(key in item for key in KEYS):
        return None
    lengths = {key: _length(notes, item, key, place) for key in LENGTHS}
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
    if "absent_for" in item and "not_seen_for" in item:
        message = "`absent_for` and `not_seen_for` are two ways to wait for one thing: use one of them"
        notes.add("time", message, *place, "not_seen_for")
        return None
    known = {key: length for key, length in lengths.items() if length is not None}
    if len(known) < len(lengths):
        return None
    hold, within, absent, unseen = known.values()
    return Timing(hold, within, int(least), item.get("of"), absent, unseen)


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
