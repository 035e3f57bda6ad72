"""What an analyst's query may be.

A read-only client keeps the tables safe, but ClickHouse in process also reads any file
of the machine with one function, writes one with a clause, and ends others' queries with
a statement that counts as reading. So a query is looked at before it is asked. There is
no parsing: what could hide a word from this look (comments, heredocs, typographic
quotes, escapes in names) is refused outside texts.
"""

from __future__ import annotations

import re

from ..errors import QueryRefused

FIRST = {"SELECT", "WITH", "FROM", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS"}
REFUSED = {
    "FILE": "files are out of reach",
    "OUTFILE": "files are out of reach; the answer goes to standard output",
    "PARALLEL": "one query at a time",
}
_TOKEN = re.compile(
    r"(?P<text>'(?:[^'\\]|\\.)*')"
    r'|(?P<name>"(?:[^"\\])*"|`(?:[^`\\])*`)'
    r"|(?P<comment>--|//|/\*|\#)"
    r"|(?P<word>[A-Za-z_0-9]+)"
    r"|(?P<other>[\s!%&()*+,\-./:;<=>?@\[\]^{|}~])",
    re.DOTALL,
)


def check(query: str) -> str:
    """``query`` without its closing semicolon.

    Raises ``QueryRefused`` when it may do more than read tables.
    """
    query = query.strip().rstrip(";").rstrip()
    if not query:
        raise QueryRefused("the query is empty; try: SELECT * FROM faultline.alarms_now")
    first = re.match(r"[(\s]*([A-Za-z]*)", query)
    if first is None or first[1].upper() not in FIRST:
        raise QueryRefused(f"history can be read, not changed: start with {', '.join(sorted(FIRST))}")
    at = 0
    while at < len(query):
        token = _TOKEN.match(query, at)
        if token is None:
            raise QueryRefused(
                f"{query[at : at + 12]!r} cannot stand outside a text; "
                "put texts in single quotes and write names plainly"
            )
        at = token.end()
        kind = token.lastgroup
        if kind == "comment":
            raise QueryRefused("comments are not read; leave them out")
        if kind in ("word", "name"):
            word = token[0].strip('"`').upper()
            if word in REFUSED:
                raise QueryRefused(f"{word} cannot stand in a query: {REFUSED[word]}")
        if token[0] == ";":
            raise QueryRefused("one query at a time; leave what follows the semicolon out")
    return query
