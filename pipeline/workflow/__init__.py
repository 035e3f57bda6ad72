"""Workflows: Mistral's language, its expressions and the state machine that runs them. Pure."""

from __future__ import annotations
