"""Libraries that only some actions need, and that are installed with an extra."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..errors import ActionFailed


def load(module: str, extra: str) -> Any:
    """The module. Raises ``ActionFailed`` naming the extra that installs it."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or module.split(".")[0] != error.name.split(".")[0]:
            raise
        raise ActionFailed(
            f"this action needs {module.split('.')[0]}: install `faultline[{extra}]` where the executor runs"
        ) from None
