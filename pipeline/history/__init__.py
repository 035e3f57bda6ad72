"""What happened, kept in ClickHouse: tables, the sink that fills them, the queries that read them."""

from __future__ import annotations
