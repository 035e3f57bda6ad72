"""What was kept is read again, whatever order it comes in; what a newer Faultline wrote is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.errors import CheckpointFailed
from pipeline.workflow.shard import WorkflowShard

SAMPLE = Path(__file__).parent.parent.parent / "samples" / "workflow-table-v1.json"


def restored(table):
    shard = WorkflowShard(0)
    for key, value in table.items():
        shard.load(key, value if isinstance(value, bytes) else json.dumps(value).encode())
    shard.restored()
    return shard


@pytest.fixture
def table():
    return json.loads(SAMPLE.read_text())


@pytest.mark.parametrize("backwards", [False, True])
def test_a_table_of_the_first_version_is_read_and_goes_on(table, backwards):
    shard = restored(dict(reversed(table.items())) if backwards else table)
    assert shard.counters()["executions"] == {"RUNNING": 2}
    assert shard.due() == 1_000_000_000_000_000 + 60_000_000
    (timer,) = shard.timers(1_000_000_000_000_000 + 60_000_000)
    outputs = shard.step(json.dumps(timer.value).encode(), 99, 1_000_000_060_000_000)
    (action,) = [output.value for output in outputs if output.topic == "workflow.actions"]
    assert (action["task_name"], action["attempt"], action["input"]) == ("a", 2, {"x": "y" * 20_000})


def test_timers_are_asked_for_once_and_again_after_a_restore(table):
    shard = restored(table)
    now = 1_000_000_000_000_000 + 90_000_000
    (first,) = shard.timers(now)
    assert shard.timers(now) == []
    # Whenever that is, it is the same record.
    assert restored(table).timers(now + 5_000_000) == [first]
    assert first.time == first.value["due"]


@pytest.mark.parametrize("kind", ["execution", "task", "items", "document", "revision", "ended", "value"])
def test_a_newer_version_is_refused(table, kind):
    key = next(key for key in table if key.startswith(f"{kind}/"))
    with pytest.raises(CheckpointFailed, match="newer"):
        restored({**table, key: {**table[key], "v": 2}})


@pytest.mark.parametrize("kind", ["execution", "value"])
def test_a_table_that_is_not_whole_is_refused(table, kind):
    key = next(key for key in table if key.startswith(f"{kind}/"))
    with pytest.raises(CheckpointFailed, match="not whole"):
        restored({name: value for name, value in table.items() if name != key})


def test_a_deleted_key_has_no_value(table):
    shard = restored(table)
    for key in ("execution/x", "task/x/y", "items/x/y/0", "document/x", "revision/x", "ended/x", "value/x/y"):
        assert shard.encode(key) is None
