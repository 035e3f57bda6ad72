from __future__ import annotations

import pytest

from pipeline.errors import QueryRefused
from pipeline.history.guard import check


@pytest.mark.parametrize(
    "query",
    [
        "SELECT key, since FROM faultline.alarms_now WHERE status = 'ACTIVE' ORDER BY since DESC LIMIT 10",
        "select count() from alarms where name = 'file system full'",
        "WITH 1 AS x SELECT x",
        "(SELECT 1) UNION ALL (SELECT 2)",
        "FROM alarms SELECT count()",
        "SELECT 'it\\'s -- no comment /* either */ # $$ ”' AS x, 'a''b'",
        'SELECT `offset`, "partition" FROM alarms',
        "SELECT JSONExtractString(attributes, 'a'), map('k', 1)['k'], x -> x + 1, 7 % 3, a.1, {p:String}",
        "EXPLAIN SELECT 1",
        "SHOW TABLES FROM faultline",
        "DESCRIBE TABLE alarms",
        "SELECT profile FROM t WHERE filename != ''",
    ],
)
def test_a_query_that_reads_tables_is_let_through(query: str) -> None:
    assert check(query) == query
    assert check(f"  {query} ;\n") == query


@pytest.mark.parametrize(
    "query",
    [
        "",
        ";",
        "KILL QUERY WHERE 1",
        "SET readonly = 0",
        "USE system",
        "INSERT INTO alarms SELECT * FROM alarms",
        "/* SELECT */ DROP TABLE alarms",
        "SELECT 1; DROP TABLE alarms",
        "SELECT file('/etc/passwd')",
        "SELECT FILE ('/etc/passwd')",
        "SELECT `file`('/etc/passwd')",
        "SELECT \"file\"('/etc/passwd')",
        "SELECT \"fi\\x6ce\"('/etc/passwd')",
        "SELECT `fi\\le`('/etc/passwd')",
        "SELECT * APPLY(file) FROM (SELECT '/etc/passwd' AS x)",
        "SELECT 1 INTO OUTFILE '/tmp/x'",
        "SELECT 1 into\noutfile '/tmp/x'",
        "SELECT 1 -- '\n, file('/etc/passwd') -- '",
        "SELECT 1 /* ' */, file('/etc/passwd') /* ' */",
        "SELECT 1 # '\n, file('/etc/passwd') # '",
        "SELECT 1 // '\n, file('/etc/passwd') // '",
        "SELECT $$'$$, file('/etc/passwd'), $$'$$",
        "SELECT ‘'’, file('/etc/passwd'), ‘'’",
        "SELECT 'open",
        "SELECT 'open\\'",
        "SELECT 1 PARALLEL WITH SELECT 2",
    ],
)
def test_a_query_that_may_do_more_is_refused(query: str) -> None:
    with pytest.raises(QueryRefused):
        check(query)
