"""What is kept of executions: one record each, one for each task, one for some items of a task.

A record is changed only after ``Step.touch``, and what it holds is replaced, never altered in
place, so that a shallow copy is enough to undo.
"""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.events import DEFAULT_DOMAIN

VERSION = 1

IDLE = "IDLE"
WAITING = "WAITING"
RUNNING = "RUNNING"
DELAYED = "DELAYED"
PAUSED = "PAUSED"
SUCCESS = "SUCCESS"
ERROR = "ERROR"
CANCELLED = "CANCELLED"
SKIPPED = "SKIPPED"
HELD = "HELD"
UNDOING = "UNDOING"

ENDED = frozenset({SUCCESS, ERROR, CANCELLED, SKIPPED})
#: What an executor says of an action, and what somebody outside may say of one.
RESULTS = (SUCCESS, ERROR, CANCELLED)
REPORTS = (*RESULTS, PAUSED, RUNNING)
CHUNK = 64
# Between two names either of which may hold a slash.
BETWEEN = "\x1f"


class Timer(msgspec.Struct, frozen=True, array_like=True):
    """A moment that a task waits for."""

    id: str
    due: int
    kind: str


class Undo(msgspec.Struct, frozen=True, omit_defaults=True):
    """How an execution will have ended once what it did is undone, and how far that is."""

    state: str
    info: str | None = None
    now: str = ""
    done: list[str] = []


class Execution(msgspec.Struct, omit_defaults=True):
    """One run of a workflow."""

    id: str
    root: str
    workflow: str
    revision: str
    state: str
    started: int
    v: int = VERSION
    state_info: str | None = None
    input: dict[str, Any] = {}
    params: dict[str, Any] = {}
    namespace: str = ""
    context: dict[str, Any] = {}
    output: Any = None
    parent: str = ""
    parent_task: str = ""
    index: int = 0
    attempt: int = 1
    by: Any = None
    reference: dict[str, Any] | None = None
    ended: int = 0
    numbered: int = 0
    completed: int = 0
    backlog: list[Any] = []
    orphans: list[str] = []
    seen: list[str] = []
    bulk: bool = False
    domain: str = DEFAULT_DOMAIN
    limited: str = ""
    undo: Undo | None = None

    @property
    def key(self) -> str:
        return f"execution/{self.id}"


class Approval(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an approval waits for, and what has been said so far."""

    roles: list[str]
    needed: int
    message: str = ""
    timeout: float = 0
    otherwise: str = "reject"
    escalate_to: list[str] = []
    escalated: bool = False
    decisions: list[dict[str, Any]] = []


class Task(msgspec.Struct, omit_defaults=True):
    """One run of a task of a workflow; retries are attempts of the same one."""

    id: str
    execution: str
    name: str
    number: int
    state: str
    created: int
    v: int = VERSION
    state_info: str | None = None
    context: dict[str, Any] = {}
    versions: dict[str, int] = {}
    published: dict[str, Any] = {}
    result: Any = None
    attempt: int = 1
    retries: int = 0
    action: str = ""
    outcome: str = ""
    heard: str = ""
    reference: dict[str, Any] | None = None
    running: list[str] = []
    calls: int = 0
    errors: list[list[Any]] = []
    items: int = -1
    begun: int = 0
    done: int = 0
    failed: int = 0
    capacity: int = 0
    again: list[int] = []
    timers: list[Timer] = []
    passed: list[str] = []
    end: str = ""
    end_info: str | None = None
    next: list[str] = []
    triggers: list[list[str]] = []
    arrived: list[str] = []
    dead: list[str] = []
    leads: bool = False
    handled: bool = False
    processed: bool = False
    timed_out: bool = False
    reopened: bool = False
    started: int = 0
    ended: int = 0
    order: int = 0
    bytes: int = 0
    approvals: dict[str, Approval] = {}

    @property
    def key(self) -> str:
        return f"task/{self.execution}/{self.id}"

    @property
    def open(self) -> bool:
        """Whether the task has not ended."""
        return self.state not in ENDED


class Chunk(msgspec.Struct, omit_defaults=True):
    """Up to ``CHUNK`` items of a with-items task."""

    execution: str
    task: str
    number: int
    v: int = VERSION
    inputs: list[Any] = []
    states: list[str] = []
    results: list[Any] = []
    heard: list[str] = []

    @property
    def key(self) -> str:
        return f"items/{self.execution}/{self.task}/{self.number}"


class Document(msgspec.Struct, omit_defaults=True):
    """A document of definitions as it was put live last, and the revision that is in force."""

    name: str
    position: int
    revision: str
    v: int = VERSION
    path: str = ""
    namespace: str = ""
    error: str | None = None

    @property
    def key(self) -> str:
        return f"document/{self.name}"


class Revision(msgspec.Struct, omit_defaults=True):
    """The text of a document; kept as long as the document or an execution needs it."""

    hash: str
    text: str
    v: int = VERSION

    @property
    def key(self) -> str:
        return f"revision/{self.hash}"


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """An execution of a limited workflow, where its limits are decided."""

    workflow: str
    root: str
    execution: str
    at: int
    state: str
    v: int = VERSION
    target: str = ""
    limits: dict[str, Any] = {}
    limit: str = ""
    ask: str = ""

    @property
    def key(self) -> str:
        return f"limit/{self.workflow}{BETWEEN}{self.execution}"


class Schedule(msgspec.Struct, frozen=True, array_like=True):
    """When a trigger fires next (0: never again), and how often it has."""

    due: int
    fired: int = 0


class Triggers(msgspec.Struct, frozen=True, omit_defaults=True):
    """A document of triggers as it was put live last, and where its schedules stand."""

    name: str
    text: str
    v: int = VERSION
    path: str = ""
    error: str | None = None
    refused: str = ""
    schedules: dict[str, Schedule] = {}

    @property
    def key(self) -> str:
        return f"trigger/{self.name}"


class Environment(msgspec.Struct, frozen=True, omit_defaults=True):
    """An environment as it was put live last."""

    name: str
    text: str
    v: int = VERSION
    path: str = ""
    error: str | None = None
    refused: str = ""

    @property
    def key(self) -> str:
        return f"environment/{self.name}"


class Ended(msgspec.Struct, omit_defaults=True):
    """That an execution was, so that starting it again is nothing."""

    until: int
    v: int = VERSION


Record = Execution | Task | Chunk | Document | Revision | Entry | Triggers | Environment
