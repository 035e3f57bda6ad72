"""What ended executions leave behind, and for how long."""

from __future__ import annotations

import heapq

from .records import ENDED, SUCCESS
from .step import Step
from .store import ENDED_KEY, MOST_REMEMBERED, MOST_RETAINED, REMEMBERED, RETAINED, VALUE_KEY, Live


def forget(step: Step, live: Live, ending: bool = False) -> None:
    """Lets go of a tree of executions that has ended and has nothing running.

    One that failed or was cancelled stays a while: its tasks may be run again.
    """
    store = step.store
    top = store.lives.get(live.record.root)
    if top is None or top.record.state not in ENDED:
        return
    tree = store.tree(top)
    if at_rest(tree) and (top.record.state == SUCCESS or not top.record.revision):
        drop(step, tree)
    elif ending and live is top:
        store.forget_at(top.record.ended + RETAINED, top.record.id)


def at_rest(tree: list[Live]) -> bool:
    """Whether nothing in a tree runs or can be heard of any more."""
    return not any(each.open or each.record.orphans or each.record.state not in ENDED for each in tree)


def let_go_below(step: Step, live: Live, child: Live) -> None:
    """Removes a sub-workflow, with all under it, of a task that is let go, if it is at rest."""
    tree = step.store.tree(child)
    if not at_rest(tree):
        return
    live.children.pop(child.record.id, None)
    step.undoing.append(lambda: live.children.__setitem__(child.record.id, None))
    drop(step, tree)


def drop(step: Step, tree: list[Live]) -> None:
    """Removes a tree; of the top, that it was stays known."""
    store = step.store
    for live in tree:
        record = live.record
        step.keys.append(record.key)
        step.keys += [task.key for task in live.tasks.values()]
        step.keys += [chunk.key for chunks in live.chunks.values() for chunk in chunks]
        step.keys += [f"{VALUE_KEY}{record.id}/{digest}" for digest in live.shelf.values]
        del store.lives[record.id]
        store.heavy.discard(record.id)
        store.use(record.revision, -1)

        def back(live: Live = live) -> None:
            store.lives[live.record.id] = live
            if live.record.bulk:
                store.heavy.add(live.record.id)
            store.use(live.record.revision)

        step.undoing.append(back)
        release(step, record.revision)
    if not tree[0].record.parent:
        remember(step, tree[0].record.id)


def remember(step: Step, execution: str) -> None:
    """Notes that an execution was; of too many, the oldest are let go early."""
    ended = step.store.ended
    ended[execution] = step.time + REMEMBERED
    heapq.heappush(step.store.ending, (step.time + REMEMBERED, execution))
    step.keys.append(f"{ENDED_KEY}{execution}")
    step.undoing.append(lambda: ended.pop(execution, None))


def release(step: Step, revision: str) -> None:
    """Removes a revision that nothing needs any more."""
    store = step.store
    if not revision or store.uses.get(revision, 0) > 0:
        return
    found = store.revisions.pop(revision, None)
    if found is not None:
        step.keys.append(found.key)
        step.undoing.append(lambda: store.revisions.__setitem__(revision, found))


def purge(step: Step) -> None:
    """Forgets what has been kept long enough by the time of this record; of too much, the oldest."""
    store = step.store
    while store.ending and (store.ending[0][0] <= step.time or len(store.ended) > MOST_REMEMBERED):
        until, execution = entry = heapq.heappop(store.ending)
        step.undoing.append(lambda entry=entry: heapq.heappush(store.ending, entry))  # type: ignore[misc]
        # An entry may be left of a step that was taken back.
        if store.ended.get(execution) == until:
            del store.ended[execution]
            step.keys.append(f"{ENDED_KEY}{execution}")
            step.undoing.append(lambda entry=entry: store.ended.__setitem__(entry[1], entry[0]))  # type: ignore[misc]
    while store.forgetting and (store.forgetting[0][0] <= step.time or len(store.forgetting) > MOST_RETAINED):
        when, execution = store.pop_forgetting()
        step.undoing.append(lambda when=when, execution=execution: store.forget_at(when, execution))  # type: ignore[misc]
        live = store.lives.get(execution)
        if live is not None and live.record.ended and live.record.ended + RETAINED <= when:
            drop(step, store.tree(live))
