"""What rules wait for: matches that must hold for a while, and counts within a sliding window.

Both are moved by records and clock marks alone and kept in the table: a hold by when it
began, a window by the times that it counts. Nothing is looked at before its deadline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..graph.deadlines import Deadlines, moment
from ..graph.step import Step
from ..graph.store import Graph
from ..graph.vertex import Vertex

if TYPE_CHECKING:
    from .agenda import Agenda
    from .clause import Clause, Match

Bind = tuple[Vertex, ...]
#: Of a vertex what outlives it: whether it is an alarm, its type, its id or key.
Ref = tuple[bool, str, str]
Refs = tuple[Ref, ...]


class Hold:
    """A match that waits until ``due``, or has waited (``ripe``). ``stood`` tells that the match
    was there when its rule came: it starts no workflow. ``armed`` is the deadline that is entered
    for it: an earlier one where it has been put off since."""

    __slots__ = ("armed", "bind", "clause", "due", "key", "ripe", "since", "stood")

    def __init__(self, key: str, clause: Clause, bind: Bind, since: int, stood: bool) -> None:
        self.key = key
        self.clause = clause
        self.bind = bind
        self.since = since
        self.due = self.armed = since + clause.hold
        self.ripe = False
        self.stood = stood


class Window:
    """The newest times at which something came, as many as ``Group.least`` and no older than the
    window; ``open`` when there are that many. ``due`` is when that, or the last of them, is over."""

    __slots__ = ("domain", "due", "group", "key", "open", "refs", "times")

    def __init__(self, key: str, group: Group, domain: str, refs: Refs) -> None:
        self.key = key
        self.group = group
        self.domain = domain
        self.refs = refs
        self.times: tuple[int, ...] = ()
        self.open = False
        self.due = 0


class Group:
    """What one scenario counts together. ``clauses`` are those that hold only while a window is
    open, with the places in them of the vertices by which windows are told apart."""

    __slots__ = ("clauses", "feeders", "least", "name", "windows", "within")

    def __init__(self, name: str, within: int, least: int) -> None:
        self.name = name
        self.within = within
        self.least = least
        self.feeders: list[Clause] = []
        self.clauses: list[tuple[Clause, tuple[int, ...]]] = []
        self.windows: dict[tuple[str, Refs], Window] = {}


class Open:
    """Guards a clause: a window over the vertices at ``places`` must be open."""

    __slots__ = ("group", "places")

    def __init__(self, group: Group, places: tuple[int, ...]) -> None:
        self.group = group
        self.places = places

    def holds(self, bind: Bind) -> bool:
        refs = tuple(ref(bind[place]) for place in self.places)
        window = self.group.windows.get((bind[0].graph.domain, refs))
        return window is not None and window.open

    def stood(self, bind: Bind) -> bool:
        return False


class Ripe:
    """Guards a clause: ``helper`` must have held long enough for the vertex at ``place``."""

    __slots__ = ("helper", "place")

    def __init__(self, helper: Clause, place: int) -> None:
        self.helper = helper
        self.place = place

    def holds(self, bind: Bind) -> bool:
        hold = self.helper.held.get((bind[self.place],))
        return hold is not None and hold.ripe

    def stood(self, bind: Bind) -> bool:
        hold = self.helper.held.get((bind[self.place],))
        return hold is not None and hold.stood


Guard = Open | Ripe


class Waiting:
    """All holds and windows of a partition, by table key.

    ``lapsed`` are the holds of matches that ended while one record was evaluated: such a
    match may come again before that is done, and then it never ended. ``came`` are the
    matches of counted conditions that came: such a condition lies above all that it reads
    (``strata.py``), so none of its matches goes and comes again within one record.
    ``kept`` is what a restore found of holds, until the matches are there again.
    """

    __slots__ = ("came", "deadlines", "holds", "kept", "lapsed", "windows")

    def __init__(self) -> None:
        self.deadlines = Deadlines()
        self.holds: dict[str, Hold] = {}
        self.windows: dict[str, Window] = {}
        self.lapsed: dict[tuple[Clause, Bind], Hold] = {}
        self.came: dict[tuple[Clause, Bind], None] = {}
        self.kept: dict[str, tuple[int, bool]] = {}

    def begin(self, step: Step, match: Match) -> bool:
        """A match of a timed clause is there; whether its actions hold at once."""
        clause, bind = match.clause, match.bind
        if clause.group is not None:
            self.came[clause, bind] = None
        if not clause.hold:
            return True
        hold = self.lapsed.pop((clause, bind), None)
        if hold is None:
            key = hold_key(clause, bind)
            since, stood = self.kept.get(key) or (moment(step), step.input.definition is not None)
            hold = Hold(key, clause, bind, since, stood)
            # What was due by the clock of a restored shard had been gone through by then.
            hold.ripe = key in self.kept and hold.due <= step.now
            if not hold.ripe:
                self.deadlines.push(hold.due, key)
        step.undo.put(clause.held, bind, hold)
        step.undo.put(self.holds, hold.key, hold)
        step.dirty.add(hold.key)
        return hold.ripe

    def end(self, step: Step, match: Match) -> None:
        """A match of a timed clause is gone."""
        clause, bind = match.clause, match.bind
        hold = clause.held.get(bind)
        if hold is None:
            return
        step.undo.drop(clause.held, bind)
        if self.holds.get(hold.key) is hold:
            step.undo.drop(self.holds, hold.key)
        step.dirty.add(hold.key)
        self.lapsed[clause, bind] = hold

    def put_off(self, step: Step, agenda: Agenda, hold: Hold) -> None:
        """Begins a wait anew: what it was for has just been seen. The deadline that is entered is left
        where it is, so that a report costs no place among the others."""
        since = moment(step)
        if since <= hold.since:
            return
        step.undo.set(hold, "since", since)
        step.undo.set(hold, "due", since + hold.clause.hold)
        step.undo.set(hold, "stood", False)
        step.dirty.add(hold.key)
        if hold.ripe:
            step.undo.set(hold, "ripe", False)
            self._arm(step, hold)
            self._end_what_waited(agenda, hold)

    def _arm(self, step: Step, hold: Hold) -> None:
        step.undo.set(hold, "armed", hold.due)
        self.deadlines.push(hold.due, hold.key)

    def _end_what_waited(self, agenda: Agenda, hold: Hold) -> None:
        for match in hold.bind[0].matches or ():
            if any(
                match.clause is clause and match.bind[place] is hold.bind[0]
                for clause, place in hold.clause.feeds
            ):
                agenda.doubt(match)

    def ready(self, match: Match) -> bool:
        """Whether a match has waited long enough and does not act yet."""
        hold = match.clause.held.get(match.bind)
        return hold is not None and hold.ripe and not match.supports and bool(match.clause.actions)

    def count(self, step: Step, agenda: Agenda) -> None:
        """Counts what came. What is there when definitions change did not come."""
        seen: set[tuple[Group, Refs, Vertex]] = set()
        for clause, bind in self.came if step.input.definition is None else ():
            group = clause.group
            assert group is not None
            refs = tuple(ref(bind[place]) for place in clause.rest)
            one = (group, refs, bind[clause.counted])
            if one not in seen:
                seen.add(one)
                self._count(step, agenda, group, bind[0].graph, refs)
        self.came.clear()

    def _count(self, step: Step, agenda: Agenda, group: Group, graph: Graph, refs: Refs) -> None:
        if step.time <= step.now - group.within:
            return
        window = group.windows.get((graph.domain, refs))
        if window is None:
            window = Window(window_key(group, graph.domain, refs), group, graph.domain, refs)
            step.undo.put(group.windows, (graph.domain, refs), window)
            step.undo.put(self.windows, window.key, window)
        times = tuple(sorted((*window.times, step.time))[-group.least :])
        self._set(step, window, times, graph, agenda)

    def _set(self, step: Step, window: Window, times: tuple[int, ...], graph: Graph, agenda: Agenda) -> None:
        """Gives a window its times. Its end is the clock, or the newest time where that is ahead:
        what came after the clock stood still must not be taken for one moment."""
        group = window.group
        step.dirty.add(window.key)
        if not times:
            step.undo.drop(group.windows, (window.domain, window.refs))
            step.undo.drop(self.windows, window.key)
        open_ = len(times) >= group.least and times[0] > max(step.now, times[-1]) - group.within
        due = ((times[0] if open_ else times[-1]) if times else 0) + group.within
        if times and due != window.due:
            self.deadlines.push(due, window.key)
        step.undo.set(window, "times", times)
        step.undo.set(window, "due", due)
        if open_ != window.open:
            step.undo.set(window, "open", open_)
            self._tell(agenda, window, graph)

    def _tell(self, agenda: Agenda, window: Window, graph: Graph) -> None:
        found = [resolve(graph, each) for each in window.refs]
        vertices = tuple(vertex for vertex in found if vertex is not None)
        if len(vertices) < len(found):
            return
        for clause, places in window.group.clauses:
            if window.open:
                agenda.find(clause, *zip(places, vertices, strict=True))
                continue
            for match in vertices[0].matches or ():
                if match.clause is clause and tuple(match.bind[place] for place in places) == vertices:
                    agenda.doubt(match)

    def pass_(self, step: Step, agenda: Agenda, due: int, key: str, graphs: dict[str, Graph]) -> None:
        """Takes a deadline that has come, if something still waits for it."""
        hold = self.holds.get(key)
        if hold is not None:
            if hold.armed != due or hold.ripe:
                return
            if hold.due > due:
                self._arm(step, hold)
                return
            step.undo.set(hold, "ripe", True)
            for clause, place in hold.clause.feeds:
                agenda.find(clause, (place, hold.bind[0]))
            agenda.doubt(hold.clause.matches[hold.bind])
            return
        window = self.windows.get(key)
        if window is not None and window.due == due:
            left = tuple(time for time in window.times if time > step.now - window.group.within)
            self._set(step, window, left, graphs[window.domain], agenda)

    def waits(self, due: int, key: str) -> bool:
        """Whether anything of the rules still waits for that time."""
        hold, window = self.holds.get(key), self.windows.get(key)
        return (hold is not None and hold.armed == due and not hold.ripe) or (
            window is not None and window.due == due
        )

    def forget(self, step: Step, groups: set[Group]) -> None:
        """Drops the windows of rules that went."""
        for group in groups:
            for at, window in list(group.windows.items()):
                step.undo.drop(group.windows, at)
                if self.windows.get(window.key) is window:
                    step.undo.drop(self.windows, window.key)
                step.dirty.add(window.key)

    def restore(self, groups: dict[str, Group], rows: list[Any]) -> None:
        """Takes kept windows back, before the matches are looked for."""
        for row in rows:
            group = groups.get(row.group)
            if group is None:
                continue
            window = Window(window_key(group, row.domain, row.refs), group, row.domain, row.refs)
            window.times, window.open = row.times, row.open
            window.due = (row.times[0] if row.open else row.times[-1]) + group.within
            group.windows[row.domain, row.refs] = window
            self.windows[window.key] = window
            self.deadlines.push(window.due, window.key)


def stood(match: Match) -> bool:
    """Whether a match waited for something that was there when its rule came."""
    clause = match.clause
    hold = clause.held.get(match.bind) if clause.hold else None
    return (hold is not None and hold.stood) or any(guard.stood(match.bind) for guard in clause.guards)


def ref(vertex: Vertex) -> Ref:
    """What names a vertex within its domain."""
    part = vertex.alarm
    return (False, vertex.type, vertex.id) if part is None else (True, vertex.type, part.key)


def resolve(graph: Graph, named: Ref) -> Vertex | None:
    """The vertex of that name, if it is there."""
    is_alarm, type_, name = named
    return graph.alarm(type_, name) if is_alarm else graph.entity(type_, name)


def hold_key(clause: Clause, bind: Bind) -> str:
    """The table key of a hold."""
    names = (part for vertex in bind for part in _parts(ref(vertex)))
    head = ("t", bind[0].graph.domain, clause.rule.name, str(clause.scenario.index), str(clause.index))
    return "\x1f".join((*head, *names))


def window_key(group: Group, domain: str, refs: Refs) -> str:
    """The table key of a window."""
    return "\x1f".join(("w", domain, group.name, *(part for each in refs for part in _parts(each))))


def _parts(named: Ref) -> tuple[str, str, str]:
    return "a" if named[0] else "e", named[1], named[2]
