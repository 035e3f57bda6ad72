"""What rules and triggers start, beside the playbooks that there are: unknown names, inputs left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .document import Document, Finding, meant
from .errors import InvalidDocument
from .events import Definition

if TYPE_CHECKING:
    from .rules.template import Template
    from .workflow.model import Content, WorkflowDefinition
    from .workflow.triggers import Trigger


def known(contents: Iterable[Content], live: Iterable[Definition]) -> dict[str, WorkflowDefinition]:
    """The workflows by name: those live, and those of playbooks at hand."""
    found: dict[str, WorkflowDefinition] = {}
    for definition in live:
        if definition.kind == "WORKFLOW":
            from .workflow.definition import content_of

            try:
                found |= {one.name: one for one in content_of(definition.text).workflows}
            except InvalidDocument:
                continue
    for content in contents:
        found |= {one.name: one for one in content.workflows}
    return found


def check(
    template: Template, document: Document, workflows: Mapping[str, WorkflowDefinition]
) -> Iterator[Finding]:
    """Warnings about the workflow actions of ``template`` that could only end in ERROR."""
    for scenario in template.scenarios:
        for action in scenario.actions:
            # A name that comes from an attribute is known only when the rule fires.
            if not isinstance(action.workflow, str):
                continue
            found = workflows.get(action.workflow)
            if found is None:
                yield _unknown(action.workflow, document, workflows, action.place)
                continue
            given = action.input if isinstance(action.input, Mapping) else {}
            yield from _unfit(found, given, document, action.place)


def check_triggers(
    triggers: Iterable[Trigger], document: Document, workflows: Mapping[str, WorkflowDefinition]
) -> Iterator[Finding]:
    """Warnings about the triggers of a document that could only start what ends in ERROR."""
    for trigger in triggers:
        place = ("triggers", trigger.name)
        found = workflows.get(trigger.workflow)
        if found is None:
            yield _unknown(trigger.workflow, document, workflows, (*place, "workflow"))
        else:
            yield from _unfit(found, trigger.input, document, (*place, "workflow"))


def _unknown(
    name: str, document: Document, workflows: Mapping[str, WorkflowDefinition], place: Iterable[Any]
) -> Finding:
    hint = meant(name, workflows, f"there are {', '.join(sorted(workflows))}")
    message = f"there is no workflow {name!r}; {hint}"
    return document.finding("workflow-unknown", message, *place, level="warning")


def _unfit(
    found: WorkflowDefinition, given: Mapping[str, Any], document: Document, place: Iterable[Any]
) -> Iterator[Finding]:
    missing = [one.name for one in found.input if not one.optional and one.name not in given]
    extra = sorted(given.keys() - {one.name for one in found.input})
    for names, fault in ((missing, "needs the input"), (extra, "has no input")):
        if names:
            message = f"the workflow {found.name!r} {fault} {', '.join(names)}"
            yield document.finding("workflow-input", message, *place, level="warning")
