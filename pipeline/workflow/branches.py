"""Variables of branches: how publishing advances them and how they come together again.

Where branches meet, each variable (each leaf of a nested one) is taken from the branch that
published it most often; of equals, from the branch whose task completed later.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Branch = tuple[dict[str, Any], dict[str, int]]
SEPARATOR = "\x1f"


def advance(branch: Branch, published: dict[str, Any], counted: bool) -> Branch:
    """``branch`` with ``published`` over it; ``counted`` where branches may meet later."""
    if not published:
        return branch
    variables, versions = branch
    if counted:
        versions = dict(versions)
        for name, value in published.items():
            versions[name] = versions.get(name, 0) + 1
            if type(value) is dict:
                _count(value, name, versions)
    return {**variables, **published}, versions


def _count(value: dict[str, Any], path: str, versions: dict[str, int]) -> None:
    for key, item in value.items():
        here = f"{path}{SEPARATOR}{key}"
        if type(item) is dict and item:
            _count(item, here, versions)
        else:
            versions[here] = versions.get(here, 0) + 1


def meet(branches: Iterable[Branch]) -> Branch:
    """The branches as one; give them in the order in which their tasks completed."""
    result: Branch = ({}, {})
    first = True
    for branch in branches:
        if first:
            result, first = branch, False
            continue
        left, left_versions = result
        right, right_versions = branch
        if left is right:
            continue
        merged = _merge(left, left_versions, right, right_versions, "")
        versions = dict(left_versions)
        for path, version in right_versions.items():
            if version > versions.get(path, 0):
                versions[path] = version
        result = (merged, versions)
    return result


def _merge(
    left: dict[str, Any],
    left_versions: dict[str, int],
    right: dict[str, Any],
    right_versions: dict[str, int],
    path: str,
) -> dict[str, Any]:
    merged = dict(left)
    for key, value in right.items():
        here = f"{path}{SEPARATOR}{key}" if path else key
        if key not in left:
            merged[key] = value
            continue
        mine = left[key]
        if mine is value:
            continue
        if type(mine) is dict and type(value) is dict:
            merged[key] = _merge(mine, left_versions, value, right_versions, here)
        elif right_versions.get(here, 0) >= left_versions.get(here, 0):
            merged[key] = value
    return merged
