"""Where the files that come with Faultline lie: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """The directory ``name`` (``topics``, ``schemas``, ``rules``, ``playbooks``, ``infra``).

    Raises ``FileNotFoundError`` when neither place has it.
    """
    for place in (PACKAGE / "shipped" / name, PACKAGE.parent / name):
        if place.is_dir():
            return place
    raise FileNotFoundError(f"{name}/ is in neither the package nor the checkout; install Faultline again")
