"""Tasks over items: several calls of one task, some at a time, their results in order."""

from __future__ import annotations

from typing import Any

from pipeline.errors import ExpressionError

from . import calls, tasks
from .apart import BULK
from .expressions import evaluate
from .facts import scope
from .records import CANCELLED, CHUNK, ERROR, SUCCESS, Chunk, Task
from .step import Step, encoded
from .store import Live


def begin(step: Step, live: Live, task: Task) -> None:
    """Evaluates the lists and calls for as many items as may run at once."""
    definition = live.definition.tasks[task.name]
    reading = scope(step, live, task, task.context)
    names = [name for name, _ in definition.with_items]
    lists = [listed(name, evaluate(source, reading)) for name, source in definition.with_items]
    if len({len(each) for each in lists}) != 1:
        sizes = ", ".join(f"{name}: {len(each)}" for name, each in zip(names, lists, strict=True))
        raise ExpressionError(f"the lists of with-items have different lengths ({sizes})")
    count = len(lists[0])
    step.touch(task)
    task.items, task.begun, task.done, task.failed, task.bytes = count, 0, 0, 0, 0
    task.again = []
    fill(step, live, task, [dict(zip(names, each, strict=True)) for each in zip(*lists, strict=True)])
    live.calls[task.id] = {}
    if not count:
        step.later(tasks.complete, live, task, SUCCESS)
        return
    more(step, live, task)


def listed(name: str, value: Any) -> list[Any]:
    """The items of a list, the characters of a text, the keys of a mapping."""
    if isinstance(value, list | str | dict):
        return list(value)
    raise ExpressionError(f"with-items: {name!r} is to run over {value!r}, which is no list")


def fill(step: Step, live: Live, task: Task, inputs: list[dict[str, Any]]) -> None:
    """Lays the items out in chunks, so that a result rewrites only its neighbours."""
    old = live.chunks.get(task.id, [])
    step.undoing.append(lambda: live.chunks.__setitem__(task.id, old))
    step.keys += [chunk.key for chunk in old]
    chunks: list[Chunk] = []
    for start in range(0, len(inputs), CHUNK):
        part = inputs[start : start + CHUNK]
        chunk = Chunk(
            execution=task.execution,
            task=task.id,
            number=len(chunks),
            inputs=part,
            states=[""] * len(part),
            results=[None] * len(part),
            heard=[""] * len(part),
        )
        step.fresh(chunk)
        chunks.append(chunk)
    live.chunks[task.id] = chunks
    if any(len(encoded(chunk.inputs)) > BULK for chunk in chunks):
        step.bulk(live)


def more(step: Step, live: Live, task: Task) -> None:
    """Calls for the next items, up to the capacity; ``again`` holds those to be repeated."""
    step.touch(task)
    while task.again or task.begun < task.items:
        if task.capacity and task.begun - len(task.again) - task.done >= task.capacity:
            return
        if task.again:
            index, task.again = task.again[0], task.again[1:]
        else:
            index = task.begun
            task.begun += 1
        one(step, live, task, index)


def one(step: Step, live: Live, task: Task, index: int) -> None:
    """Calls for one item."""
    chunk = live.chunks[task.id][index // CHUNK]
    item = chunk.inputs[index % CHUNK]
    known(live, task)[calls.action_id(task, index)] = index
    calls.call(step, live, task, scope(step, live, task, task.context, item), index)


def known(live: Live, task: Task) -> dict[str, int]:
    """Which call of this attempt is which item; built anew after a restore."""
    found = live.calls.get(task.id)
    if found is None:
        found = {calls.action_id(task, index): index for index in range(task.begun)}
        live.calls[task.id] = found
    return found


def running(live: Live, task: Task) -> list[str]:
    """The ids of the calls that have not ended."""
    waiting = set(task.again)
    return [
        call_id
        for call_id, index in known(live, task).items()
        if index not in waiting and not outcome(live, task, index)[0]
    ]


def index_of(live: Live, task: Task, call_id: str) -> int | None:
    """The item of a running call; None when it is not of this attempt or has ended."""
    index = known(live, task).get(call_id) if task.open else None
    if index is None or index in task.again or outcome(live, task, index)[0]:
        return None
    return index


def index_of_ended(live: Live, task: Task, call_id: str) -> int | None:
    """The item of a call of this attempt, whether it has ended or not."""
    return known(live, task).get(call_id)


def outcome(live: Live, task: Task, index: int) -> tuple[str, Any]:
    """How an item ended."""
    chunk = live.chunks[task.id][index // CHUNK]
    return chunk.states[index % CHUNK], chunk.results[index % CHUNK]


def heard(live: Live, task: Task, index: int) -> str:
    """By which command it was heard how an item ended, in short."""
    return live.chunks[task.id][index // CHUNK].heard[index % CHUNK]


def short(command: str) -> str:
    """Enough of a command's id to know it again: a record is kept for every item."""
    return command[-12:]


def settle(
    step: Step, live: Live, task: Task, call_id: str, state: str, value: Any, command: str = ""
) -> None:
    """Enters how an item ended."""
    index = known(live, task)[call_id]
    chunk = live.chunks[task.id][index // CHUNK]
    place = index % CHUNK
    step.touch(chunk)
    step.touch(task)
    chunk.states = [*chunk.states[:place], state, *chunk.states[place + 1 :]]
    chunk.results = [*chunk.results[:place], value, *chunk.results[place + 1 :]]
    chunk.heard = [*chunk.heard[:place], short(command), *chunk.heard[place + 1 :]]
    task.done += 1
    task.bytes += len(encoded(value))


def done(
    step: Step,
    live: Live,
    task: Task,
    call_id: str,
    index: int,
    state: str,
    value: Any,
    command: str = "",
) -> None:
    """An item has ended; the task ends with the last, or with the first that was cancelled."""
    settle(step, live, task, call_id, state, value, command)
    if state == CANCELLED:
        calls.abandon(step, live, task)
        tasks.complete(step, live, task, CANCELLED, "One or more actions was cancelled.")
        return
    if state == ERROR:
        task.failed += 1
        kind = "wf_ex_id" if live.definition.tasks[task.name].workflow else "action_ex_id"
        task.errors = [*task.errors[-19:], [kind, call_id, index, calls.words(value) or "Unknown"]]
    if task.done < task.items:
        resume(step, live, task)
        return
    if task.failed:
        tasks.complete(step, live, task, ERROR, "One or more actions had failed.")
    else:
        tasks.complete(step, live, task, SUCCESS)


def resume(step: Step, live: Live, task: Task) -> None:
    """Calls for the next items; a bad expression in one of them fails the task."""
    try:
        more(step, live, task)
    except ExpressionError as error:
        where = f"wf={live.record.workflow}, task={task.name}"
        tasks.force(step, live, task, f"Failed to run task [error={error}, {where}]:")
