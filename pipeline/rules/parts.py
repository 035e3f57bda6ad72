"""A scenario that speaks of time as clauses: what is counted or waited for, and what then holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ..graph.values import Values
from ..graph.vertex import DEDUCED, ON
from .clause import Clause, Sight, mentioned, tests, wanted
from .pattern import Pattern, PatternEdge, PatternError, connected
from .template import Action, Scenario
from .waiting import Group, Open, Ripe

if TYPE_CHECKING:
    from .rule import Rule


def clauses_of(
    rule: Rule, scenario: Scenario, forms: list[Pattern], values: Callable[[], Values]
) -> list[Clause]:
    """The clauses of a scenario whose condition has these ``forms``.

    Raises ``PatternError`` when what it says of time does not fit them.
    """
    timing = scenario.timing
    if timing is None:
        return [Clause(rule, scenario, index, form, values) for index, form in enumerate(forms)]
    made: list[Clause] = []
    if timing.unseen_for:
        forms = [unseen(form) for form in forms]

    def clause(pattern: Pattern, actions: tuple[Action, ...]) -> Clause:
        made.append(Clause(rule, replace(scenario, actions=actions), len(made), pattern, values))
        return made[-1]

    finals: list[Clause] = []
    if timing.within:
        groups: dict[Pattern, Group] = {}
        for form in forms:
            number = counted(form, timing.of)
            rest, places = without(form, number)
            feeder = clause(form, ())
            feeder.counted, feeder.rest = number, places
            group = groups.get(rest)
            if group is None:
                name = f"{rule.name}\x1f{scenario.index}\x1f{len(groups)}"
                group = groups[rest] = Group(name, timing.within, timing.at_least)
                every = tuple(range(len(rest.ids)))
                final = clause(rest, uncaused(scenario, form.ids[number]))
                final.guards = (Open(group, every),)
                group.clauses.append((final, every))
                finals.append(final)
            feeder.group = group
            group.feeders.append(feeder)
            about = tuple(each for each in scenario.actions if form.ids[number] in mentioned(each))
            if about:
                final = clause(form, about)
                final.guards = (Open(group, places),)
                group.clauses.append((final, places))
                finals.append(final)
    else:
        finals = [clause(form, scenario.actions) for form in forms]
    if timing.absent_for or timing.unseen_for:
        _absences(clause, finals, timing.absent_for or timing.unseen_for, values)
    for final in finals:
        final.hold = timing.hold
    for each in made:
        each.timed = bool(each.hold) or each.group is not None
    return made


def _absences(
    clause: Callable[[Pattern, tuple[Action, ...]], Clause],
    finals: list[Clause],
    length: int,
    values: Callable[[], Values],
) -> None:
    helpers: dict[Pattern, Clause] = {}
    for final in finals:
        pattern = final.pattern
        for absence in pattern.absences:
            if not absence.free:
                continue
            bound = absence.bound
            alone = Pattern((pattern.ids[bound],), (pattern.wants[bound],), (), (replace(absence, bound=0),))
            helper = helpers.get(alone)
            if helper is None:
                helper = helpers[alone] = clause(alone, ())
                helper.hold = length
                if absence.unseen:
                    type_ = wanted(absence.wants, "type")
                    helper.sight = Sight(absence.label, absence.outgoing, type_, tests(absence.wants, values))
            helper.feeds = (*helper.feeds, (final, bound))
            final.guards = (*final.guards, Ripe(helper, bound))


def unseen(form: Pattern) -> Pattern:
    """A pattern in which what must not be there may be, unreported; it comes after what must really not."""
    absences = sorted(form.absences, key=lambda absence: absence.free)
    return replace(
        form, absences=tuple(replace(each, unseen=True) if each.free else each for each in absences)
    )


def counted(form: Pattern, of: str | None) -> int:
    """The place of what a window counts. Raises ``PatternError``."""
    if of is not None:
        if of not in form.ids:
            raise PatternError("time", f"`of: {of}`: it does not stand in each alternative of the condition")
        return form.ids.index(of)
    places = [number for number, wants in enumerate(form.wants) if wanted(wants, "category") == "ALARM"]
    if not places:
        places = sorted({edge.source for edge in form.edges if edge.label == ON})
    if len(places) != 1:
        raise PatternError("time", "say with `of: ID` which entity `within` and `at_least` count")
    return places[0]


def without(form: Pattern, number: int) -> tuple[Pattern, tuple[int, ...]]:
    """A pattern less one of its places, and the places in it of what is left.

    Raises ``PatternError`` when that is nothing, or falls apart.
    """
    places = tuple(place for place in range(len(form.ids)) if place != number)
    if not places:
        raise PatternError(
            "time",
            f"nothing but {form.ids[number]} stands in the condition; join it to what it is counted for",
        )
    at = {place: new for new, place in enumerate(places)}
    edges = tuple(
        PatternEdge(at[edge.source], edge.label, at[edge.target])
        for edge in form.edges
        if number not in (edge.source, edge.target)
    )
    ids = {form.ids[place]: new for place, new in at.items()}
    try:
        connected(ids, edges)
    except PatternError as error:
        raise PatternError("time", f"without {form.ids[number]}, which is counted, {error}") from error
    absences = tuple(
        replace(absence, bound=at[absence.bound], other=at.get(absence.other, -1))
        for absence in form.absences
        if number not in (absence.bound, absence.other)
    )
    return Pattern(tuple(ids), tuple(form.wants[place] for place in places), edges, absences), places


def uncaused(scenario: Scenario, name: str) -> tuple[Action, ...]:
    """The actions that hold whether or not the counted alarm still stands."""
    return tuple(replace(each, causing=None) if each.causing == name else each for each in scenario.actions)


def check_parts(scenario: Scenario, forms: list[Pattern]) -> None:
    """Raises ``PatternError`` when what a scenario says of time does not fit its condition."""
    timing = scenario.timing
    if timing is None:
        return
    rests = [without(form, counted(form, timing.of))[0] for form in forms] if timing.within else forms
    if not (timing.absent_for or timing.unseen_for):
        return
    free = [absence for rest in rests for absence in rest.absences if absence.free]
    key = "absent_for" if timing.absent_for else "not_seen_for"
    if not free:
        raise PatternError(
            "time",
            f"`{key}` needs a NOT whose other end does not stand in the condition, such as "
            "host AND NOT heartbeat [on] host",
        )
    if timing.unseen_for and any(wanted(absence.wants, "type") == DEDUCED for absence in free):
        raise PatternError("time", "nothing reports a deduced alarm; `absent_for` says that there is none")
