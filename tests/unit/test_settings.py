from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

import pytest

from pipeline import settings as configuration
from pipeline.errors import InvalidSetting
from pipeline.settings import NAMES, Settings, load


def flags(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    configuration.add_arguments(parser, *NAMES)
    return parser.parse_args(arguments)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_setting_has_a_flag_a_help_and_a_default() -> None:
    assert tuple(field.name for field in fields(Settings))[:-1] == NAMES
    assert tuple(configuration.defaults()) == NAMES


def test_flags_win_over_variables_those_over_the_file_that_over_defaults(tmp_path: Path) -> None:
    (tmp_path / "faultline.yaml").write_text("partitions: 2\nexecutor_slots: 3\nkafka: file:1\n")
    loaded = load(
        flags("--kafka", "flag:1"), {"FAULTLINE_KAFKA": "variable:1", "FAULTLINE_EXECUTOR_SLOTS": "4"}
    )
    assert (loaded.kafka, loaded.executor_slots, loaded.partitions, loaded.log_level) == (
        "flag:1",
        4,
        2,
        "info",
    )
    assert loaded.origins["kafka"] == "--kafka"
    assert loaded.origins["executor_slots"] == "FAULTLINE_EXECUTOR_SLOTS"
    assert loaded.origins["partitions"] == "faultline.yaml:1"
    assert loaded.origins["log_level"] == "default"


def test_an_unknown_key_is_named_with_its_line_and_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("# ours\npartitions: 2\nexecutor-slot: 3\n")
    with pytest.raises(InvalidSetting, match=r"own\.yaml:3: 'executor-slot'.*did you mean executor_slots"):
        load(flags("--config", str(tmp_path / "own.yaml")), {})


def test_an_unknown_variable_is_named_with_the_nearest() -> None:
    with pytest.raises(InvalidSetting, match=r"FAULTLINE_KAFKAA.*did you mean FAULTLINE_KAFKA\?"):
        load(None, {"FAULTLINE_KAFKAA": "x"})


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("partitions: many", "whole number"),
        ("partitions: 0", "1 to 10000"),
        ("log_format: xml", "text or json"),
        ("log_level: loud", "debug, info"),
        ("api: 127.0.0.1:80", "URL"),
        ("http_allow: [localhost]", "HOST:PORT"),
        ("rules: 3", "directory"),
        ("secrets: vault", "env:PREFIX, file:PATH or command:PROGRAM"),
        ("command_allow: [ls]", "full path"),
        ("topic_allow: 'a b'", "topic"),
        ("kafka: true", "text"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused(tmp_path: Path, line: str, word: str) -> None:
    (tmp_path / "faultline.yaml").write_text(line + "\n")
    with pytest.raises(InvalidSetting, match=r"faultline\.yaml:1: ") as refused:
        load(None, {})
    assert word in str(refused.value)


def test_a_missing_file_is_an_error_only_when_it_was_named(tmp_path: Path) -> None:
    assert load(None, {}).partitions == 8
    with pytest.raises(InvalidSetting, match=r"none\.yaml"):
        load(flags("--config", "none.yaml"), {})


def test_relative_paths_count_from_the_file_or_the_current_directory(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "own.yaml").write_text("rules: [a, /b]\ndata: d\n")
    loaded = load(flags("--config", "etc/own.yaml", "--playbooks", "p"), {})
    assert loaded.rules == (tmp_path / "etc" / "a", Path("/b"))
    assert loaded.data == tmp_path / "etc" / "d"
    assert loaded.playbooks == (tmp_path / "p",)


def test_where_secrets_lie_counts_from_the_file_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    lines = ("secrets: 'file:keys'", "ssh_known_hosts: hosts", "clouds: c.yaml", "command_allow: /bin/ls")
    (tmp_path / "etc" / "own.yaml").write_text("\n".join(lines))
    loaded = load(flags("--config", "etc/own.yaml"), {})
    assert loaded.secrets == f"file:{tmp_path}/etc/keys"
    assert loaded.ssh_known_hosts == f"{tmp_path}/etc/hosts"
    assert (loaded.clouds, loaded.command_allow) == (tmp_path / "etc" / "c.yaml", ("/bin/ls",))
    assert load(None, {"FAULTLINE_SSH_KNOWN_HOSTS": "any"}).ssh_known_hosts == "any"
    child = load(None, configuration.environment(loaded))
    assert (child.secrets, child.command_allow) == (loaded.secrets, loaded.command_allow)


def test_secrets_are_masked_also_within_a_dsn() -> None:
    loaded = load(None, {"FAULTLINE_TOKEN": "hush", "FAULTLINE_CLICKHOUSE": "https://me:hush@host:8443/db"})
    text = str(configuration.shown(loaded))
    assert "hush" not in text
    assert "https://me:********@host:8443/db" in text


def test_a_secret_does_not_show_in_an_error(tmp_path: Path) -> None:
    (tmp_path / "faultline.yaml").write_text("token: [hush]\n")
    with pytest.raises(InvalidSetting) as refused:
        load(None, {})
    assert "hush" not in str(refused.value)


def test_children_get_the_same_settings(tmp_path: Path) -> None:
    (tmp_path / "faultline.yaml").write_text(
        "rules: [a, b]\nhttp_allow: ['127.0.0.1:1', 'h:*']\npartitions: 3\n"
    )
    loaded = load(flags("--log-format", "json", "--values", "v"), {"FAULTLINE_TOKEN": "t"})
    # In the child the file would say something else by then; it must not be read.
    (tmp_path / "faultline.yaml").write_text("partitions: 99\n")
    child = load(None, configuration.environment(loaded))
    assert [getattr(child, name) for name in NAMES] == [getattr(loaded, name) for name in NAMES]
