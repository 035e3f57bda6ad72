from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import AlreadyRunning, NotRunning
from pipeline.local import instance
from pipeline.local.instance import Instance
from pipeline.settings import load

OURS = Instance(os.getpid(), "0.1.0", "127.0.0.1:9092", "http://127.0.0.1:8080", "secret")


def test_the_file_is_whole_and_its_owners_alone(tmp_path: Path) -> None:
    (tmp_path / instance.FILE).write_text("an older one")
    (tmp_path / instance.FILE).chmod(0o644)
    instance.write(tmp_path, OURS)
    path = tmp_path / "faultline.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(json.loads(path.read_text())) == ["pid", "version", "kafka", "api", "token"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["faultline.json"]
    assert instance.read(tmp_path) == OURS


def test_a_stale_pid_is_not_running(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    instance.write(tmp_path, Instance(ended.pid, "0", "k", "http://a", "t"))
    assert instance.read(tmp_path) is None
    instance.refuse_second(tmp_path)
    with pytest.raises(NotRunning, match="faultline up"):
        instance.find(load(None, {"FAULTLINE_DATA": str(tmp_path)}))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', '{"pid": 1}'])
def test_a_file_that_cannot_be_read_is_not_running(tmp_path: Path, text: str) -> None:
    (tmp_path / instance.FILE).write_text(text)
    assert instance.read(tmp_path) is None


def test_a_second_start_names_the_first(tmp_path: Path) -> None:
    instance.write(tmp_path, OURS)
    with pytest.raises(AlreadyRunning, match=f"pid {os.getpid()}"):
        instance.refuse_second(tmp_path)


def test_found_by_the_data_directory_or_by_the_url(tmp_path: Path) -> None:
    instance.write(tmp_path, OURS)
    assert instance.find(load(None, {"FAULTLINE_DATA": str(tmp_path)})) == OURS
    other = instance.find(load(None, {"FAULTLINE_DATA": str(tmp_path), "FAULTLINE_API": "http://h:1/"}))
    assert (other.api, other.token) == ("http://h:1", "")
    same = instance.find(load(None, {"FAULTLINE_DATA": str(tmp_path), "FAULTLINE_API": OURS.api}))
    assert same.token == "secret"
