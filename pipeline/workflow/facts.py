"""What expressions see of an execution: variables in their layers, tasks, itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .branches import advance
from .records import Chunk, Task
from .scope import Scope, View
from .step import Step, written
from .store import Live, Store


def scope(
    step: Step,
    live: Live,
    task: Task | None,
    variables: Mapping[str, Any],
    items: Mapping[str, Any] | None = None,
) -> Scope:
    """A scope over ``variables`` of a branch; those of the execution and its input stand behind.

    An item variable stands behind the branch too: an upstream variable of that name hides it.
    """
    record = live.record
    layers = [variables, record.context, record.input]
    if items is not None:
        layers.insert(1, items)
    return Scope(View(*layers), Facts(step.store, live, task), step.seed)


def outbound(live: Live, task: Task) -> dict[str, Any]:
    """The variables of a task's branch after it has published."""
    if not task.published:
        return task.context
    return {**task.context, **task.published}


def branch(task: Task, counted: bool) -> tuple[dict[str, Any], dict[str, int]]:
    """The same with the counts of what was published."""
    return advance((task.context, task.versions), task.published, counted)


def root_of(store: Store, live: Live) -> Live:
    """The execution at the top."""
    return store.lives.get(live.record.root, live)


class Facts:
    """Answers Mistral's functions from the store."""

    __slots__ = ("current", "live", "store")

    def __init__(self, store: Store, live: Live, current: Task | None) -> None:
        self.store = store
        self.live = live
        self.current = current

    def task(self, name: str | None) -> dict[str, Any] | None:
        current = self.current
        if current is not None and (not name or name == current.name):
            return described(self.live, current)
        found = self.live.latest.get(name) if name else None
        return described(self.live, found) if found else None

    def tasks(
        self, execution: str | None, recursive: bool, state: str | None, flat: bool
    ) -> list[dict[str, Any]]:
        if execution is not None:
            chosen = [self.store.lives[execution]] if execution in self.store.lives else []
        else:
            chosen = [root_of(self.store, self.live)] if recursive else [self.live]
        if recursive:
            chosen = [below for live in chosen for below in self.store.tree(live)]
        found = [
            (live, task) for live in chosen for task in live.tasks.values() if state in (None, task.state)
        ]
        if flat:
            # Only where it happened: not the tasks that merely hold a sub-workflow that failed.
            found = [(live, task) for live, task in found if not self.passed_on(live, task)]
        return [described(live, task) for live, task in found]

    def passed_on(self, live: Live, task: Task) -> bool:
        """Whether the state of a task is only that of a sub-workflow of its own."""
        below = self.store.children(live) if live.definition.tasks[task.name].workflow else []
        return any(
            child.record.parent_task == task.id and child.record.state == task.state for child in below
        )

    def execution(self) -> dict[str, Any]:
        return execution(self.live)

    def executions(self, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
        found = []
        # Only its own tree: which others are kept here is chance.
        for live in self.store.tree(root_of(self.store, self.live)):
            record = live.record
            told = execution(live)
            fits = (
                filters.get("id", record.id) == record.id
                and filters.get("root", record.root) == record.root
                and filters.get("state", record.state) == record.state
                and filters.get("from", told["created_at"]) <= told["created_at"]
                and filters.get("to", told["created_at"]) >= told["created_at"]
            )
            if fits:
                found.append(told)
        return found

    def env(self) -> Mapping[str, Any]:
        return env(self.store, self.live)

    def globals(self) -> Mapping[str, Any]:
        return self.live.record.context


def env(store: Store, live: Live) -> Mapping[str, Any]:
    """The environment: always the root's."""
    found = root_of(store, live).record.params.get("env")
    return found if isinstance(found, dict) else {}


def execution(live: Live) -> dict[str, Any]:
    """What ``execution()`` gives."""
    record = live.record
    return {
        "id": record.id,
        "name": record.workflow,
        "spec": {"version": "2.0", "name": live.definition.short, **live.definition.spec},
        "input": record.input,
        "params": {"namespace": record.namespace, "env": {}, **record.params},
        "state": record.state,
        "state_info": record.state_info,
        "root_execution_id": record.root if record.root != record.id else None,
        "created_at": shown(record.started),
        "updated_at": shown(record.ended or record.started),
    }


def described(live: Live, task: Task) -> dict[str, Any]:
    """What ``task()`` gives."""
    definition = live.definition.tasks[task.name]
    return {
        "id": task.id,
        "name": task.name,
        "spec": definition.spec,
        "state": task.state,
        "state_info": task.state_info,
        "result": result(live, task),
        "published": task.published,
        "type": "WORKFLOW" if definition.workflow else "ACTION",
        "workflow_execution_id": task.execution,
        "created_at": shown(task.created),
        "updated_at": shown(task.ended or task.created),
    }


def result(live: Live, task: Task) -> Any:
    """The result of a task: that of its action, or the list of its items' in their order."""
    if live.definition.tasks[task.name].with_items:
        return [item for chunk in live.chunks.get(task.id, []) for item in accepted(chunk)]
    if task.done == 0:
        return []
    return task.result


def accepted(chunk: Chunk) -> list[Any]:
    """The results of a chunk's items that have ended."""
    return [value for value, state in zip(chunk.results, chunk.states, strict=True) if state]


def shown(time: int) -> str:
    """A time as Mistral's functions show it."""
    return written(time)[:19].replace("T", " ")
