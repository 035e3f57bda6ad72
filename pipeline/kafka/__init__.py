"""Kafka as Faultline uses it: topics, the outbox, readers, and tables with their checkpoint."""

from __future__ import annotations
