"""``faultline rules`` and ``workflows`` beside an API that answers as the pipeline would."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipeline import cli

RULE = """\
metadata: {name: hot, version: 3}
entities:
  load: {category: ALARM, type: nagios, name: load}
  host: {type: nova.host}
scenarios:
  - condition: load [on] host
    actions:
      - set_state: {state: ERROR, target: host}
"""
PLAYBOOK = "version: '2.0'\ncure:\n  tasks: {a: {action: std.noop}}\n"
VALUES = "category: RESOURCE\nvalues: [{aggregated values: {priority: 1, original values: [{name: X}]}}]\n"


class Pipeline:
    """What is live, what was sent, and what a change comes to."""

    def __init__(self) -> None:
        self.live: list[dict[str, Any]] = []
        self.sent: list[dict[str, Any]] = []
        self.answer: dict[str, Any] = {"settled": True, "detail": "", "errors": []}

    def has(self, kind: str, name: str, text: str, **fields: Any) -> None:
        entry = {"kind": kind, "name": name, "text": text, "revision": "r", "state": "ACTIVE", "reason": ""}
        more = {"matches": 2, "source": "files", "by": "", "path": "/r.yaml", "parameters": {}, "mode": ""}
        self.live.append({**entry, **more, "time": "2026-01-05T10:00:00.000000Z", **fields})


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    state = Pipeline()

    class Handler(BaseHTTPRequestHandler):
        def answer(self, value: Any) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(value).encode())

        def do_GET(self) -> None:
            self.answer(state.live)

        def do_POST(self) -> None:
            assert self.path == "/api/definitions"
            state.sent.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.answer(state.answer)

        def log_message(self, *_: Any) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAULTLINE_API", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("FAULTLINE_DATA", str(tmp_path / "none"))
    (tmp_path / "hot.yaml").write_text(RULE)
    (tmp_path / "cure.yaml").write_text(PLAYBOOK)
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_rule_is_put_live_as_its_file_has_it(pipeline: Pipeline, tmp_path: Path, capsys: Any) -> None:
    text = RULE.replace("\n", "\r\n")
    (tmp_path / "hot.yaml").write_bytes(text.encode())
    assert cli.main(["rules", "add", "hot.yaml", "--wait", "7"]) == 0
    assert capsys.readouterr().out == "added rule hot\n"
    [sent] = pipeline.sent
    assert sent["wait"] == 7
    assert "operator" in sent["by"]
    path = str(tmp_path / "hot.yaml")
    definition = {"kind": "RULE", "name": "hot", "text": text, "path": path}
    assert sent["changes"] == [{"op": "UPSERT", "definition": definition}]


def test_what_is_live_already_is_not_sent_again(pipeline: Pipeline, capsys: Any) -> None:
    pipeline.has("RULE", "hot", RULE)
    assert cli.main(["rules", "add", "hot.yaml"]) == 0
    assert (capsys.readouterr().out, pipeline.sent) == ("unchanged rule hot\n", [])
    pipeline.live[0]["parameters"] = {"level": "high"}
    assert cli.main(["rules", "add", "hot.yaml"]) == 0
    assert (capsys.readouterr().out, len(pipeline.sent)) == ("changed rule hot\n", 1)


@pytest.mark.parametrize("state", ["PENDING", "ERROR"])
def test_what_does_not_hold_is_sent_again(pipeline: Pipeline, capsys: Any, state: str) -> None:
    pipeline.has("RULE", "hot", RULE, state=state)
    assert cli.main(["rules", "add", "hot.yaml"]) == 0
    assert (capsys.readouterr().out, len(pipeline.sent)) == ("unchanged rule hot\n", 1)


def test_parameters_go_with_the_rule_and_fill_its_name(
    pipeline: Pipeline, tmp_path: Path, capsys: Any
) -> None:
    text = RULE.replace("name: hot,", "name: get_param(which),").replace(
        "entities:", "parameters: {which: }\nentities:"
    )
    (tmp_path / "hot.yaml").write_text(text)
    assert cli.main(["rules", "add", "hot.yaml"]) == 1
    assert "163: parameter which has no default" in capsys.readouterr().err
    assert cli.main(["rules", "add", "hot.yaml", "--param", "which=cpu", "--param", "other=1"]) == 0
    [sent] = pipeline.sent
    assert sent["changes"][0]["definition"]["name"] == "cpu"
    assert sent["changes"][0]["definition"]["parameters"] == {"which": "cpu"}


@pytest.mark.parametrize(
    ("command", "paths", "message"),
    [
        ("rules", ["hot.yaml", "bad.yaml"], "bad.yaml:8:9: 120:"),
        (
            "rules",
            ["hot.yaml", "cure.yaml"],
            "cure.yaml:1:1: kind: this is a playbook; use faultline workflows add",
        ),
        ("workflows", ["hot.yaml"], "hot.yaml:1:1: kind: this is a standard; use faultline rules add"),
        ("workflows", ["broken.yaml"], "broken.yaml:2:7: yaml:"),
        ("rules", ["hot.yaml", "twin.yaml"], "twin.yaml:1:1: kind: the name 'hot' is also that of hot.yaml"),
    ],
)
def test_if_one_is_refused_nothing_is_changed(
    pipeline: Pipeline, tmp_path: Path, capsys: Any, command: str, paths: list[str], message: str
) -> None:
    (tmp_path / "bad.yaml").write_text(RULE.replace("set_state", "setstate").replace("hot", "bad"))
    (tmp_path / "broken.yaml").write_text("x: [\n  a: b: c\n")
    (tmp_path / "twin.yaml").write_text(RULE)
    assert cli.main([command, "add", *paths]) == 1
    told = capsys.readouterr().err
    assert message in told
    assert "1 refused; nothing was changed" in told
    assert pipeline.sent == []


def test_a_call_that_is_wrong(pipeline: Pipeline, tmp_path: Path, capsys: Any) -> None:
    assert cli.main(["rules", "add", "nowhere.yaml"]) == 2
    (tmp_path / "empty").mkdir()
    assert cli.main(["rules", "add", "empty"]) == 2
    assert cli.main(["rules", "add", "hot.yaml", "--param", "x"]) == 2
    with pytest.raises(SystemExit) as ended:
        cli.main(["rules"])
    assert ended.value.code == 2


def test_tests_beside_the_rules_are_passed_over(pipeline: Pipeline, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "hot.test.yaml").write_text("- name: n\n")
    assert cli.main(["rules", "add", "hot.test.yaml", "hot.yaml"]) == 0
    assert capsys.readouterr().out == "added rule hot\n"


def test_value_mappings_are_rules_too(pipeline: Pipeline, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "nova.host.yaml").write_text(VALUES)
    assert cli.main(["rules", "add", "nova.host.yaml"]) == 0
    assert capsys.readouterr().out == "added value mapping nova.host\n"
    pipeline.has("VALUES", "nova.host", VALUES)
    assert cli.main(["rules", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert cli.main(["rules", "list", "--json", "--mapping"]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == ["nova.host"]
    assert cli.main(["rules", "remove", "nova.host"]) == 1
    assert cli.main(["rules", "remove", "nova.host", "--mapping"]) == 0
    assert pipeline.sent[-1]["changes"] == [
        {"op": "DELETE", "definition": {"kind": "VALUES", "name": "nova.host"}}
    ]


def test_a_playbook_can_live_in_several_namespaces(pipeline: Pipeline, capsys: Any) -> None:
    pipeline.has("WORKFLOW", "cure", PLAYBOOK)
    assert cli.main(["workflows", "add", "cure.yaml", "--namespace", "blue"]) == 0
    assert capsys.readouterr().out == "added playbook blue/cure\n"
    [change] = pipeline.sent[0]["changes"]
    assert change["definition"]["name"] == "blue/cure"
    assert change["definition"]["parameters"] == {"namespace": "blue"}


def test_more_than_goes_into_one_request_goes_into_several(
    pipeline: Pipeline, tmp_path: Path, capsys: Any
) -> None:
    (tmp_path / "many").mkdir()
    for number in range(4):
        text = RULE.replace("hot", f"hot {number}") + "# " + "x" * 400_000 + "\n"
        (tmp_path / "many" / f"{number}.yaml").write_text(text)
    assert cli.main(["rules", "add", "many", "--wait", "9"]) == 0
    assert [(len(sent["changes"]), sent["wait"]) for sent in pipeline.sent] == [(2, 0), (2, 9)]
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_exactly_that_name_is_removed(pipeline: Pipeline, capsys: Any) -> None:
    for name in ("host_down", "host_down_2"):
        pipeline.has("RULE", name, RULE)
    pipeline.has("WORKFLOW", "host", PLAYBOOK)
    assert cli.main(["rules", "remove", "host_dow"]) == 1
    assert "no rule 'host_dow' is live; did you mean 'host_down'?" in capsys.readouterr().err
    assert cli.main(["rules", "remove", "host"]) == 1
    assert pipeline.sent == []
    assert cli.main(["rules", "remove", "host_down"]) == 0
    assert [change["definition"] for sent in pipeline.sent for change in sent["changes"]] == [
        {"kind": "RULE", "name": "host_down"}
    ]


def test_what_does_not_hold_everywhere_yet_is_said(pipeline: Pipeline, capsys: Any) -> None:
    pipeline.answer = {"settled": False, "detail": "correlate is 3 records behind", "errors": []}
    assert cli.main(["rules", "add", "hot.yaml"]) == 1
    assert "not in force in all partitions yet: correlate is 3 records behind" in capsys.readouterr().err
    assert cli.main(["rules", "add", "hot.yaml", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["holds"] is False
    assert told["changes"] == [{"kind": "RULE", "name": "hot", "outcome": "added"}]


def test_errors_that_a_change_brought_are_told_and_older_ones_are_not(
    pipeline: Pipeline, capsys: Any
) -> None:
    pipeline.has("RULE", "old", RULE, state="ERROR")
    pipeline.has("RULE", "well", RULE)
    errors = [{"name": name, "reason": "it fails"} for name in ("old", "well")]
    pipeline.answer = {"settled": True, "detail": "", "errors": errors}
    assert cli.main(["rules", "add", "hot.yaml"]) == 1
    told = capsys.readouterr().err
    assert "well: ERROR: it fails" in told
    assert "old" not in told


def test_show_gives_the_text_byte_for_byte(pipeline: Pipeline, capfdbinary: Any) -> None:
    text = "# ünï\r\nversion: '2.0'\n\n\t"
    pipeline.has("WORKFLOW", "cure", text)
    assert cli.main(["workflows", "show", "cure"]) == 0
    assert capfdbinary.readouterr().out == text.encode()
    assert cli.main(["workflows", "show", "cure", "--json"]) == 0
    assert json.loads(capfdbinary.readouterr().out)["text"] == text
    assert cli.main(["workflows", "show", "cur"]) == 1


def test_list_and_status_show_what_each_is_and_where_it_is_from(pipeline: Pipeline, capsys: Any) -> None:
    pipeline.has("RULE", "hot", RULE, parameters={"a": "b"}, by="ada", source="operator")
    pipeline.has("RULE", "bad", RULE, state="ERROR", reason="it fails", matches=None)
    pipeline.has("WORKFLOW", "cure", PLAYBOOK)
    assert cli.main(["rules", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["NAME", "KIND", "REVISION", "STATE", "MATCHES", "FROM", "SINCE"]
    assert lines[1].split() == [
        "hot",
        "RULE",
        "r",
        "ACTIVE",
        "2",
        "/r.yaml",
        "a=b",
        "by",
        "ada",
        "2026-01-05",
        "10:00:00",
    ]
    assert len(lines) == 3
    assert cli.main(["rules", "status"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["bad", "RULE", "r", "ERROR", "it", "fails"]
    assert lines[3].strip() == "1 ACTIVE, 1 ERROR"
    assert cli.main(["workflows", "list", "--json"]) == 0
    [entry] = json.loads(capsys.readouterr().out)
    assert (entry["name"], "text" in entry) == ("cure", False)
    pipeline.live.clear()
    assert cli.main(["rules", "list"]) == 0
    assert capsys.readouterr().out.strip() == "none is live"


def test_add_in_shadow_and_promote(pipeline: Pipeline, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("hot.yaml").write_text(RULE)
    assert cli.main(["rules", "add", "--shadow", "hot.yaml", "--by", "ada"]) == 0
    sent = pipeline.sent[-1]
    assert sent["changes"][0]["definition"]["mode"] == "shadow"
    assert sent["by"]["operator"] == "ada"
    assert sent["by"]["host"]
    name = sent["changes"][0]["definition"]["name"]
    pipeline.has("RULE", name, RULE, state="SHADOW", mode="shadow")
    assert cli.main(["rules", "promote", name]) == 0
    definition = pipeline.sent[-1]["changes"][0]["definition"]
    assert (definition["mode"], definition["text"]) == ("active", RULE)
    assert f"promoted rule {name}" in capsys.readouterr().out
    pipeline.live[-1].update(state="ACTIVE", mode="active")
    before = len(pipeline.sent)
    assert cli.main(["rules", "promote", name]) == 0
    assert len(pipeline.sent) == before
    assert "not in shadow" in capsys.readouterr().out
