"""Each test runs in a process of its own: a process can open one set of files only."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

BEGIN = """
import sys
from pathlib import Path
from pipeline.errors import HistoryUnavailable
from pipeline.history.database import local, migrate
from pipeline.history.rows import COLUMNS, empty
from pipeline.history.writer import Log, Writer

database = local(Path(sys.argv[1]))
client = database.client()
migrate(client)
NUMBERS = ("partition", "n", "epoch", "log_partition", "log_offset", "origin_partition", "origin_offset",
           "episode", "scenario", "event_time", "ingest_time", "placeholder", "late", "deduced")
DEFAULTS = dict.fromkeys(NUMBERS, 0)

def row(table, offset, **more):
    given = {**DEFAULTS, "topic": "t", "topic_id": "one", "offset": offset, **more}
    return tuple(given.get(name, "") for name in COLUMNS[table])

def rows(**tables):
    return {**empty(), **tables}

def count(table, what="count()"):
    return client.command(f"SELECT {what} FROM faultline.{table}")

log = Log("t", "one", 0)
"""


@pytest.fixture
def apart(tmp_path: Path) -> Callable[[str], None]:
    def run(code: str) -> None:
        done = subprocess.run(
            [sys.executable, "-c", BEGIN + dedent(code), str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    return run


def test_a_batch_that_was_cut_off_between_two_tables_is_completed(apart: Callable[[str], None]) -> None:
    apart("""
        writer = Writer(client)
        writer.begin("t", "one")
        writer.write(rows(changes=[row("changes", 0)], alarms=[row("alarms", 0)]), "first")
        writer.settle({log: 1})
        # One table got its rows, the other did not, and nobody wrote down how far it was.
        writer.write(rows(changes=[row("changes", offset) for offset in (1, 2, 3)]), "second")

        again = Writer(client)
        assert again.next == {log: 1}
        # After a restart the batch is cut differently.
        for first, last in ((1, 2), (2, 5), (5, 7)):
            found = range(first, last)
            again.write(rows(
                changes=[row("changes", offset) for offset in found],
                alarms=[row("alarms", offset) for offset in found],
            ), f"again {first}")
            again.settle({log: last})
        for table in ("changes", "alarms"):
            assert count(table) == 7 == count(table, "uniqExact(`offset`)"), (table, count(table))
        assert Writer(client).next == {log: 7}
    """)


def test_the_same_batch_again_repeats_nothing(apart: Callable[[str], None]) -> None:
    apart("""
        writer = Writer(client)
        writer.begin("t", "one")
        batch = rows(changes=[row("changes", offset) for offset in range(100)])
        writer.write(batch, "name")
        # By name: as after a time-out, when nobody knows whether the first arrived.
        other = rows(changes=[row("changes", offset, key="other") for offset in range(100)])
        writer.write(other, "name")
        assert count("changes") == 100 == count("changes", "countIf(key = '')")
        writer.write(other, "another name")
        assert count("changes FINAL") == 100
    """)


def test_a_row_that_does_not_fit_is_named_and_the_others_go_in(apart: Callable[[str], None]) -> None:
    apart("""
        writer = Writer(client)
        writer.begin("t", "one")
        batch = [row("alarms", offset, key=f"it's {offset}") for offset in range(50)]
        batch[17] = row("alarms", 17, episode=2**40)
        batch[40] = row("alarms", 40, name=None)
        unfit = writer.write(rows(alarms=batch), "name")
        assert sorted(one.row[6] for one in unfit) == [17, 40], unfit
        assert {one.table for one in unfit} == {"alarms"}
        assert count("alarms") == 48
        assert count("alarms", "countIf(key = 'it\\\\'s 49')") == 1
    """)


def test_lives_of_a_topic_are_numbered_in_the_order_they_came(apart: Callable[[str], None]) -> None:
    apart("""
        writer = Writer(client)
        for name in ("one", "two", "one"):
            writer.begin("t", name)
        writer.begin("u", "three")
        assert writer.epochs == {("t", "one"): 0, ("t", "two"): 1, ("u", "three"): 0}
        assert Writer(client).epochs == writer.epochs
    """)


def test_a_migration_is_applied_once_and_must_not_change(apart: Callable[[str], None]) -> None:
    apart("""
        more = Path(sys.argv[1]) / "more"
        more.mkdir()
        table = "CREATE TABLE IF NOT EXISTS faultline.extra (a Int8) ENGINE = Memory;"
        (more / "001_first.sql").write_text(table)
        assert migrate(client, more) == ["001_first.sql"]
        (more / "002_second.sql").write_text("INSERT INTO faultline.extra VALUES (1);")
        assert migrate(client, more) == ["002_second.sql"]
        assert migrate(client, more) == []
        assert count("extra") == 1
        (more / "002_second.sql").write_text("INSERT INTO faultline.extra VALUES (2);")
        try:
            migrate(client, more)
            raise SystemExit("accepted")
        except HistoryUnavailable as error:
            assert "002_second.sql was altered" in str(error)
        assert count("extra") == 1
    """)


def test_files_that_another_process_holds_are_said_to_be(apart: Callable[[str], None]) -> None:
    apart("""
        import os, subprocess
        answer = subprocess.run(
            [sys.executable, "-m", "pipeline", "alarms", "--data", sys.argv[1]],
            capture_output=True, text=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("FAULTLINE_")},
        )
        assert answer.returncode == 1, answer
        assert "one process at a time can" in answer.stderr, answer.stderr
        assert "Traceback" not in answer.stderr
    """)


def test_with_nothing_running_the_files_are_read(apart: Callable[[str], None], tmp_path: Path) -> None:
    apart("""
        writer = Writer(client)
        writer.begin("t", "one")
        alarm = row("alarms", 0, key="k", name="n", status="ACTIVE", outcome="RAISED")
        writer.write(rows(alarms=[alarm]), "name")
    """)
    asked = subprocess.run(
        [sys.executable, "-m", "pipeline", "alarms", "--data", str(tmp_path)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[3]), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert (asked.returncode, asked.stderr) == (0, "")
    assert "ACTIVE" in asked.stdout
