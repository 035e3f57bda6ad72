"""Definitions of workflows as the engine reads them: checked, normalized, unchanging."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

COMMANDS = ("noop", "fail", "succeed", "pause")
NOTHING: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Parameter:
    """An input: its name, and its default where it has one (never evaluated)."""

    name: str
    optional: bool = False
    default: Any = None


@dataclass(frozen=True, slots=True)
class Transition:
    """Where to go when a task has ended: a task or an engine command, perhaps guarded."""

    target: str
    guard: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Publish:
    """What is published: into the branch and for the whole execution."""

    branch: Any = field(default_factory=dict)
    everywhere: Any = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Clause:
    """An ``on-success``, ``on-error``, ``on-complete`` or ``on-skip``."""

    transitions: tuple[Transition, ...] = ()
    publish: Publish = field(default_factory=Publish)


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and when a task is run again."""

    count: Any
    delay: Any
    break_on: str | None = None
    continue_on: str | None = None


@dataclass(frozen=True, slots=True)
class Policies:
    """What surrounds the run of a task; None where the policy is not set."""

    retry: Retry | None = None
    wait_before: Any = None
    wait_after: Any = None
    timeout: Any = None
    pause_before: Any = None
    fail_on: Any = None
    concurrency: Any = None


EMPTY_CLAUSE = Clause()
NO_POLICIES = Policies()


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """One task. Exactly one of ``action`` and ``workflow`` is set."""

    name: str
    action: str | None
    workflow: str | None
    input: dict[str, Any] | str
    with_items: tuple[tuple[str, Any], ...] = ()
    publish: Any = field(default_factory=dict)
    publish_on_error: Any = field(default_factory=dict)
    publish_on_skip: Any = field(default_factory=dict)
    on_success: Clause = EMPTY_CLAUSE
    on_error: Clause = EMPTY_CLAUSE
    on_complete: Clause = EMPTY_CLAUSE
    on_skip: Clause = EMPTY_CLAUSE
    join: int | Literal["all"] | None = None
    requires: tuple[str, ...] = ()
    policies: Policies = NO_POLICIES
    keep_result: Any = True
    safe_rerun: Any = False
    target: str | None = None
    spec: dict[str, Any] = field(default_factory=dict)

    @property
    def clauses(self) -> tuple[Clause, Clause, Clause, Clause]:
        """All four, whatever happens."""
        return (self.on_success, self.on_error, self.on_skip, self.on_complete)


@dataclass(frozen=True, slots=True)
class ActionDefinition:
    """An ad-hoc action: another action with its input prepared and its output reshaped."""

    name: str
    base: str
    base_input: Any
    input: tuple[Parameter, ...] = ()
    output: Any = None
    book: str | None = None


@dataclass(frozen=True, slots=True)
class WorkflowDefinition:
    """One workflow; ``book`` names the workbook that it stands in, ``short`` its name there.

    ``inbound`` and ``targets`` say which tasks lead where; ``branching``, whether branches may
    run side by side, so that it must be counted what each publishes; ``forgets``, whether no
    expression lists tasks and no join counts rounds, so that what a loop has left behind may go.
    ``actions`` are the ad-hoc actions of the same document; ``undo`` names for a task the one that
    takes back what it did.
    """

    name: str
    short: str
    book: str | None
    type: Literal["direct", "reverse"]
    input: tuple[Parameter, ...]
    output: Any
    output_on_error: Any
    vars: dict[str, Any]
    tasks: dict[str, TaskDefinition]
    inbound: dict[str, tuple[str, ...]]
    targets: dict[str, tuple[str, ...]] = field(default_factory=dict)
    joins: bool = False
    branching: bool = False
    forgets: bool = False
    lists: bool = False
    actions: dict[str, ActionDefinition] = field(default_factory=dict)
    limits: dict[str, Any] | None = None
    undo: dict[str, str] = field(default_factory=dict)
    description: str = ""
    tags: tuple[str, ...] = ()
    spec: dict[str, Any] = field(default_factory=dict)

    @property
    def start_tasks(self) -> list[str]:
        """The tasks that nothing leads to, in the order they are written."""
        apart = set(self.undo.values())
        return [name for name in self.tasks if not self.inbound[name] and name not in apart]


@dataclass(frozen=True, slots=True)
class Content:
    """What one document defines."""

    workflows: tuple[WorkflowDefinition, ...] = ()
    actions: tuple[ActionDefinition, ...] = ()
    book: str | None = None
