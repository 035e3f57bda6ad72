from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import FaultlineError
from pipeline.local.definitions import collect
from pipeline.settings import Settings, load

WORKFLOW = "version: '2.0'\n{name}:\n  tasks:\n    a:\n      action: std.noop\n"
RULE = """\
metadata: {{name: {name}, version: 3, type: standard}}
entities:
  alarm: {{category: ALARM, type: nagios, name: load}}
  host: {{type: nova.host}}
scenarios:
  - condition: alarm [on] host
    actions:
      - set_state: {{state: ERROR, target: host}}
"""


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("rules", "playbooks"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(**variables: str) -> Settings:
    return load(None, {f"FAULTLINE_{name.upper()}": value for name, value in variables.items()})


def test_directories_are_read_through_and_named(at: Path) -> None:
    (at / "playbooks" / "deep").mkdir()
    (at / "playbooks" / "deep" / "one.yaml").write_text(WORKFLOW.format(name="first"))
    (at / "playbooks" / "two.yml").write_text(
        WORKFLOW.format(name="a") + WORKFLOW.format(name="b").partition("\n")[2]
    )
    (at / "playbooks" / "one.test.yaml").write_text("- anything\n")
    (at / "rules" / "r.yaml").write_text(RULE.format(name="hot host"))
    found = collect(settings())
    own = [item for item in found.definitions if item.kind != "VALUES"]
    assert [(item.kind, item.name) for item in own] == [
        ("RULE", "hot host"),
        ("WORKFLOW", "first"),
        ("WORKFLOW", "two"),
    ]
    assert found.findings == []
    assert own[1].text == WORKFLOW.format(name="first")
    assert own[1].path == str(at / "playbooks" / "deep" / "one.yaml")


def test_a_bad_file_is_a_finding_and_the_rest_goes_on(at: Path) -> None:
    (at / "playbooks" / "bad.yaml").write_text("version: '2.0'\nx: [\n")
    (at / "playbooks" / "good.yaml").write_text(WORKFLOW.format(name="good"))
    (at / "rules" / "bad.yaml").write_text(
        RULE.format(name="r").replace("alarm [on] host", "alarm [on] guest")
    )
    (at / "rules" / "binary.yaml").write_bytes(b"\xff\xfe")
    found = collect(settings())
    assert [item.name for item in found.definitions if item.kind != "VALUES"] == ["good"]
    text = "\n".join(map(str, found.findings))
    assert f"{at / 'rules' / 'bad.yaml'}:6:" in text
    assert f"{at / 'rules' / 'binary.yaml'}:1:1: file" in text
    assert f"{at / 'playbooks' / 'bad.yaml'}:3:1: yaml" in text


def test_a_name_is_taken_once(at: Path) -> None:
    (at / "rules" / "a.yaml").write_text(RULE.format(name="same"))
    (at / "rules" / "b.yaml").write_text(RULE.format(name="same"))
    found = collect(settings())
    assert [item.path for item in found.definitions if item.kind == "RULE"] == [str(at / "rules" / "a.yaml")]
    assert "b.yaml:1:1: name-taken" in str(found.findings[0])


def test_a_directory_that_was_named_must_be_there(at: Path) -> None:
    with pytest.raises(FaultlineError, match="nowhere is not there"):
        collect(settings(rules="nowhere"))


def test_without_own_directories_those_shipped_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = collect(settings())
    assert found.findings == []
    assert "migrate_server" in [item.name for item in found.definitions]


def test_value_mappings_come_with_the_program_unless_others_are_named(at: Path) -> None:
    found = collect(settings())
    assert "nova.host" in [item.name for item in found.definitions if item.kind == "VALUES"]
    text = "category: RESOURCE\nvalues: [{aggregated values: {priority: 1, original values: [{name: X}]}}]\n"
    (at / "own").mkdir()
    (at / "own" / "thing.yaml").write_text(text)
    (at / "rules" / "other.yaml").write_text(text)
    found = collect(settings(values=str(at / "own")))
    assert [(item.kind, item.name) for item in found.definitions] == [
        ("VALUES", "other"),
        ("VALUES", "thing"),
    ]


def test_a_directory_within_another_is_read_once(at: Path) -> None:
    (at / "rules" / "deep").mkdir()
    (at / "rules" / "deep" / "r.yaml").write_text(RULE.format(name="r"))
    found = collect(settings(rules=f"{at / 'rules' / 'deep'}:{at / 'rules'}"))
    assert [item.name for item in found.definitions if item.kind == "RULE"] == ["r"]
    assert found.findings == []
