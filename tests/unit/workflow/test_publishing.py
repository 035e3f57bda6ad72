# ruff: noqa: E501 - a definition stands on one line.
"""Definitions put live, replaced and removed while executions run."""

from __future__ import annotations

import msgspec
import pytest

from pipeline.workflow.shard import WorkflowShard

FIRST = "version: '2.0'\nwf: {output: {v: 1}, tasks: {a: {action: some.action, on-success: b}, b: {action: first}}}"
SECOND = "version: '2.0'\nwf: {output: {v: 2}, tasks: {a: {action: some.action, on-success: b}, b: {action: second}}}"
BROKEN = "version: '2.0'\nwf: {tasks: {a: {on-success: nowhere}}}"


class Engine:
    """A shard and the number of the next record."""

    def __init__(self):
        self.shard = WorkflowShard(0)
        self.position = 0

    def send(self, **command):
        self.position += 1
        command.setdefault("id", f"c{self.position}")
        return self.shard.step(msgspec.json.encode(command), self.position, self.position)

    def define(self, text, name="doc", op="UPSERT"):
        return self.send(
            command="DEFINITION", op=op, definition={"kind": "WORKFLOW", "name": name, "text": text}
        )

    def start(self, root):
        return actions(self.send(command="START", root=root, execution=root, workflow="wf", input={}))

    def answer(self, action):
        place = {key: action[key] for key in ("root", "execution", "task")}
        return self.send(command="RESULT", **place, action=action["id"], state="SUCCESS", result=1)

    def restored(self):
        other = WorkflowShard(0)
        for key in self.keys():
            other.load(key, self.shard.encode(key))
        other.restored()
        return other

    def keys(self):
        store = self.shard.store
        records = [*store.documents.values(), *store.revisions.values()]
        for live in store.lives.values():
            records += [live.record, *live.tasks.values()]
        return [record.key for record in records]


def actions(outputs):
    return [output.value for output in outputs if output.topic == "workflow.actions"]


@pytest.fixture
def engine():
    return Engine()


@pytest.mark.parametrize("restore", [False, True])
@pytest.mark.parametrize("change", ["replaced", "removed"])
def test_a_running_execution_keeps_the_definition_it_began_with(engine, change, restore):
    engine.define(FIRST)
    (action,) = engine.start("r1")
    engine.define(SECOND if change == "replaced" else "", op="UPSERT" if change == "replaced" else "DELETE")
    if restore:
        engine.shard = engine.restored()
    (after,) = actions(engine.answer(action))
    assert after["action"] == "first"
    end = engine.answer(after)[-1].value
    assert (end["state"], end["output"]) == ("SUCCESS", {"v": 1})
    # Nothing needs the first text any more.
    assert len(engine.shard.store.revisions) == (change == "replaced")


def test_what_starts_later_has_the_new_one(engine):
    engine.define(FIRST)
    engine.define(SECOND)
    (action,) = engine.start("r1")
    assert actions(engine.answer(action))[0]["action"] == "second"


def test_a_broken_definition_is_noted_and_the_earlier_one_stays(engine):
    engine.define(FIRST)
    engine.define(BROKEN)
    told = engine.shard.counters()["definitions"]["doc"]
    assert "Task 'nowhere' not found." in told["error"]
    assert engine.start("r1")
    engine.define(FIRST)
    assert engine.shard.counters()["definitions"]["doc"]["error"] == ""


def test_a_removed_workflow_cannot_be_started(engine):
    engine.define(FIRST)
    engine.define("", op="DELETE")
    outputs = engine.send(command="START", root="r1", execution="r1", workflow="wf", input={})
    assert [(output.value["state"], output.value["kind"]) for output in outputs] == [("ERROR", "EXECUTION")]


def test_the_same_definition_again_changes_nothing(engine):
    engine.define(FIRST)
    engine.shard.dirty.clear()
    engine.define(FIRST)
    assert engine.shard.dirty == set()


def test_of_two_documents_that_define_one_workflow_the_later_counts(engine):
    engine.define(SECOND, "a")
    engine.define(FIRST, "b")
    (action,) = engine.start("r1")
    assert actions(engine.answer(action))[0]["action"] == "first"
    engine.define("", "b", op="DELETE")
    (action,) = engine.start("r2")
    assert actions(engine.answer(action))[0]["action"] == "second"


def test_definitions_of_rules_are_not_for_this_engine(engine):
    engine.send(command="DEFINITION", definition={"kind": "RULE", "name": "r", "text": "x"})
    assert engine.shard.counters()["definitions"] == {}


SPACED = "version: '2.0'\nwf: {{output: {{from: {0}}}, tasks: {{a: {{workflow: sub}}}}}}\nsub: {{tasks: {{t: {{action: {0}}}}}}}"


@pytest.mark.parametrize(
    ("namespace", "action"), [("one", "first"), ("two", "second"), ("", "plain"), ("three", "plain")]
)
def test_a_namespace_is_looked_in_first_and_by_sub_workflows_too(engine, namespace, action):
    for place, word in (("one", "first"), ("two", "second"), ("", "plain")):
        given = {
            "kind": "WORKFLOW",
            "name": word,
            "text": SPACED.format(word),
            "parameters": {"namespace": place},
        }
        engine.send(command="DEFINITION", definition=given)
    start = {"root": "r", "execution": "r", "workflow": "wf", "input": {}, "namespace": namespace}
    (asked,) = actions(engine.send(command="START", **start))
    assert asked["action"] == action
    engine.shard = engine.restored()
    end = engine.answer(asked)[-1].value
    assert end["output"] == {"from": action}


def test_ad_hoc_actions_of_a_running_execution_stay_as_they_were(engine):
    text = "version: '2.0'\nact: {base: some.action, output: 'old <% $ %>'}\nwf: {output: {r: <% task(a).result %>}, tasks: {a: {action: act}}}"
    engine.define(text)
    (asked,) = engine.start("r")
    engine.define(text.replace("old", "new"))
    assert engine.answer(asked)[-1].value["output"] == {"r": "old 1"}
