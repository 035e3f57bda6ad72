"""Inbound topics to one ordered log: decode, check, clamp times, choose the partition."""

from __future__ import annotations
