from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline import cli
from pipeline.resources import shipped

RULES = """\
metadata: {name: hot, version: 3}
entities:
  load: {category: ALARM, type: nagios, name: load}
  host: {type: nova.host}
  vm: {type: nova.instance}
scenarios:
  - condition: load [on] host
    actions:
      - set_state: {state: ERROR, target: host}
  - condition: load [on] host AND host [contains] vm
    actions:
      - raise_alarm: {target: vm, alarm_name: slow, severity: WARNING, causing_alarm: load}
      - execute_workflow: {workflow: cure, input: {vm: "get_attr(vm, id)"}}
"""
PLAYBOOK = """\
version: '2.0'
cure:
  input: [vm]
  output: {cured: <% $.vm %>}
  tasks:
    look:
      action: nova.servers_get server=<% $.vm %>
      retry: {count: 2, delay: 10}
"""
WORLD = """\
    - {topic: topology.changes, value: {entity: {type: nova.host, id: h, state: up}}}
    - {topic: topology.changes, value: {entity: {type: nova.instance, id: v, state: ACTIVE}}}
    - topic: topology.changes
      value:
        relationship: {source: {type: nova.host, id: h}, type: contains, target: {type: nova.instance, id: v}}
    - topic: alarms.raw
      value:
        source: nagios
        alarm: {name: load, severity: MINOR, status: ACTIVE, resource: {type: nova.host, id: h}}
"""
ALL = """\
  expect:
    alarms: [{name: slow, resource: nova.instance/v, severity: WARNING}]
    states: {nova.host/h: ERROR}
    causes: [{source: nagios/load@nova.host/h, target: vitrage/slow@nova.instance/v}]
    workflows: [{workflow: cure, input: {vm: v}}]
"""


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hot.yaml").write_text(RULES)
    (tmp_path / "cure.yaml").write_text(PLAYBOOK)
    return tmp_path


def played(text: str, capsys: pytest.CaptureFixture[str], name: str = "hot") -> tuple[int, list[str]]:
    Path(f"{name}.test.yaml").write_text(text)
    status = cli.main(["test", f"{name}.test.yaml"])
    return status, capsys.readouterr().out.splitlines()


def test_what_comes_of_the_events_is_what_was_expected(at: Path, capsys: Any) -> None:
    status, lines = played(f"- name: it cures\n  events:\n{WORLD}{ALL}", capsys)
    assert (status, lines) == (0, ["ok   hot.test.yaml:1: it cures", "1 passed"])


@pytest.mark.parametrize("section", ["alarms", "states", "causes", "workflows"])
def test_a_deduction_that_is_not_listed_fails_the_test_unless_it_is_partial(
    at: Path, capsys: Any, section: str
) -> None:
    expect = "".join(line for line in ALL.splitlines(True) if f"    {section}:" not in line)
    status, lines = played(f"- name: n\n  events:\n{WORLD}{expect}", capsys)
    assert status == 1
    assert len(lines) == 3
    assert f"hot.test.yaml:12: {section}: not expected: " in lines[1]
    assert played(f"- name: n\n  partial: true\n  events:\n{WORLD}{expect}", capsys)[0] == 0
    assert played(f"- name: n\n  events:\n{WORLD}{expect}    partial: true\n", capsys)[0] == 0


def test_reported_alarms_and_unchanged_states_may_be_listed_but_need_not(at: Path, capsys: Any) -> None:
    more = ALL.replace("alarms: [", "alarms: [nagios/load@nova.host/h, ").replace(
        "{nova.host/h: ERROR}", "{nova.host/h: ERROR, nova.instance/v: ACTIVE}"
    )
    assert played(f"- name: n\n  events:\n{WORLD}{more}", capsys)[0] == 0


def test_a_difference_stands_with_its_line(at: Path, capsys: Any) -> None:
    wrong = ALL.replace("ERROR", "OK").replace("severity: WARNING", "severity: CRITICAL")
    status, lines = played(f"- name: n\n  events:\n{WORLD}{wrong}", capsys)
    assert (status, lines) == (
        1,
        [
            "FAIL hot.test.yaml:1: n",
            "       hot.test.yaml:13: alarms: vitrage/slow@nova.instance/v: "
            "severity is WARNING, expected CRITICAL",
            "       hot.test.yaml:14: states: nova.host/h: aggregated_state is ERROR, expected OK",
            "0 passed, 1 failed",
        ],
    )


def test_an_alarm_that_was_cleared_can_be_expected(at: Path, capsys: Any) -> None:
    clear = WORLD + "    - {topic: topology.changes, value: {op: DELETE, entity: {type: nova.host, id: h}}}\n"
    expect = (
        "  expect:\n    workflows: [cure]\n    alarms: [{key: vitrage/slow@nova.instance/v, status: %s}]\n"
    )
    assert played(f"- name: n\n  events:\n{clear}{expect % 'CLEARED'}", capsys)[0] == 0
    status, lines = played(f"- name: n\n  events:\n{clear}{expect % 'ACTIVE'}", capsys)
    assert (status, "alarms: missing" in lines[1]) == (1, True)
    other = expect.replace("@nova.instance/v", "@nova.instance/w") % "CLEARED"
    status, lines = played(f"- name: n\n  events:\n{clear}{other}", capsys)
    assert (status, "was never raised" in lines[1]) == (1, True)


def test_playbooks_run_with_the_answers_and_their_end_can_be_expected(at: Path, capsys: Any) -> None:
    text = (
        "- name: n\n  rules: [hot.yaml]\n  playbooks: [cure.yaml]\n"
        "  answers:\n    - action: nova.servers_get\n      answers: [{error: busy}, {result: 1}]\n"
        f"  events:\n{WORLD}" + ALL.replace("input: {vm: v}", "state: SUCCESS, output: {cured: v}")
    )
    assert played(text, capsys)[0] == 0
    status, lines = played(text.replace("{result: 1}", "{error: gone}"), capsys)
    assert status == 1
    assert "state is ERROR, expected SUCCESS" in lines[1]


def test_lines_as_in_simulate_with_ticks_and_changes_of_rules(at: Path, capsys: Any) -> None:
    (at / "sub").mkdir()
    text = (
        "- name: n\n  rules: [../cure.yaml]\n  events:\n"
        f"{WORLD}    - {{tick: 2026-03-01T10:00:00Z}}\n    - rules: {{add: ../hot.yaml}}\n"
    )
    # Put live while the match stood already: no workflow is started.
    live = text + ALL.replace("    workflows: [{workflow: cure, input: {vm: v}}]\n", "")
    assert played(live, capsys, "sub/a")[0] == 0
    gone = text + "    - rules: {remove: hot}\n  expect: {}\n"
    assert played(gone, capsys, "sub/b")[0] == 0
    unknown = text + "    - rules: {remove: cold}\n  expect: {}\n"
    status, lines = played(unknown, capsys, "sub/c")
    assert status == 1
    assert "sub/c.test.yaml:15: events: rules: no rule 'cold'" in lines[1]


def test_a_rule_may_include_what_is_live_already(at: Path, capsys: Any) -> None:
    entities = (
        "{entity: {category: ALARM, type: nagios, name: load, template_id: load}}, "
        "{entity: {category: RESOURCE, type: nova.host, template_id: host}}"
    )
    Path("common.yaml").write_text(
        f"metadata: {{name: common, version: 2}}\ndefinitions: {{entities: [{entities}]}}\n"
    )
    Path("uses.yaml").write_text(
        "metadata: {name: uses, version: 2, type: standard}\nincludes: [{name: common}]\n"
        "definitions:\n  relationships:\n"
        "    - relationship: {source: load, target: host, relationship_type: on, template_id: it}\n"
        "scenarios:\n  - scenario:\n      condition: it\n      actions:\n"
        "        - action:\n            action_type: set_state\n"
        "            properties: {state: ERROR}\n            action_target: {target: host}\n"
    )
    text = f"- name: n\n  rules: [common.yaml]\n  events:\n{WORLD}    - rules: {{add: uses.yaml}}\n"
    assert played(f"{text}  expect: {{states: {{nova.host/h: ERROR}}}}\n", capsys)[0] == 0
    # In its turn it is refused where there is nothing to include.
    status, lines = played(f"{text}  expect: {{}}\n".replace("common.yaml", "cure.yaml"), capsys)
    assert (status, "uses.yaml:2:" in lines[1]) == (1, True)


def test_value_mappings_of_a_directory_take_the_place_of_those_shipped(at: Path, capsys: Any) -> None:
    (at / "own").mkdir()
    words = "{aggregated values: {priority: %d, original values: [{name: %s, operational_value: %s}]}}"
    values = ", ".join([words % (50, "UP", "OK"), words % (10, "ERROR", "ERROR")])
    (at / "own" / "nova.host.yaml").write_text(f"category: RESOURCE\nvalues: [{values}]\n")
    expect = ALL.replace("{nova.host/h: ERROR}", "{nova.host/h: {state: UP, operational_state: OK}}")
    assert played(f"- name: n\n  values: own\n  events:\n{WORLD}{expect}", capsys)[0] == 0
    assert played(f"- name: n\n  events:\n{WORLD}{expect}", capsys)[0] == 1


def test_a_bad_record_is_named_with_its_line(at: Path, capsys: Any) -> None:
    record = "{topic: alarms.raw, value: {source: s, alarm: {name: 4}}}"
    text = f"- name: n\n  events:\n    - {record}\n  expect: {{}}\n"
    status, lines = played(text, capsys)
    assert status == 1
    assert lines[1].strip().startswith("hot.test.yaml:3: events: ")


WORKFLOW = """\
- name: it looks twice
  workflow: cure
  input: {vm: v}
  answers:
    - action: nova.servers_get
      answers: [{error: busy}, {result: {id: v}}]
  expect:
    state: SUCCESS
    output: {cured: v}
    tasks: {look: {state: SUCCESS, result: {id: v}}}
"""


def test_a_workflow_is_run_on_virtual_time(at: Path, capsys: Any) -> None:
    assert played(WORKFLOW, capsys, "cure") == (0, ["ok   cure.test.yaml:1: it looks twice", "1 passed"])


def test_differences_of_a_workflow_stand_with_their_lines(at: Path, capsys: Any) -> None:
    wrong = WORKFLOW.replace("{cured: v}", "{cured: w, more: 1}").replace(
        "look: {state: SUCCESS", "look: {state: X"
    )
    status, lines = played(wrong.replace("state: SUCCESS", "state: ERROR", 1), capsys, "cure")
    assert status == 1
    assert [line.strip() for line in lines[1:-1]] == [
        "cure.test.yaml:8: state is SUCCESS, expected ERROR",
        "cure.test.yaml:9: output.cured is v, expected w",
        "cure.test.yaml:9: output.more is not there, expected 1",
        "cure.test.yaml:10: tasks: look: state is SUCCESS, expected X",
    ]


def test_events_at_times_are_given_with_the_answers(at: Path, capsys: Any) -> None:
    text = """\
- name: somebody gives up
  workflow: cure
  input: {vm: v}
  answers:
    actions: [{action: nova.servers_get, answers: [{never: true}]}]
    events: [{at: 5, cancel: enough}]
  expect: {state: CANCELLED, state_info: enough}
"""
    assert played(text, capsys, "cure")[0] == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: n\n", ":1:1: test: a test file is a list of tests"),
        ("- 4\n", ":1:3: test: a test is a mapping"),
        ("- events: [1]\n  expect: {}\n", "test: a test needs a `name`"),
        ("- name: n\n  expect: {}\n", "test: a test of rules needs `events`"),
        ("- name: n\n  events: [1]\n", "test: a test needs `expect`"),
        (
            "- name: n\n  event: []\n  expect: {}\n",
            ":2:3: test: a test of rules has no 'event'; did you mean 'events'?",
        ),
        (
            "- name: n\n  events: [1]\n  expect:\n    alarm: []\n",
            ":4:5: test: `expect` has no 'alarm'; did you mean",
        ),
        (
            "- name: n\n  workflow: w\n  events: []\n  expect: {}\n",
            ":3:3: test: a test of a workflow has no 'events'",
        ),
        ("- name: n\n  events: [1]\n  rules: a.yaml\n  expect: {}\n", ":3:3: test: `rules` is a list"),
        (
            "- name: n\n  events: [1]\n  partial: maybe\n  expect: {}\n",
            ":3:3: test: `partial` is true or false",
        ),
        ("- name: n\n  events: [1]\n  expect: {states: 4}\n", "test: `states` is a list"),
        ("- [\n", "yaml: not readable as YAML"),
    ],
)
def test_a_test_file_that_cannot_be_played_says_why(at: Path, capsys: Any, text: str, message: str) -> None:
    status, lines = played(text, capsys)
    assert status == 1
    assert any(message in line and "hot.test.yaml:" in line for line in lines), lines
    assert lines[-1] == "0 passed, 1 failed"
    # The same is said by validate, which takes it for a test by its name.
    assert cli.main(["validate", "--json", "hot.test.yaml"]) == 1
    [found] = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["accepted"]) == ("test", False)


def test_what_is_tested_must_be_there_and_be_accepted(at: Path, capsys: Any) -> None:
    text = f"- name: n\n  rules: [cold.yaml]\n  events:\n{WORLD}  expect: {{}}\n"
    status, lines = played(text, capsys)
    assert (status, "hot.test.yaml:2: cold.yaml is not there" in lines[1]) == (1, True)
    assert cli.main(["validate", "hot.test.yaml"]) == 1
    assert "hot.test.yaml:2:11: test: cold.yaml is not there" in capsys.readouterr().out
    (at / "cold.yaml").write_text(RULES.replace("[on]", "[on"))
    status, lines = played(text, capsys)
    assert (status, "cold.yaml:7:" in lines[1]) == (1, True)
    orphan = f"- name: n\n  events:\n{WORLD}  expect: {{}}\n"
    status, lines = played(orphan, capsys, "orphan")
    assert (status, "no `rules` are named" in lines[1]) == (1, True)


def test_a_script_of_answers_that_cannot_be_read_is_named_with_its_line(at: Path, capsys: Any) -> None:
    status, lines = played(WORKFLOW.replace("result: {id: v}}]", "reslt: 1}]", 1), capsys, "cure")
    assert status == 1
    assert "cure.test.yaml:5:" in lines[1]


def test_operating_an_execution_belongs_to_a_test_of_its_workflow(at: Path, capsys: Any) -> None:
    text = (
        "- name: n\n  rules: [hot.yaml]\n  playbooks: [cure.yaml]\n"
        f"  answers:\n    events: [{{at: 1, pause: true}}]\n  events:\n{WORLD}  expect: {{}}\n"
    )
    status, lines = played(text, capsys)
    assert (status, "hot.test.yaml:5:5: test: `events` of answers" in lines[1]) == (1, True)


def test_paths_are_files_directories_or_what_is_tested(at: Path, capsys: Any) -> None:
    (at / "deep").mkdir()
    Path("deep/cure.test.yaml").write_text(
        WORKFLOW.replace("workflow:", "playbooks: [../cure.yaml]\n  workflow:")
    )
    Path("cure.test.yaml").write_text(WORKFLOW)
    assert cli.main(["test", "."]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 passed"
    assert cli.main(["test", "cure.yaml"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 passed"
    assert cli.main(["test", "hot.yaml"]) == 2
    assert cli.main(["test", "nowhere"]) == 2
    # Where rules are looked for, their tests are none.
    assert cli.main(["validate", "--json", "."]) == 0
    assert [one["kind"] for one in json.loads(capsys.readouterr().out)] == ["playbook", "standard"]


def test_json_has_the_differences(at: Path, capsys: Any) -> None:
    Path("cure.test.yaml").write_text(WORKFLOW.replace("SUCCESS", "ERROR", 1))
    assert cli.main(["test", "--json", "."]) == 1
    [told] = json.loads(capsys.readouterr().out)
    assert told == {
        "path": "cure.test.yaml",
        "line": 1,
        "name": "it looks twice",
        "passed": False,
        "differences": [{"line": 8, "message": "state is SUCCESS, expected ERROR"}],
    }


@pytest.mark.parametrize("name", ["rules", "playbooks"])
def test_what_is_shipped_passes_its_tests_and_all_of_it_has_some(name: str, capsys: Any) -> None:
    place = shipped(name)
    assert cli.main(["test", str(place)]) == 0
    assert ", " not in capsys.readouterr().out.splitlines()[-1]
    files = [path for path in place.glob("*.yaml") if ".test." not in path.name]
    assert [path.name for path in files if not path.with_name(f"{path.stem}.test.yaml").exists()] == []
