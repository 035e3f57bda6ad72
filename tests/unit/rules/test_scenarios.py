"""What rules come to over records, step by step: the tables in ``scenarios/``, each played in many ways.

Whatever the order of records about different things, in every version of the template language, with a
shard that is restored after each line, with rules that come last: what then holds is the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.older import older
from support.scenario import (
    DERIVED,
    Line,
    Play,
    Stage,
    announced,
    changes,
    lines_of,
    shipped_values,
    shuffled,
    starts,
)

from pipeline.document import read_file
from pipeline.events import Definition

HERE = Path(__file__).parent / "scenarios"
#: What a step may say of what its own lines told.
TOLD = {"told": announced, "starts": starts, "changes": changes}
#: Of these a step names only those that matter to it.
PARTIAL = ("states", "operational", "severities", "attributes", "names", "episodes", "rules")


def _cases() -> list[Any]:
    found = []
    for path in sorted(HERE.glob("*.yaml")):
        value = read_file(path, scalars="text").value
        for number, case in enumerate(value["scenarios"]):
            rules = {name: value["rules"][name] for name in _rules_of(case)}
            found.append(pytest.param({**case, "rules": rules}, id=f"{path.stem}-{number}-{case['name']}"))
    return found


def _rules_of(case: dict[str, Any]) -> list[str]:
    given = case.get("rules", "").split()
    return [*given, *(words[4:] for words in _texts(case) if words.startswith("add "))]


def _texts(case: dict[str, Any]) -> list[str]:
    return [text for step in case["steps"] for text in _do(step)]


def _do(step: dict[str, Any]) -> list[str]:
    return step["do"] if isinstance(step["do"], list) else [step["do"]]


CASES = _cases()
#: Where nothing but the graph and the rules decide: no clock, no settings for restless alarms.
TIMELESS = [each for each in CASES if each.values[0].get("time") != "counts"]
VALUES = shipped_values()
VERSIONS = [
    pytest.param(each.values[0], version, id=f"v{version}-{each.id}")
    for version in (3, 2, 1)
    for each in CASES
    if version == 3 or all(older(text, version) for text in each.values[0]["rules"].values())
]
every = pytest.mark.parametrize("case", CASES)
timeless = pytest.mark.parametrize("case", TIMELESS)


def stage_of(case: dict[str, Any], tmp_path: Path, version: int = 3) -> Stage:
    rules = {}
    for name, text in case["rules"].items():
        rules[name] = tmp_path / f"{name}.yaml"
        rules[name].write_text(text if version == 3 else older(text, version) or "")
    extra = [Definition("VALUES", name, text) for name, text in case.get("values", {}).items()]
    return Stage(rules, (*VALUES, *extra))


def perform(case: dict[str, Any], stage: Stage, play: Play) -> None:
    """Plays a case and looks after each step."""
    standing = [name for name in case["rules"] if f"add {name}" not in _texts(case)]
    for line in lines_of([f"add {name}" for name in standing], stage):
        play.line(line)
    lines = iter(lines_of(_texts(case), stage))
    for number, step in enumerate(case["steps"]):
        made = [output for _ in _do(step) for output in play.line(next(lines))]
        holds = play.holds()
        for key, wanted in step.items():
            if key == "do":
                continue
            wanted = (
                [] if wanted == "" and key in (*TOLD, "down", "causes", "placeholders", "links") else wanted
            )
            wanted = {} if wanted == "" else wanted
            found: Any = TOLD[key](made) if key in TOLD else holds[key]
            if key in PARTIAL:
                found = {name: found.get(name) for name in wanted}
            assert _words(found) == _words(wanted), f"step {number + 1} ({step['do']}): {key}"


def _words(value: Any) -> Any:
    """Everything as text: that is how the tables are read."""
    if isinstance(value, dict):
        return {key: _words(each) for key, each in value.items()}
    if isinstance(value, list):
        return sorted(_words(each) for each in value)
    return "" if value is None else str(value)


@pytest.mark.parametrize(("case", "version"), VERSIONS)
def test_step_by_step(case: dict[str, Any], version: int, tmp_path: Path) -> None:
    stage = stage_of(case, tmp_path, version)
    perform(case, stage, Play(stage))


@every
def test_a_shard_restored_after_each_line_tells_the_same(case: dict[str, Any], tmp_path: Path) -> None:
    stage = stage_of(case, tmp_path)
    straight, restored = Play(stage), Play(stage, restoring=True)
    perform({**case, "steps": [{**step} for step in case["steps"]]}, stage, straight)
    lines = _whole(case, stage)
    for line in lines:
        restored.line(line)
    assert restored.bytes() == straight.bytes()


@timeless
def test_any_order_ends_the_same(case: dict[str, Any], tmp_path: Path) -> None:
    stage = stage_of(case, tmp_path)
    lines = _whole(case, stage)
    expected = _ends(stage, lines)
    for seed in range(4):
        assert _ends(stage, shuffled(lines, seed)) == expected, seed


@timeless
def test_rules_that_come_last_and_go_again(case: dict[str, Any], tmp_path: Path) -> None:
    stage = stage_of(case, tmp_path)
    lines = _whole(case, stage)
    expected = _ends(stage, lines)
    play = Play(stage)
    for line in lines:
        if "rules" not in line:
            play.line(line)
    bare = play.holds()
    rules = [line for line in lines if "rules" in line]
    for line in rules:
        assert not starts(play.line(line)), "what stood already starts nothing"
    assert {key: play.holds()[key] for key in DERIVED} == expected
    for name in sorted(play.simulation.shard.rules.rules):
        play.line({"rules": {"remove": name}})
    left = play.holds()
    assert {key: left[key] for key in DERIVED} == {key: bare[key] for key in DERIVED}
    assert (left["alarms"], left["causes"], left["down"]) == ({}, [], [])


def _whole(case: dict[str, Any], stage: Stage) -> list[Line]:
    standing = [f"add {name}" for name in case["rules"] if f"add {name}" not in _texts(case)]
    return [*lines_of(standing, stage), *lines_of(_texts(case), stage)]


def _ends(stage: Stage, lines: list[Line]) -> dict[str, Any]:
    play = Play(stage)
    for line in lines:
        play.line(line)
    holds = play.holds()
    return {key: holds[key] for key in DERIVED}
