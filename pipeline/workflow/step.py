"""One record being applied: what it has changed so far, what it puts out, and the way back."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from pipeline.errors import ExpressionError
from pipeline.events import DEFAULT_DOMAIN, Output
from pipeline.ids import identify
from pipeline.times import rfc3339

from . import apart
from .apart import BULK
from .records import ENDED, WAITING, Execution, Record, Task
from .scope import Seed
from .values import text

if TYPE_CHECKING:
    from .store import Live, Store

STEPS = "workflow.steps"
ACTIONS = "workflow.actions"
COMMANDS = "workflow.commands"
LARGE = 64 * 1024
# The same few moments are written again and again.
written = lru_cache(maxsize=4096)(rfc3339)
LARGEST = 900 * 1024
encoded = msgspec.json.encode


T = TypeVar("T")


@dataclass(slots=True)
class Step:
    """A change in the making: ``touch`` before changing a record, ``undo`` to take all of it back."""

    store: Store
    record: str
    partition: int
    position: int
    time: int
    size: int = 0
    text: str = ""
    stem: str = ""
    seed: Seed = field(default_factory=Seed)
    outputs: list[Output] = field(default_factory=list)
    queue: deque[tuple[Callable[..., None], tuple[Any, ...]]] = field(default_factory=deque)
    touched: dict[int, tuple[Record, Record | None]] = field(default_factory=dict)
    undoing: list[Callable[[], object]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    created: int = 0

    def __post_init__(self) -> None:
        self.text = written(self.time)
        self.stem = identify("step", self.partition, self.position, self.record)[:-6]
        self.seed = Seed(self.record, self.time)

    def touch(self, record: Record) -> None:
        """Says that ``record`` is about to be changed."""
        key = id(record)
        if key not in self.touched:
            self.touched[key] = (record, copy.copy(record))

    def fresh(self, record: Record) -> None:
        """Says that ``record`` is new."""
        self.touched[id(record)] = (record, None)

    def exchange(self, holder: dict[str, T], name: str, new: T | None) -> T | None:
        """Puts ``new`` (None: nothing) in the place of what ``holder`` has under ``name``; what that was."""
        before = holder.pop(name, None)
        if new is not None:
            holder[name] = new

        def back() -> None:
            holder.pop(name, None)
            if before is not None:
                holder[name] = before

        self.undoing.append(back)
        return before

    def later(self, function: Callable[..., None], *arguments: Any) -> None:
        """Has ``function`` called once what is being done now is done."""
        self.queue.append((function, arguments))

    def run(self) -> None:
        """Calls what was put off, until nothing is left."""
        queue = self.queue
        while queue:
            function, arguments = queue.popleft()
            function(self, *arguments)

    def changed(self) -> set[str]:
        """The table keys that this step changed. Puts what is large on its shelf."""
        keys = {record.key for record, _ in self.touched.values()}
        keys.update(self.keys)
        if self.store.heavy:
            self.shelve(keys)
        return keys

    def shelve(self, keys: set[str]) -> None:
        """Puts the large values of what was touched apart, and takes away what nothing needs any more."""
        for record, _ in self.touched.values():
            live = self.store.live_of(record)
            if live is None or not live.record.bulk:
                continue
            # A record that was dropped in this very step needs nothing.
            values = apart.split(record)[1] if self.store.find(record.key) is record else {}
            keys.update(
                f"value/{live.record.id}/{digest}" for digest in live.shelf.update(record.key, values)
            )
        for key in self.keys:
            kind, execution = key.split("/")[:2]
            live = self.store.lives.get(execution)
            if live is not None and kind in ("task", "items") and self.store.find(key) is None:
                keys.update(f"value/{execution}/{digest}" for digest in live.shelf.update(key, {}))

    def weigh(self, live: Live, value: Any, what: str) -> Any:
        """``value``, if a record can hold it; notes when it is large. Raises ``ExpressionError``."""
        size = len(encoded(value))
        if size > BULK:
            self.bulk(live)
        if size > LARGEST:
            raise ExpressionError(f"{what} has {size} bytes; a record holds {LARGEST}")
        return value

    def bulk(self, live: Live) -> None:
        """Notes that an execution holds something large: from now on its values are looked at."""
        if live.record.bulk:
            return
        self.execution(live).bulk = True
        self.store.heavy.add(live.record.id)
        # What it holds already is looked at too, so that one rule goes for all its records.
        for task in live.tasks.values():
            self.touch(task)
        for chunks in live.chunks.values():
            for chunk in chunks:
                self.touch(chunk)

    def undo(self) -> None:
        """Puts everything back as it was before this step."""
        for record, before in self.touched.values():
            if before is not None:
                for name in record.__struct_fields__:
                    setattr(record, name, getattr(before, name))
        for back in reversed(self.undoing):
            back()
        for execution in {getattr(record, "execution", "") for record, _ in self.touched.values()}:
            if execution in self.store.lives:
                self.store.lives[execution].index()

    def put(self, topic: str, key: str, value: dict[str, Any]) -> None:
        """Puts out a record; ``value`` has its ``id`` and ``time``."""
        self.outputs.append(Output(topic, key, value["id"], self.text, value))

    def tell(
        self, root: str, execution: str, kind: str, name: str, state: str, fields: dict[str, Any]
    ) -> None:
        """Puts out one record of ``workflow.steps``."""
        number = f"{self.stem}{len(self.outputs):06x}"
        live = self.store.lives.get(execution)
        value = {
            "id": number,
            "time": self.text,
            "domain": live.record.domain if live is not None else DEFAULT_DOMAIN,
            "root": root,
            "execution": execution,
            "kind": kind,
            "name": name,
            "state": state,
            **fields,
        }
        self.outputs.append(Output(STEPS, root, number, self.text, value))

    def execution_state(self, live: Live, state: str, message: Any, **more: Any) -> None:
        """Changes the state of an execution and tells of it."""
        record, info = live.record, text(message)
        self.touch(record)
        was, record.state, record.state_info = record.state, state, info
        fields: dict[str, Any] = {"state_info": info, "from": was, "workflow": record.workflow, **more}
        fields["input"] = record.reference or record.input
        if record.bulk and (size := len(encoded(fields["input"]))) > LARGE:
            fields["input"] = {"omitted": size}
        if record.by is not None:
            fields["by"] = record.by
        if record.parent_task:
            fields["task"] = record.parent_task
            fields["parent"] = {
                "execution": record.parent,
                "task": record.parent_task,
                "index": record.index,
                "attempt": record.attempt,
            }
        fields["started_at"] = written(record.started)
        if state in ENDED:
            fields["ended_at"] = self.text
        self.tell(record.root, record.id, "EXECUTION", record.workflow, state, fields)

    def task_state(self, live: Live, task: Task, state: str, info: str | None = None, **more: Any) -> None:
        """Changes the state of a task and tells of it."""
        was = self.change_task(live, task, state, info)
        self.tell_task(live, task, was, **more)

    def change_task(self, live: Live, task: Task, state: str, info: str | None) -> str:
        """Changes the state of a task and says nothing yet; returns what it was."""
        self.touch(task)
        was, task.state, task.state_info = task.state, state, info
        live.open += (state not in ENDED) - (was not in ENDED)
        live.waiting += (state == WAITING) - (was == WAITING)
        return was

    def tell_task(self, live: Live, task: Task, was: str, **more: Any) -> None:
        """Puts out the state of a task."""
        record = live.record
        fields: dict[str, Any] = {
            "state_info": task.state_info,
            "from": was,
            "task": task.id,
            "workflow": record.workflow,
            "attempt": task.attempt,
            **more,
        }
        if task.started:
            fields["started_at"] = written(task.started)
        if task.state in ENDED:
            fields["ended_at"] = self.text
        self.tell(record.root, record.id, "TASK", task.name, task.state, fields)

    def shown(self, value: Any) -> Any:
        """A value that no record has, as ``workflow.steps`` has it: of a large one, how large it is."""
        if not self.store.heavy and self.size <= LARGE:
            return value
        size = len(encoded(value))
        return value if size <= LARGE else {"omitted": size}

    def large(self, value: Any, name: str = "result") -> Any:
        """The field ``name`` of this record as ``workflow.steps`` has it: a large one by its place."""
        if self.size <= LARGE or len(encoded(value)) <= LARGE:
            return value
        return {"reference": [COMMANDS, self.partition, self.position], "field": name}

    def execution(self, live: Live) -> Execution:
        """The record of ``live``, about to be changed."""
        self.touch(live.record)
        return live.record
