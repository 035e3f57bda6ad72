"""Documents of workflows: workflow lists, workbooks and ad-hoc actions, checked and loaded."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal

from pipeline.document import Document, Finding, meant, read

from . import compensation, doubts, limits
from .check import Checker, Steps, sound
from .model import COMMANDS, ActionDefinition, Content, Parameter, TaskDefinition, WorkflowDefinition
from .tasks_language import defaults, task, with_defaults

WORKFLOW_KEYS = frozenset(
    {"name", "version", "description", "tags", "type", "input", "output", "output-on-error", "vars", "tasks",
     "task-defaults", "limits"}
)  # fmt: skip
ACTION_KEYS = frozenset({"name", "version", "description", "tags", "base", "base-input", "input", "output"})
BOOK_KEYS = frozenset({"name", "version", "description", "tags", "workflows", "actions"})
LABELS = frozenset({"version", "name", "description", "tags"})
UUID = re.compile(r"[0-9a-f]{32}")
LISTING = re.compile(r"\b(tasks|executions)\(")
NAME = re.compile(r"(?!version$)[\w-]+")


def check(document: Document) -> list[Finding]:
    """All that is wrong or doubtful in a document; it is accepted when no finding is an error."""
    return parse(document)[1]


def load(document: Document) -> list[WorkflowDefinition]:
    """The workflows of a document. Raises ``InvalidDocument`` with its errors."""
    return list(content(document).workflows)


def content(document: Document) -> Content:
    """Workflows and ad-hoc actions of a document. Raises ``InvalidDocument`` with its errors."""
    return sound(parse(document))


@lru_cache(maxsize=512)
def content_of(text: str) -> Content:
    """``content`` of a text, parsed once: many partitions hold the same definitions."""
    return content(read(text, "-", aliases=False))


def parse(document: Document) -> tuple[Content, list[Finding]]:
    """What a document defines, as far as it could be read, and the findings about it."""
    checker = Checker(document)
    top = document.value
    if not isinstance(top, dict):
        checker.wrong("a document of workflows is a mapping with version: '2.0'", ())
        return Content(), checker.findings
    book = _is_book(top)
    _version(checker, top, book)
    if book:
        return _book(checker, top), checker.findings
    entries = {key: value for key, value in top.items() if key not in LABELS or isinstance(value, dict)}
    if not entries:
        checker.wrong("there is no workflow in this document; write NAME: {tasks: ...}", ())
    workflows, actions = [], []
    for name, value in entries.items():
        if isinstance(value, dict) and "base" in value and "tasks" not in value:
            actions.append(_action(checker, str(name), value, (name,), None))
        else:
            workflows.append(_workflow(checker, str(name), value, (name,), None))
    return _together(workflows, actions, None), checker.findings


def _is_book(top: dict[str, Any]) -> bool:
    """Whether a document is a workbook: it says so, or has a name and nothing else."""
    if "workflows" in top or ("actions" in top and not _looks_like_entry(top["actions"])):
        return True
    return "name" in top and not isinstance(top["name"], dict) and top.keys() <= LABELS


def _looks_like_entry(value: Any) -> bool:
    return isinstance(value, dict) and ("tasks" in value or "base" in value)


def _version(checker: Checker, top: dict[str, Any], book: bool) -> None:
    given = top.get("version")
    if "version" not in top:
        checker.wrong("version: '2.0' is missing", ())
    elif isinstance(given, bool) or not isinstance(given, str | int | float) or given == "":
        checker.wrong(f"version {given!r} is none; write version: '2.0'", ("version",))
    elif given not in ("2.0", 2.0) and book:
        checker.wrong(f"version {given!r} is not known; write version: '2.0'", ("version",))
    elif str(given) not in ("2.0", "2"):
        message = f"version {given!r} is read as 2.0, as in Mistral; write version: '2.0'"
        checker.note("workflow-version", message, ("version",), "warning")


def _book(checker: Checker, top: dict[str, Any]) -> Content:
    checker.unknown(top, BOOK_KEYS, (), "a workbook")
    checker.labels(top, ())
    book = checker.text(top.get("name"), ("name",), "the name of a workbook")
    parts: dict[str, list[Any]] = {"workflows": [], "actions": []}
    if not parts.keys() & top.keys():
        checker.note("workflow-empty", "this workbook has no workflows and no actions", (), "warning")
    for kind, reader in (("workflows", _workflow), ("actions", _action)):
        if kind not in top:
            continue
        for name, value in checker.mapping(top[kind], (kind,), kind).items():
            if name == "version" and value in ("2.0", 2.0):
                continue
            if not NAME.fullmatch(str(name)):
                checker.wrong(f"{name!r} is not a name: letters, digits, _ and - only", (kind, name))
            parts[kind].append(reader(checker, str(name), value, (kind, name), book))
    return _together(parts["workflows"], parts["actions"], book)


def _together(
    workflows: list[WorkflowDefinition], actions: list[ActionDefinition], book: str | None
) -> Content:
    """What a document defines; its workflows know its actions."""
    own = {action.name: action for action in actions}
    known = workflows if not own else [replace(workflow, actions=own) for workflow in workflows]
    return Content(tuple(known), tuple(actions), book)


def _action(checker: Checker, name: str, value: Any, steps: Steps, book: str | None) -> ActionDefinition:
    body = checker.mapping(value, steps, f"action {name!r}")
    checker.labels(body, steps)
    checker.unknown(body, ACTION_KEYS, steps, f"action {name!r}")
    base: str = ""
    parameters: dict[str, Any] = {}
    if body:
        base, parameters = checker.command(
            checker.text(body.get("base"), (*steps, "base"), "base"), (*steps, "base"), "base"
        )
    given = (
        checker.mapping(body["base-input"], (*steps, "base-input"), "base-input")
        if "base-input" in body
        else {}
    )
    checker.expression(given, (*steps, "base-input"))
    checker.expression(body.get("output"), (*steps, "output"), deep=not isinstance(body.get("output"), str))
    return ActionDefinition(
        name=f"{book}.{name}" if book else name,
        base=base,
        base_input={**given, **parameters},
        input=_input(checker, body, steps),
        output=body.get("output"),
        book=book,
    )


def _workflow(checker: Checker, name: str, value: Any, steps: Steps, book: str | None) -> WorkflowDefinition:
    body = checker.mapping(value, steps, f"workflow {name!r}")
    checker.labels(body, steps)
    for key in body:
        if key not in WORKFLOW_KEYS:
            message = f"a workflow has no key {key!r}; it is ignored"
            checker.note("workflow-key", message, (*steps, key), "warning")
    if UUID.fullmatch(name.lower().replace("urn:", "").replace("uuid:", "").strip("{}").replace("-", "")):
        checker.note("workflow-name", "Workflow name cannot be in the format of UUID.", steps)
    if re.search(r"\s", name):
        message = f"Name '{name}' must not contain spaces; write {'_'.join(name.split())}"
        checker.note("workflow-name", message, steps)
    kind = body.get("type", "direct")
    if kind not in ("direct", "reverse"):
        checker.wrong("type is direct or reverse", (*steps, "type"))
    for key in ("output", "output-on-error", "vars"):
        if key in body:
            given = checker.mapping(body[key], (*steps, key), key)
            checker.expression(given, (*steps, key), deep=key == "output-on-error")
    reverse = kind == "reverse"
    defaulted = (
        defaults(checker, body["task-defaults"], (*steps, "task-defaults"))
        if "task-defaults" in body
        else None
    )
    written = checker.mapping(body.get("tasks"), (*steps, "tasks"), "tasks")
    tasks = {
        str(key): with_defaults(task(checker, str(key), item, (*steps, "tasks", key), reverse), defaulted)
        for key, item in written.items()
    }
    undoing = compensation.read(checker, tasks, (*steps, "tasks"))
    inbound = _inbound(tasks, reverse)
    _links(checker, tasks, inbound, steps, reverse, frozenset(undoing.values()))
    doubts.note(checker, tasks, inbound, (*steps, "tasks"))
    joins = any(each.join is not None for each in tasks.values())
    targets: dict[str, tuple[str, ...]] = {
        source: tuple(target for target, sources in inbound.items() if source in sources) for source in tasks
    }
    starts = sum(not sources for name, sources in inbound.items() if name not in undoing.values())
    wide = any(sum(len(clause.transitions) for clause in each.clauses) > 1 for each in tasks.values())
    lists = bool(LISTING.search(str(body)))
    rounds = any(isinstance(each.join, int) for each in tasks.values())
    return WorkflowDefinition(
        name=f"{book}.{name}" if book else name,
        short=name,
        book=book,
        type="reverse" if reverse else "direct",
        input=_input(checker, body, steps),
        output=body.get("output"),
        output_on_error=body.get("output-on-error"),
        vars=body.get("vars") or {},
        tasks=tasks,
        inbound=inbound,
        targets=targets,
        joins=joins,
        branching=joins or reverse or starts > 1 or wide,
        lists=lists,
        forgets=not lists and not rounds and not reverse and not undoing,
        undo=undoing,
        limits=limits.read(checker, body.get("limits"), (*steps, "limits")),
        description=str(body.get("description", "")),
        tags=tuple(body["tags"]) if isinstance(body.get("tags"), list) else (),
        spec=body,
    )


def _input(checker: Checker, body: dict[str, Any], steps: Steps) -> tuple[Parameter, ...]:
    return checker.parameters(body["input"], (*steps, "input")) if "input" in body else ()


def _inbound(tasks: dict[str, TaskDefinition], reverse: bool) -> dict[str, tuple[str, ...]]:
    """For each task, the tasks that may lead to it (reverse: that it requires)."""
    if reverse:
        return {name: each.requires for name, each in tasks.items()}
    found: dict[str, dict[str, None]] = {name: {} for name in tasks}
    for name, each in tasks.items():
        for clause in each.clauses:
            for transition in clause.transitions:
                if transition.target in found:
                    found[transition.target][name] = None
    return {name: tuple(sources) for name, sources in found.items()}


def _missing(checker: Checker, name: str, tasks: dict[str, TaskDefinition], here: Steps) -> None:
    hint = meant(name, tasks, f"there are {', '.join(tasks)}")
    checker.note("workflow-link", f"Task '{name}' not found. In this workflow: {hint}", here)


def requires_itself(tasks: dict[str, TaskDefinition], name: str) -> bool:
    """Whether what a task requires leads back to it."""
    left, met = list(tasks[name].requires), set()
    while left:
        required = left.pop()
        if required == name:
            return True
        if required in tasks and required not in met:
            met.add(required)
            left += tasks[required].requires
    return False


def _links(
    checker: Checker,
    tasks: dict[str, TaskDefinition],
    inbound: dict[str, tuple[str, ...]],
    steps: Steps,
    reverse: bool,
    apart: frozenset[str],
) -> None:
    """Every link leads somewhere, joins can be reached, and there is a beginning."""
    for name, each in tasks.items():
        here = (*steps, "tasks", name)
        for required in each.requires:
            if required not in tasks:
                _missing(checker, required, tasks, (*here, "requires"))
        if requires_itself(tasks, name):
            message = f"Task '{name}' requires itself: neither it nor what it requires can ever begin."
            # Mistral takes task-defaults that come to this; nothing begins there either.
            level: Literal["error", "warning"] = "error" if "requires" in each.spec else "warning"
            checker.note("workflow-link", message, (*here, "requires"), level)
        keys = ("on-success", "on-error", "on-skip", "on-complete")
        for key, clause in zip(keys, each.clauses, strict=True):
            for transition in clause.transitions:
                if transition.target not in tasks and transition.target not in COMMANDS:
                    _missing(checker, transition.target, tasks, (*here, key))
        if each.join is None:
            continue
        arriving = len(inbound[name])
        if each.join == "all" and not arriving:
            checker.note("workflow-join", f"No inbound tasks for task with 'join: all' [task={name}]", here)
        elif each.join != "all" and arriving < each.join:
            where = f"[task={name}, join={each.join}, inbound={arriving}]"
            message = f"Not enough inbound tasks for task with 'join' {where}"
            checker.note("workflow-join", message, here)
    if reverse:
        return
    doubts.unreached(checker, tasks, inbound, (*steps, "tasks"), apart)
    if tasks and all(sources for name, sources in inbound.items() if name not in apart):
        message = (
            "Failed to find start tasks in direct workflow. "
            "Every task is the target of another; one must be the target of none."
        )
        checker.note("workflow-start", message, (*steps, "tasks"))
