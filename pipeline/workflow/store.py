"""The state of one partition: executions with their tasks, definitions, what has ended, timers."""

from __future__ import annotations

import heapq
from typing import Any

import msgspec

from pipeline.errors import CheckpointFailed
from pipeline.ids import identify

from . import apart
from .apart import Shelf
from .definition import content_of
from .entries import Entries
from .model import ActionDefinition, Content, WorkflowDefinition
from .records import (
    BETWEEN,
    VERSION,
    WAITING,
    Chunk,
    Document,
    Ended,
    Entry,
    Environment,
    Execution,
    Record,
    Revision,
    Task,
    Timer,
    Triggers,
)

DAY = 86_400 * 1_000_000
REMEMBERED = 30 * DAY
RETAINED = 7 * DAY
MOST_REMEMBERED = 500_000
MOST_RETAINED = 20_000

ENDED_KEY = "ended/"
TRIGGER_KEY = "trigger/"
VALUE_KEY = "value/"


class Live:
    """An execution with its definition and its tasks."""

    __slots__ = (
        "calls",
        "children",
        "chunks",
        "definition",
        "latest",
        "open",
        "record",
        "shelf",
        "tasks",
        "waiting",
    )

    def __init__(self, record: Execution, definition: WorkflowDefinition) -> None:
        self.record = record
        self.definition = definition
        self.tasks: dict[str, Task] = {}
        self.latest: dict[str, Task] = {}
        self.chunks: dict[str, list[Chunk]] = {}
        self.children: dict[str, None] = {}
        # For tasks with items: which of their running calls is which item. Built when first needed.
        self.calls: dict[str, dict[str, int]] = {}
        self.shelf = Shelf()
        self.open = 0
        self.waiting = 0

    def index(self) -> None:
        """Computes anew what is derived from the tasks."""
        ordered = sorted(self.tasks.values(), key=lambda task: task.number)
        self.tasks = {task.id: task for task in ordered}
        self.latest = {task.name: task for task in ordered}
        self.open = sum(task.open for task in ordered)
        self.waiting = sum(task.state == WAITING for task in ordered)
        self.calls.clear()


class Store:
    """All of a partition. Holds; decides nothing."""

    def __init__(self) -> None:
        self.lives: dict[str, Live] = {}
        # Until when each is remembered, and a heap of that: its order is the same after a restore.
        self.ended: dict[str, int] = {}
        self.ending: list[tuple[int, str]] = []
        self.documents: dict[str, Document] = {}
        self.revisions: dict[str, Revision] = {}
        self.uses: dict[str, int] = {}
        # By namespace and name.
        self.workflows: dict[tuple[str, str], tuple[str, WorkflowDefinition]] = {}
        self.actions: dict[tuple[str, str], ActionDefinition] = {}
        self.timers: list[tuple[int, str, str, str]] = []
        self.forgetting: list[tuple[int, str]] = []
        # By workflow and execution: those that are counted here against limits.
        self.entries: dict[str, Entries] = {}
        self.triggers: dict[str, Triggers] = {}
        self.environments: dict[str, Environment] = {}
        # The executions that hold something large.
        self.heavy: set[str] = set()
        self.loading: list[Task | Chunk] = []
        self.loading_values: dict[str, dict[str, bytes]] = {}

    def encode(self, key: str) -> bytes | None:
        """The value of a table key; None when there is none."""
        if key.startswith(ENDED_KEY):
            until = self.ended.get(key[len(ENDED_KEY) :])
            return None if until is None else msgspec.json.encode(Ended(until))
        if key.startswith(VALUE_KEY):
            _, execution, digest = key.split("/")
            holder = self.lives.get(execution)
            kept = holder.shelf.values.get(digest) if holder else None
            return None if kept is None else b'{"v":%d,"value":%s}' % (VERSION, kept)
        record = self.find(key)
        if record is None:
            return None
        live = self.live_of(record)
        return apart.encode(record) if live is not None and live.record.bulk else msgspec.json.encode(record)

    def live_of(self, record: Record) -> Live | None:
        """The execution that a record is of."""
        if isinstance(record, Execution):
            return self.lives.get(record.id)
        return self.lives.get(record.execution) if isinstance(record, Task | Chunk) else None

    def find(self, key: str) -> Record | None:
        """The record of a table key."""
        kind, _, rest = key.partition("/")
        if kind == "execution":
            live = self.lives.get(rest)
            return live.record if live else None
        if kind == "task":
            execution, _, task = rest.partition("/")
            live = self.lives.get(execution)
            return live.tasks.get(task) if live else None
        if kind == "items":
            execution, task, number = rest.split("/")
            live = self.lives.get(execution)
            chunks = live.chunks.get(task, []) if live else []
            return chunks[int(number)] if int(number) < len(chunks) else None
        if kind == "limit":
            workflow, _, execution = rest.partition(BETWEEN)
            entries = self.entries.get(workflow)
            return entries.get(execution) if entries is not None else None
        holders: dict[str, dict[str, Any]] = {
            "trigger": self.triggers,
            "environment": self.environments,
            "document": self.documents,
            "revision": self.revisions,
        }
        found: Record | None = holders[kind].get(rest)
        return found

    def load(self, key: str, value: bytes) -> None:
        """Takes back one record. Raises ``CheckpointFailed`` when it is of a newer version."""
        kind, _, rest = key.partition("/")
        try:
            record = DECODERS[kind].decode(value)
            version = record.v
        except msgspec.DecodeError:
            version = msgspec.json.decode(value, type=_Versioned).v
            if version <= VERSION:
                raise
        if version > VERSION:
            raise CheckpointFailed(
                f"{key} was written by a newer Faultline (format {version}, this one reads {VERSION}); "
                "start the newer one"
            )
        if kind == "ended":
            self.ended[rest] = record.until
            return
        if kind == "value":
            execution, _, digest = rest.partition("/")
            self.loading_values.setdefault(execution, {})[digest] = bytes(record.value)
            return
        if isinstance(record, Execution):
            # Its definition may not have been loaded yet; restored() finds it.
            self.lives[record.id] = Live(record, UNKNOWN)
        elif isinstance(record, Task | Chunk):
            self.loading.append(record)
        elif isinstance(record, Document):
            self.documents[record.name] = record
        elif isinstance(record, Revision):
            self.revisions[record.hash] = record
        elif isinstance(record, Entry):
            self.entries.setdefault(record.workflow, Entries()).put(record)
        elif isinstance(record, Triggers):
            self.triggers[record.name] = record
        elif isinstance(record, Environment):
            self.environments[record.name] = record

    def restored(self) -> None:
        """Puts together what ``load`` brought in any order."""
        for record in self.loading:
            live = self.lives.get(record.execution)
            if live is None:
                raise CheckpointFailed(f"{record.key} is there without its execution: the table is not whole")
            if isinstance(record, Task):
                live.tasks[record.id] = record
            else:
                live.chunks.setdefault(record.task, []).append(record)
        self.loading.clear()
        for live in self.lives.values():
            if live.record.bulk:
                self.put_back(live, self.loading_values.get(live.record.id, {}))
        self.loading_values.clear()
        self.lives = dict(sorted(self.lives.items(), key=lambda item: (item[1].record.started, item[0])))
        for live in self.lives.values():
            live.definition = self.definition(live.record.revision, live.record.workflow)
            live.index()
            for chunks in live.chunks.values():
                chunks.sort(key=lambda chunk: chunk.number)
            self.use(live.record.revision)
            if live.record.parent and live.record.parent in self.lives:
                self.lives[live.record.parent].children[live.record.id] = None
            for task in live.tasks.values():
                for timer in task.timers:
                    self.arm(live.record, task, timer)
            if live.record.bulk:
                self.heavy.add(live.record.id)
            if live.record.ended:
                self.forget_at(live.record.ended + RETAINED, live.record.id)
        self.ending = sorted((until, execution) for execution, until in self.ended.items())
        for triggers in self.triggers.values():
            self.schedule(triggers)
        for document in self.documents.values():
            if document.revision:
                self.use(document.revision)
        self.reindex()

    def put_back(self, live: Live, values: dict[str, bytes]) -> None:
        """Puts the values kept apart back into the records of an execution."""
        decoded = {digest: msgspec.json.decode(value) for digest, value in values.items()}
        chunks = [chunk for each in live.chunks.values() for chunk in each]
        records: list[Record] = [live.record, *live.tasks.values(), *chunks]
        for record in records:
            try:
                met = apart.join(record, decoded)
            except KeyError as error:
                raise CheckpointFailed(
                    f"{record.key} needs the value {error}: the table is not whole"
                ) from error
            live.shelf.update(record.key, {digest: values[digest] for digest in met})

    def arm(self, execution: Execution, task: Task, timer: Timer) -> None:
        """Puts a timer on the heap."""
        heapq.heappush(self.timers, (timer.due, timer.id, execution.id, task.id))

    def schedule(self, document: Triggers) -> None:
        """Puts the timers of a document of triggers on the heap."""
        for name, schedule in document.schedules.items():
            if schedule.due:
                # A timer of no execution is one of a trigger.
                timer = identify("timer", TRIGGER_KEY, document.name, name, schedule.due)
                heapq.heappush(self.timers, (schedule.due, timer, "", f"{document.name}{BETWEEN}{name}"))

    def forget_at(self, when: int, execution: str) -> None:
        """Has an execution forgotten at ``when``."""
        heapq.heappush(self.forgetting, (when, execution))

    def children(self, live: Live) -> list[Live]:
        """The executions right under one, in an order that a restore does not change."""
        found = [self.lives[child] for child in live.children if child in self.lives]
        return sorted(found, key=lambda each: (each.record.started, each.record.index, each.record.id))

    def tree(self, live: Live) -> list[Live]:
        """An execution and all under it."""
        found = [live]
        for child in self.children(live) if live.children else ():
            found += self.tree(child)
        return found

    def pop_forgetting(self) -> tuple[int, str]:
        """Takes the next to be forgotten off."""
        return heapq.heappop(self.forgetting)

    def pending(self, entry: tuple[int, str, str, str]) -> bool:
        """Whether a timer of the heap still stands."""
        due, timer, execution, task = entry
        if not execution:
            name, _, trigger = task.partition(BETWEEN)
            document = self.triggers.get(name)
            schedule = document.schedules.get(trigger) if document else None
            return schedule is not None and schedule.due == due
        live = self.lives.get(execution)
        found = live.tasks.get(task) if live else None
        return found is not None and any(each.id == timer for each in found.timers)

    def use(self, revision: str, by: int = 1) -> None:
        """Counts who needs a revision."""
        if revision:
            self.uses[revision] = self.uses.get(revision, 0) + by

    def reindex(self) -> None:
        """Computes which workflows and ad-hoc actions are in force; of two, the later one is."""
        self.workflows = {}
        self.actions = {}
        for document in sorted(self.documents.values(), key=lambda each: (each.position, each.name)):
            if not document.revision:
                continue
            content = self.content(document.revision)
            for workflow in content.workflows:
                self.workflows[document.namespace, workflow.name] = (document.revision, workflow)
            for action in content.actions:
                self.actions[document.namespace, action.name] = action

    def workflow(self, name: str, namespace: str, book: str | None) -> tuple[str, WorkflowDefinition] | None:
        """The workflow of that name as seen from a workbook in a namespace: the nearest, or None."""
        for place in (namespace, "") if namespace else ("",):
            for full in (f"{book}.{name}", name) if book else (name,):
                found = self.workflows.get((place, full))
                if found is not None:
                    return found
        return None

    def action(self, name: str, namespace: str, definition: WorkflowDefinition) -> ActionDefinition | None:
        """The ad-hoc action of that name as seen from a workflow: of its own document first, or None."""
        if not self.actions and not definition.actions:
            return None
        names = (f"{definition.book}.{name}", name) if definition.book else (name,)
        for full in names:
            if full in definition.actions:
                return definition.actions[full]
        for place in (namespace, "") if namespace else ("",):
            for full in names:
                found = self.actions.get((place, full))
                if found is not None:
                    return found
        return None

    def content(self, revision: str) -> Content:
        """What a revision defines."""
        return content_of(self.revisions[revision].text)

    def definition(self, revision: str, workflow: str) -> WorkflowDefinition:
        """The workflow of that name in a revision."""
        if not revision:
            return UNKNOWN
        return next(each for each in self.content(revision).workflows if each.name == workflow)


class _Versioned(msgspec.Struct):
    v: int = VERSION


class _Kept(msgspec.Struct):
    value: msgspec.Raw
    v: int = VERSION


DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(type_)
    for kind, type_ in {
        "execution": Execution,
        "task": Task,
        "items": Chunk,
        "document": Document,
        "revision": Revision,
        "ended": Ended,
        "limit": Entry,
        "trigger": Triggers,
        "environment": Environment,
        "value": _Kept,
    }.items()
}


UNKNOWN = WorkflowDefinition("", "", None, "direct", (), None, None, {}, {}, {})
