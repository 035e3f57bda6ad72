"""Faultline: root causes of faults in large systems, found and repaired."""

from __future__ import annotations

__version__ = "0.1.0"
