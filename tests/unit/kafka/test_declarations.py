from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.document import read
from pipeline.errors import InvalidDocument
from pipeline.kafka.declarations import declaration, load

GOOD = """\
name: alarms.raw
description: Alarms as their sources report them.
schema: alarms.raw
key: domain
cleanup: delete
retention: 7d
time: append
settings: {segment.bytes: 1048576, preallocate: false}
"""


def findings(text: str) -> list[str]:
    with pytest.raises(InvalidDocument) as refused:
        declaration(read(text, "-"))
    return [str(finding) for finding in refused.value.findings]


def test_a_declaration_in_kafkas_names() -> None:
    topic = declaration(read(GOOD))
    assert topic.config() == {
        "segment.bytes": "1048576",
        "preallocate": "false",
        "cleanup.policy": "delete",
        "retention.ms": "604800000",
        "message.timestamp.type": "LogAppendTime",
        "compression.type": "producer",
    }
    assert topic.count(4) == 4


def test_one_partition_stays_one() -> None:
    assert declaration(read(GOOD + "partitions: 1\n")).count(8) == 1


def test_as_many_as_another() -> None:
    topic = declaration(read(GOOD + "partitions: as graph.input\n"))
    assert (topic.alongside, topic.count(3)) == ("graph.input", 3)


@pytest.mark.parametrize(
    ("old", "new", "place", "word"),
    [
        ("cleanup: delete", "cleanup: shred", "-:5:1: topic-cleanup", "shred"),
        ("retention: 7d", "retention: a week", "-:6:1: topic-retention", "a week"),
        ("time: append", "time: wall", "-:7:1: topic-time", "wall"),
        ("name: alarms.raw", "name: alarms raw", "-:1:1: topic-name", "alarms raw"),
        ("key: domain", "partition: 3", "-:4:1: topic-field", "partition"),
        ("key: domain\n", "key: domain\npartitions: 0\n", "-:5:1: topic-partitions", "0"),
        ("segment.bytes: 1048576", "cleanup.policy: compact", "-:8:12: topic-settings", "cleanup.policy"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(old: str, new: str, place: str, word: str) -> None:
    found = findings(GOOD.replace(old, new))
    assert any(text.startswith(place) and word in text for text in found), found


def test_all_that_is_wrong_in_a_directory_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: a\n")
    (tmp_path / "alarms.raw.yaml").write_text(GOOD)
    (tmp_path / "b.yaml").write_text(GOOD.replace("cleanup: delete", "cleanup: x"))
    with pytest.raises(InvalidDocument) as refused:
        load(tmp_path)
    assert {Path(finding.path).name for finding in refused.value.findings} == {"a.yaml", "b.yaml"}  # type: ignore[attr-defined]


def test_the_shipped_declarations() -> None:
    topics = load()
    assert {name for name, topic in topics.items() if topic.time == "append"} == {
        "topology.changes",
        "alarms.raw",
        "definitions.changes",
        "graph.input",
        "workflow.commands",
    }
    for name, topic in topics.items():
        assert topic.alongside is None or topic.alongside in topics, name
    # The log is replayed from any position: nothing may vanish between two of its offsets.
    assert topics["graph.input"].cleanup == "delete"
    for table in ("correlate.changelog", "workflow.changelog", "executor.ledger"):
        assert topics[table].cleanup == "compact"
        assert int(topics[table].settings["max.compaction.lag.ms"]) <= 600_000
