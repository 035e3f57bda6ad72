"""Actions by name: those that come along, and those that installed packages add.

A package of one's own adds actions so:

    # ours/actions.py
    from pipeline.actions.declaration import Context, Secret, action

    @action("ours.page", "changes")          # or "reads", or "none": what a call does outside
    async def page(context: Context, team: str, text: str, token: Secret, urgent: bool = False) -> str:
        "Pages a team."                      # the parameters are its input, checked before the call
        ...                                  # raise pipeline.errors.ActionFailed when it does not work
    ACTIONS = [page]

    # pyproject.toml
    [project.entry-points."faultline.actions"]
    ours = "ours.actions:ACTIONS"

Installed where executors run, ``ours.page`` can be used in any workflow. An action that ``reads`` may be
run a second time when an executor dies; one that ``changes`` is run at most once. It must not block: what
does goes through ``await context.clients.thread(function, ...)``. A ``Secret`` is masked in all that is
written; an input ``cloud`` or ``cluster`` is filled in from the execution's environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any

from ..errors import UnknownAction
from .declaration import Action

GROUP = "faultline.actions"
# By the first part of their names, so that who calls one family does not wait for the others to load.
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "std": ("std", "javascript", "mail", "ssh", "command"),
    "kafka": ("produce",),
    "kubernetes": ("kube",),
    "nova": ("nova", "nova_hosts"),
    **{name: (name,) for name in ("neutron", "cinder", "glance", "keystone")},
}


def find(name: str) -> Action:
    """The action ``name``. Raises ``UnknownAction`` when there is none."""
    # Looking up entry points reads the metadata of every installed package: only when it must be.
    found = shipped(name.partition(".")[0]).get(name) or installed().get(name)
    if found is None:
        raise UnknownAction(f"there is no action `{name}`; packages add theirs by the entry points {GROUP}")
    return found


def names() -> list[str]:
    """The names of all actions, sorted."""
    return sorted({*installed(), *(name for family in FAMILIES for name in shipped(family))})


def repeatable(name: str, given: Mapping[str, Any]) -> bool:
    """Whether a call may be made a second time: because it changes nothing outside."""
    try:
        return find(name).effect_of(given) != "changes"
    except UnknownAction:
        # Nobody has run it either; running it again says so once more.
        return True


@lru_cache(maxsize=len(FAMILIES))
def shipped(family: str) -> Mapping[str, Action]:
    """The actions that come along whose names begin with ``family``; none where nobody knows it."""
    modules = [import_module(f".{name}", __package__) for name in FAMILIES.get(family, ())]
    return {one.name: one for module in modules for one in module.ACTIONS}


@lru_cache(maxsize=1)
def installed() -> Mapping[str, Action]:
    """The actions of installed packages. Raises ``TypeError`` when an entry point gives something else."""
    from importlib.metadata import entry_points

    found: dict[str, Action] = {}
    for point in entry_points(group=GROUP):
        for one in point.load():
            if not isinstance(one, Action):
                raise TypeError(f"entry point {point.value} of {GROUP}: {one!r} is no declared action")
            found[one.name] = one
    return found
