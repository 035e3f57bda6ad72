"""One module a command: ``SUMMARY``, ``configure(parser)`` and ``run(args) -> exit status``."""

from __future__ import annotations
