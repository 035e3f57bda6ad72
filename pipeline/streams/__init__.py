"""Faust as the host of shards: the roles correlate and workflow. The only importer of faust."""

from __future__ import annotations
