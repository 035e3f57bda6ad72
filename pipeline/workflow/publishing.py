"""Definitions put live: a document is checked, kept under its hash, and in force from here on."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.errors import InvalidDocument, InvalidRecord
from pipeline.ids import revision as hash_of

from . import environments, firing
from .check import placed
from .definition import content_of
from .forgetting import release
from .records import Document, Revision
from .step import Step

WORKFLOW = "WORKFLOW"
BESIDE = {firing.KIND: firing, environments.KIND: environments}


def defined(step: Step, command: dict[str, Any]) -> None:
    """A DEFINITION. One that is refused leaves the earlier one in force and is noted with the reason."""
    definition = command.get("definition")
    if not isinstance(definition, dict) or not isinstance(definition.get("name"), str):
        raise InvalidRecord("bad-definition", "a DEFINITION needs definition.name and definition.text")
    beside = BESIDE.get(str(definition.get("kind")))
    if beside is not None:
        if command.get("op", "UPSERT") == "DELETE":
            beside.removed(step, definition["name"])
        else:
            text, path = str(definition.get("text", "")), str(definition.get("path", ""))
            beside.defined(step, definition["name"], text, path)
        return
    if definition.get("kind", WORKFLOW) != WORKFLOW:
        return
    name = definition["name"]
    if command.get("op", "UPSERT") == "DELETE":
        remove(step, name)
    else:
        parameters = definition.get("parameters")
        namespace = str(parameters.get("namespace") or "") if isinstance(parameters, dict) else ""
        put(step, name, str(definition.get("text", "")), str(definition.get("path", "")), namespace)


def put(step: Step, name: str, text: str, path: str, namespace: str) -> None:
    """Brings a text into force under the name of its document, within a namespace."""
    store = step.store
    before = store.documents.get(name)
    try:
        content_of(text)
        error = None
    except InvalidDocument as refused:
        error = placed(refused, path or name)
    in_force = before.revision if before else ""
    document = Document(
        name, step.position, in_force if error else hash_of(text), path=path, namespace=namespace, error=error
    )
    if before and msgspec.structs.replace(before, position=step.position) == document:
        return
    keep(step, name, document)
    if error:
        return
    if document.revision not in store.revisions:
        kept = Revision(document.revision, text)
        store.revisions[kept.hash] = kept
        step.fresh(kept)
        step.undoing.append(lambda: store.revisions.pop(kept.hash, None))
    swap(step, in_force, document.revision)


def remove(step: Step, name: str) -> None:
    """Takes a document out of force; executions that began with it go on with it."""
    before = step.exchange(step.store.documents, name, None)
    if before is None:
        return
    step.keys.append(before.key)
    swap(step, before.revision, "")


def keep(step: Step, name: str, document: Document) -> None:
    """Enters a document in place of the one before."""
    step.exchange(step.store.documents, name, document)
    step.fresh(document)


def swap(step: Step, before: str, after: str) -> None:
    """Counts the uses of two revisions and computes anew what is in force."""
    store = step.store
    store.use(before, -1)
    store.use(after)
    step.undoing.append(store.reindex)

    def back() -> None:
        store.use(before)
        store.use(after, -1)

    step.undoing.append(back)
    release(step, before)
    store.reindex()
