# ruff: noqa: E501 - a row of a table stands on one line.
from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.checking import check_files
from pipeline.events import Definition

RULE = """\
metadata: {name: r, version: 3}
entities:
  load: {category: ALARM, type: nagios, name: load}
  host: {type: nova.host}
scenarios:
  - condition: load [on] host
    actions:
      - execute_workflow: {workflow: NAME, input: {INPUT}}
"""
PLAYBOOK = "version: '2.0'\ncure:\n  input: [host, {force: false}]\n  tasks: {a: {action: std.noop}}\n"


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("cure", "host: 1", None),
        ("cure", "host: 1, force: true", None),
        ("cur", "host: 1", "workflow-unknown: there is no workflow 'cur'; did you mean 'cure'?"),
        ("heal", "host: 1", "workflow-unknown: there is no workflow 'heal'; there are cure"),
        ("cure", "force: true", "workflow-input: the workflow 'cure' needs the input host"),
        ("cure", "host: 1, x: 2", "workflow-input: the workflow 'cure' has no input x"),
        ('"get_attr(load, workflow)"', "x: 1", None),
    ],
)
def test_a_rule_is_told_what_its_workflow_lacks(
    tmp_path: Path, name: str, given: str, message: str | None
) -> None:
    rule = tmp_path / "r.yaml"
    rule.write_text(RULE.replace("NAME", name).replace("INPUT", given))
    playbook = tmp_path / "p.yaml"
    playbook.write_text(PLAYBOOK)
    checked = check_files([rule, playbook])
    expected = [f"{rule}:8:9: {message}"] if message else []
    assert [str(finding) for finding in checked[0].findings] == expected
    # It runs, and the execution says so: the rule's other actions are none the worse for it.
    assert all(one.accepted for one in checked)
    live = [Definition("WORKFLOW", "cure", PLAYBOOK)]
    assert [str(finding) for finding in check_files([rule], {}, live)[0].findings] == expected
    assert check_files([rule])[0].findings == []


def test_what_is_live_can_be_included_and_closes_circles(tmp_path: Path) -> None:
    common = "metadata: {name: common, version: 2}\ndefinitions: {entities: [ENTITIES]}\n".replace(
        "ENTITIES",
        "{entity: {category: ALARM, type: nagios, name: load, template_id: load}}, "
        "{entity: {category: RESOURCE, type: nova.host, template_id: host}}",
    )
    text = """\
metadata: {name: uses, version: 2, type: standard}
includes: [{name: common}]
definitions:
  relationships:
    - relationship: {source: load, target: host, relationship_type: on, template_id: load_on_host}
scenarios:
  - scenario:
      condition: load_on_host
      actions:
        - action: {action_type: set_state, properties: {state: ERROR}, action_target: {target: host}}
"""
    uses = tmp_path / "uses.yaml"
    uses.write_text(text)
    assert not check_files([uses])[0].accepted
    assert check_files([uses], {}, [Definition("RULE", "common", common)])[0].accepted

    other = """\
metadata: {name: OWN, version: 3}
entities:
  mine: {category: ALARM, type: vitrage, name: OWN}
  theirs: {category: ALARM, type: vitrage, name: OTHER}
  host: {type: nova.host}
scenarios:
  - condition: host AND NOT theirs [on] host
    actions: [raise_alarm: {target: host, alarm_name: OWN, severity: WARNING}]
"""
    first = other.replace("OWN", "a").replace("OTHER", "b")
    second = tmp_path / "b.yaml"
    second.write_text(other.replace("OWN", "b").replace("OTHER", "a"))
    assert check_files([second])[0].accepted
    [checked] = check_files([second], {}, [Definition("RULE", "a", first)])
    assert [finding.code for finding in checked.findings] == ["negative-cycle"]
    assert checked.definition is None


@pytest.mark.parametrize(
    ("trigger", "message"),
    [
        ("{workflow: cure, cron: '* * * * *', input: {host: 1}}", None),
        ("{workflow: cur, cron: '* * * * *'}", "workflow-unknown: there is no workflow 'cur'; did you mean 'cure'?"),
        ("{workflow: cure, topic: alarms.raw}", "workflow-input: the workflow 'cure' needs the input host"),
        ("{workflow: cure, cron: often, input: {host: 1}}", "trigger-cron: cron: 'often' has not five fields (or six, the last one for seconds)"),
    ],
)  # fmt: skip
def test_a_trigger_is_told_what_its_workflow_lacks(tmp_path: Path, trigger: str, message: str | None) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(f"triggers:\n  t: {trigger}\n")
    (checked,) = check_files([path], {}, [Definition("WORKFLOW", "cure", PLAYBOOK)])
    assert checked.kind == "triggers"
    assert [str(finding).partition(": ")[2] for finding in checked.findings][:1] == (
        [message] if message else []
    )
    accepted = message is None or not message.startswith("trigger")
    assert (checked.accepted, checked.definition is not None) == (accepted, accepted)
    if checked.definition is not None:
        assert (checked.definition.kind, checked.definition.name) == ("TRIGGER", "t")
