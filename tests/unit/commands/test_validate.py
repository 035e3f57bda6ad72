"""``faultline validate``: each kind of file by its content, where it is wrong, the exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import main
from pipeline.resources import shipped

RULE = """metadata: {{version: 3, name: {name}}}
entities:
  a: {{category: ALARM, type: nagios}}
  d: {{category: ALARM, type: vitrage, name: d}}
  h: {{type: host}}
scenarios:
- condition: {condition}
  actions:
  - raise_alarm: {{target: h, alarm_name: d, severity: WARNING}}
"""


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(files: dict[str, str], *arguments: str) -> tuple[int, list[dict[str, Any]]]:
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        status = main(["validate", "--json", *arguments, str(tmp_path)])
        return status, json.loads(capsys.readouterr().out)

    return run


def test_everything_shipped_is_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    places = [str(shipped(name)) for name in ("rules", "playbooks", "topics", "schemas")]
    assert main(["validate", *places]) == 0, capsys.readouterr().out
    assert main(["validate", "--json", *places]) == 0
    kinds = {each["kind"] for each in json.loads(capsys.readouterr().out.partition("[")[2].join(["[", ""]))}
    assert {"standard", "playbook", "topic", "schema"} <= kinds


def test_kinds_follow_from_content(check: Any) -> None:
    status, files = check(
        {
            "rule.yaml": RULE.format(name="one", condition="a [on] h"),
            "equal.yaml": "metadata: {name: e}\nequivalences:\n- equivalence:\n"
            "  - entity: {type: a}\n  - entity: {type: b}\n",
            "include.yaml": "metadata: {name: i}\ndefinitions:\n  entities:\n"
            "  - entity: {template_id: x, category: ALARM}\n",
            "play.yaml": "version: '2.0'\nw: {tasks: {t: {action: std.noop}}}\n",
            "host.yaml": "category: RESOURCE\nvalues: []\n",
            "odd.yaml": "just: this\n",
            "skipped.test.yaml": "- nothing to see\n",
        }
    )
    assert status == 1
    assert {Path(each["path"]).name: each["kind"] for each in files} == {
        "rule.yaml": "standard",
        "equal.yaml": "equivalence",
        "include.yaml": "definition",
        "play.yaml": "playbook",
        "host.yaml": "values",
        "odd.yaml": "unknown",
    }
    assert {each["name"] for each in files if each["accepted"]} == {"one", "e", "i", "w", "host"}


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("a [on] h AND d", "disconnected"),
        ("a [on] nobody", "10200"),
        ("NOT a [on] h", "134"),
        ("NOT a", "86"),
        ("h AND NOT a", "86"),
        ("a [on", "85"),
        ("a", "absent-target"),
        ("a OR d", "135"),
        ("a [on] h AND NOT a [on] h", "contradiction"),
        ("h AND NOT a [on] d", "disconnected"),
        ("h AND NOT d [on] h", "negative-cycle"),
    ],
)
def test_what_can_never_fire_is_refused_where_it_stands(check: Any, condition: str, code: str) -> None:
    status, (file,) = check({"rule.yaml": RULE.format(name="one", condition=condition)})
    assert (status, file["accepted"]) == (1, False)
    assert code in [finding["code"] for finding in file["findings"]]
    assert all(
        finding["line"] >= 1 and finding["column"] >= 1 and finding["message"] for finding in file["findings"]
    )


def test_rules_are_checked_against_each_other(check: Any) -> None:
    one = RULE.format(name="one", condition="h AND NOT d [on] h").replace("alarm_name: d", "alarm_name: e")
    other = RULE.format(name="other", condition="d [on] h").replace("name: d}", "name: e}")
    status, files = check({"one.yaml": one, "other.yaml": other})
    assert status == 1
    assert [each["findings"][0]["code"] for each in files] == ["negative-cycle", "negative-cycle"]
    assert "one" in files[0]["findings"][0]["message"]
    assert "other" in files[0]["findings"][0]["message"]


def test_parameters(check: Any) -> None:
    text = RULE.format(name="get_param(who)", condition="a [on] h") + "parameters:\n  who: {description: x}\n"
    status, (file,) = check({"rule.yaml": text})
    assert (status, file["findings"][0]["code"]) == (1, "163")
    status, (file,) = check({"rule.yaml": text}, "--param", "who=me", "--param", "other=1")
    assert (status, file["name"]) == (0, "me")


def test_a_path_that_is_not_there_is_a_wrong_call(tmp_path: Path) -> None:
    assert main(["validate", str(tmp_path / "none")]) == 2
    assert main(["validate", "--param", "novalue", str(tmp_path)]) == 2


def test_a_line_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rule.yaml"
    path.write_text(RULE.format(name="one", condition="a [on] nobody"))
    assert main(["validate", str(path)]) == 1
    assert capsys.readouterr().out.startswith(f"{path}:7:21: 10200: 'nobody' in the condition")


def test_neither_validate_nor_simulate_loads_what_is_heavy(tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    events.write_text("")
    rules = str(shipped("rules"))
    code = (
        "import sys; from pipeline.cli import main; "
        f"assert main(['validate', {rules!r}]) == 0; "
        f"assert main(['simulate', '--rules', {rules!r}, {str(events)!r}]) == 0; "
        "heavy = {'faust', 'chdb', 'clickhouse_connect', 'confluent_kafka', 'networkx', 'aiohttp'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    ("text", "place", "code", "said"),
    [
        (b"", "1:1", "kind", "the file is empty"),
        (b"# nothing but this\n", "1:1", "kind", "the file is empty"),
        (b"only words\n", "1:1", "kind", "it is mere text"),
        (b"- a\n- b\n", "1:1", "kind", "it is a list"),
        (b"just: this\n", "1:1", "kind", "cannot tell what this file is"),
        (b"x: 1\nscenaros: []\n", "2:1", "kind", "did you mean scenarios?"),
        (b"metadata: {name: x, version: 3}\nscenaros: []\n", "2:1", "4", "did you mean scenarios?"),
        (b"metadata:\n\tname: x\n", "2:1", "yaml", "a line begins with a tab; indent with spaces"),
        (b"a:\n- {of: h [has] v, n: 1}\n", "2:10", "yaml", "put quotes around a value"),
        (b"a:\n  b: c: d\n", "2:7", "yaml", "put quotes around a value that has a colon"),
        (b"a:\n   b: c\n  d: e\n", "3:3", "yaml", "is the indent the same"),
        (b"\xff\xfe\x00", "1:1", "file", "is not UTF-8 text"),
        (b"scenarios:\n- condition: h\n", "1:1", "62", "`metadata` with at least a `name`"),
        (b"hygiene:\n  flaping: off\n", "2:3", "hygiene", "did you mean flapping?"),
    ],
)
def test_what_is_no_rule_at_all_is_told_with_what_to_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: bytes, place: str, code: str, said: str
) -> None:
    path = tmp_path / "rule.yaml"
    path.write_bytes(text)
    assert main(["validate", str(path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith(f"{path}:{place}: {code}: ") and said in line for line in lines), lines


def test_a_directory_with_nothing_to_check_is_a_wrong_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("x")
    assert main(["validate", str(tmp_path)]) == 2
    assert "nothing to check" in capsys.readouterr().err


def test_a_name_that_is_taken_is_told_where_it_stands(check: Any) -> None:
    text = RULE.format(name="one", condition="a [on] h")
    status, (_, second) = check({"a.yaml": text, "b.yaml": text})
    assert status == 0
    (finding,) = second["findings"]
    assert (finding["code"], finding["line"], finding["column"]) == ("name-taken", 1, 24)


def test_findings_come_in_the_order_of_the_file(check: Any) -> None:
    text = RULE.format(name="one", condition="a [on] nobody").replace("target: h", "traget: h")
    _, (file,) = check({"rule.yaml": text.replace("{type: host}", "[]")})
    places = [(finding["line"], finding["column"]) for finding in file["findings"]]
    assert len(places) >= 4
    assert places == sorted(places)


def test_definitions_are_included_from_any_file_of_the_call(check: Any) -> None:
    entity = "{template_id: h, category: RESOURCE}"
    include = f"metadata: {{name: basics}}\ndefinitions:\n  entities:\n  - entity: {entity}\n"
    user = (
        "metadata: {name: user}\nincludes: [{name: basics}]\nscenarios:\n- scenario:\n    condition: h\n"
        "    actions: [{action: {action_type: mark_down, action_target: {target: h}}}]\n"
    )
    status, _ = check({"a_user.yaml": user, "z_basics.yaml": include})
    assert status == 0
    circular = include.replace("definitions:", "includes: [{name: basics}]\ndefinitions:")
    status, files = check({"z_basics.yaml": circular})
    assert status == 1
    assert [finding["code"] for finding in files[1]["findings"]] == ["143"]
    assert "142" in [finding["code"] for finding in files[0]["findings"]]
