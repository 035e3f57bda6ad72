"""Joins: tasks that wait for several branches.

A join keeps the names of the inbound tasks that have arrived and of those that never will, so
that each arrival costs the same however many there are.
"""

from __future__ import annotations

from . import tasks
from .branches import Branch, meet
from .facts import branch
from .records import ENDED, ERROR, WAITING, Task
from .step import Step
from .store import Live

WAITS = "Task is waiting."


def arrive(step: Step, live: Live, name: str, source: Task, event: str) -> None:
    """A branch has reached the join ``name`` from the task ``source``."""
    waiting = live.latest.get(name)
    if waiting is None or (waiting.state in ENDED and armed(live, waiting, source)):
        waiting = tasks.create(step, live, name, ({}, {}), [])
        step.task_state(live, waiting, WAITING, WAITS)
        if live.definition.tasks[name].join == "all" or waiting.number == 1 or not earlier(live, waiting):
            survey(step, live, waiting)
    note(step, waiting, source, event)
    decide(step, live, waiting)


def earlier(live: Live, waiting: Task) -> bool:
    """Whether the join has fired before in this execution."""
    return any(task.name == waiting.name and task is not waiting for task in live.tasks.values())


def armed(live: Live, ended: Task, source: Task) -> bool:
    """Whether a join that has fired, or failed, may do so again for ``source``.

    A branch that the join itself brought about, or that comes a second time, begins a new round;
    any other that had not come yet belongs to the round that is over. A join that does not wait
    for all begins a new round only when all its branches have come or died.
    """
    told = {*ended.arrived, *ended.dead}
    if source.name not in told and not descends(live, source, ended):
        return False
    if live.definition.tasks[ended.name].join == "all":
        return True
    others = (name for name in live.definition.inbound[ended.name] if name != source.name)
    return all(name in told or not may_come(live, name, ended.name) for name in others)


def descends(live: Live, task: Task, ancestor: Task) -> bool:
    """Whether ``ancestor`` led to ``task``."""
    left, met = [task], set()
    while left:
        for trigger, _ in left.pop().triggers:
            if trigger == ancestor.id:
                return True
            above = live.tasks.get(trigger)
            if above is not None and above.number > ancestor.number and trigger not in met:
                met.add(trigger)
                left.append(above)
    return False


def survey(step: Step, live: Live, waiting: Task) -> None:
    """Fills in what was already decided when the join came to be."""
    step.touch(waiting)
    arrived: list[str] = []
    dead: list[str] = []
    for name in live.definition.inbound[waiting.name]:
        source = live.latest.get(name)
        if source is not None and source.state in ENDED and source.processed:
            if waiting.name in source.next:
                arrived.append(name)
            elif not comes_again(live, name, waiting.name):
                dead.append(name)
        elif source is None and not possible(live, name):
            dead.append(name)
    waiting.arrived, waiting.dead = arrived, dead


def look_again(step: Step, live: Live, waiting: Task) -> None:
    """A join that failed is tried once more."""
    survey(step, live, waiting)
    decide(step, live, waiting)


def note(step: Step, waiting: Task, source: Task, event: str) -> None:
    """Enters an inbound task that has arrived by way of the clause ``event``."""
    step.touch(waiting)
    waiting.triggers = [*waiting.triggers, [source.id, event]]
    if source.name not in waiting.arrived:
        waiting.arrived = [*waiting.arrived, source.name]
    if source.name in waiting.dead:
        waiting.dead = [name for name in waiting.dead if name != source.name]


def decide(step: Step, live: Live, waiting: Task) -> None:
    """Starts the join when enough have arrived; fails it when enough no longer can."""
    if waiting.state != WAITING:
        return
    definition = live.definition.tasks[waiting.name]
    total = len(live.definition.inbound[waiting.name])
    need = total if definition.join == "all" else int(definition.join or 0)
    if len(waiting.arrived) >= need:
        waiting.context, waiting.versions = incoming(live, waiting)
        tasks.run(step, live, waiting)
    elif len(waiting.dead) > total - need:
        waiting.context, waiting.versions = incoming(live, waiting)
        step.later(lose, live, waiting)


def lose(step: Step, live: Live, waiting: Task) -> None:
    """A join that cannot come about any more fails; once, however many say so at the same time."""
    if waiting.state == WAITING:
        tasks.complete(step, live, waiting, ERROR, f"Failed by tasks: {sorted(waiting.dead)}")


def incoming(live: Live, waiting: Task) -> Branch:
    """The variables of all branches that have arrived."""
    sources = [live.latest[name] for name in waiting.arrived if name in live.latest]
    sources.sort(key=lambda source: (source.order, source.name))
    return meet(branch(source, True) for source in sources)


def settle(step: Step, live: Live, ended: Task) -> None:
    """What did not follow from ``ended``, and so may never come, is told to the joins beyond."""
    if not live.definition.joins:
        return
    took = set(ended.next)
    for target in live.definition.targets[ended.name]:
        if target not in took:
            died(step, live, target, ended.name)


def died(step: Step, live: Live, name: str, source: str) -> None:
    """The way from ``source`` to ``name`` will not be taken; nor then may ways beyond."""
    definition = live.definition
    left, met = [(name, source)], {(name, source)}
    while left:
        target, origin = left.pop()
        found = live.latest.get(target)
        if definition.tasks[target].join is not None and found is not None:
            if (
                origin not in found.arrived
                and origin not in found.dead
                and not comes_again(live, origin, target)
            ):
                step.touch(found)
                found.dead = [*found.dead, origin]
                decide(step, live, found)
            continue
        if found is None:
            lost = not possible(live, target)
        else:
            lost = found.state in ENDED and found.processed and not comes_again(live, target, "")
        if lost:
            took = found.next if found is not None else []
            beyond = [(each, target) for each in definition.targets[target] if each not in took]
            left += [each for each in reversed(beyond) if each not in met]
            met.update(beyond)


def comes_again(live: Live, name: str, join: str) -> bool:
    """Whether a task that has ended may yet be run anew, by way of something other than ``join``."""
    newest = live.latest.get(name)
    if newest is not None and (newest.state not in ENDED or not newest.processed):
        return True
    left, met = [name], {name, join}
    while left:
        for source_name in live.definition.inbound[left.pop()]:
            if source_name in met:
                continue
            met.add(source_name)
            source = live.latest.get(source_name)
            if source is not None and (source.state not in ENDED or not source.processed):
                return True
            left.append(source_name)
    return False


def may_come(live: Live, name: str, to: str) -> bool:
    """Whether the inbound task ``name`` may still lead to ``to``."""
    found = live.latest.get(name)
    if found is None:
        return possible(live, name)
    return found.state not in ENDED or not found.processed


def possible(live: Live, name: str) -> bool:
    """Whether a task that does not exist yet may still come to be."""
    left, met = [name], {name}
    while left:
        here = left.pop()
        for source_name in live.definition.inbound[here]:
            source = live.latest.get(source_name)
            if source is None:
                if source_name not in met:
                    met.add(source_name)
                    left.append(source_name)
            elif source.state not in ENDED or not source.processed or here in source.next:
                return True
    return False
