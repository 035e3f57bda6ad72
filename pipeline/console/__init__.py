"""The HTTP API, and what the terminal draws from it."""

from __future__ import annotations
