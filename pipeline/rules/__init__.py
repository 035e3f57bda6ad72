"""Rules: their language, their matching over the graph, and what their matches do."""

from __future__ import annotations
