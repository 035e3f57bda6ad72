from __future__ import annotations

import json
import logging

import pytest

from pipeline import logs


@pytest.fixture(autouse=True)
def _restored() -> object:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield None
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_about_a_record_says_where_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "text", "ingest")
    logging.getLogger("x").warning("too %s", "old", extra=logs.about("alarms.raw", 3, 42))
    written = capsys.readouterr()
    assert written.err.endswith("WARNING [ingest] too old topic=alarms.raw partition=3 offset=42\n")
    assert written.out == ""


def test_json_has_the_same_as_fields(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("debug", "json", "executor")
    logging.getLogger("x").info("ran", extra=logs.execution("e-1"))
    line = json.loads(capsys.readouterr().err)
    assert (line["role"], line["level"], line["message"], line["execution"]) == (
        "executor",
        "info",
        "ran",
        "e-1",
    )


def test_an_exception_stays_on_one_line_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    try:
        raise ValueError("boom")
    except ValueError:
        logging.getLogger("x").exception("failed")
    written = capsys.readouterr().err
    assert written.count("\n") == 1
    assert "ValueError: boom" in json.loads(written)["exception"]


def test_the_level_is_kept_and_libraries_are_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("warning")
    logging.getLogger("x").info("unseen")
    logging.getLogger("aiokafka.consumer").debug("unseen")
    assert capsys.readouterr().err == ""
    logs.configure("debug")
    assert logging.getLogger("aiokafka").level == logging.WARNING


def test_a_client_repeats_itself_seldom(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "text")
    for number in range(50):
        logging.getLogger("librdkafka").error("FAIL [a#%d] [thrd:x]: refused (after %dms)", number, number)
        logging.getLogger("pipeline.x").error("ours %d", number)
    logging.getLogger("librdkafka").error("something else")
    written = capsys.readouterr().err
    assert written.count("refused") == 1
    assert written.count("ours") == 50
    assert "something else" in written
