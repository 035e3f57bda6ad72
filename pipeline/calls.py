"""What the tasks of playbooks call, beside what there is: actions and workflows of no such name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING

from . import starts
from .actions import registry
from .document import Document, Finding, Step, meant
from .workflow import approvals
from .workflow.expressions import has_expression

if TYPE_CHECKING:
    from .checking import Checked
    from .events import Definition
    from .workflow.model import Content, WorkflowDefinition

# How like a name must be to be taken for a slip of the pen: what is unknown here may be live elsewhere.
ALIKE = 0.85


def check(
    content: Content, document: Document, workflows: Mapping[str, WorkflowDefinition], adhoc: Collection[str]
) -> Iterator[Finding]:
    """Warnings about what cannot be meant as it is written.

    Of ``workflows`` only a name that is nearly that of one at hand is told; of actions, one of a
    family that comes along and does not have it.
    """
    book = f"{content.book}." if content.book else ""
    known = {*workflows, *(one.short for one in content.workflows)}
    for workflow in content.workflows:
        place: tuple[Step, ...] = ("workflows", workflow.short) if book else (workflow.short,)
        for name, task in workflow.tasks.items():
            here = (*place, "tasks", name)
            if task.workflow is not None:
                yield from _workflow(task.workflow, document, known, (*here, "workflow"))
            elif task.action is not None and task.action not in adhoc:
                yield from _action(task.action, document, (*here, "action"))
    for action in content.actions:
        place = ("actions",) if book else ()
        if action.base not in adhoc:
            yield from _action(action.base, document, (*place, action.name.removeprefix(book), "base"))


def check_files(files: Iterable[tuple[Checked, Document | None]], live: Iterable[Definition]) -> None:
    """``check`` of every playbook among ``files``, beside the others and those ``live``."""
    playbooks = [
        (checked, document)
        for checked, document in files
        if document is not None and checked.kind == "playbook" and checked.content is not None
    ]
    if not playbooks:
        return
    workflows = starts.known([checked.content for checked, _ in playbooks], live)
    adhoc = {action.name for checked, _ in playbooks for action in checked.content.actions}
    adhoc |= {name for workflow in workflows.values() for name in workflow.actions}
    adhoc |= {name.rpartition(".")[2] for name in adhoc}
    for checked, document in playbooks:
        checked.findings += check(checked.content, document, workflows, adhoc)


def _workflow(
    name: str, document: Document, known: Collection[str], here: tuple[Step, ...]
) -> Iterator[Finding]:
    if name in known or has_expression(name):
        return
    for close in get_close_matches(name, known, 1, ALIKE):
        message = f"there is no workflow {name!r} among these; did you mean {close!r}?"
        yield document.finding("workflow-unknown", message, *here, level="warning")


def _action(name: str, document: Document, here: tuple[Step, ...]) -> Iterator[Finding]:
    family = name.partition(".")[0]
    if "." not in name or family not in registry.FAMILIES or has_expression(name):
        return
    # The engine's own is no action of an executor.
    if name in approvals.NAMES or name in registry.shipped(family) or name in registry.installed():
        return
    known = registry.shipped(family)
    hint = meant(name, known, f"there are {', '.join(known)}")
    yield document.finding("workflow-action", f"there is no action {name!r}; {hint}", *here, level="warning")
