"""The graph of one domain: entities, relationships, alarms, and how records merge into it."""

from __future__ import annotations
