"""Authors' tests of rules and playbooks, played through the cores without a broker."""

from __future__ import annotations
