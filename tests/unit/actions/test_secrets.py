"""Secrets: where they come from, where they take the place of their names, and that they show nowhere."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from pipeline.actions import registry, secrets
from pipeline.actions.declaration import Context, Secret, action
from pipeline.actions.vault import Vault, holds_reference
from pipeline.errors import ActionFailed, InvalidInput, InvalidSetting
from pipeline.executor.entry import Work, accept, encode, finish, report, start
from pipeline.executor.masking import Masking
from pipeline.executor.runner import perform

HUSH = "hush-hush 42%"
KEY = "-----BEGIN KEY-----\nabcdefghijklmnopqrstuvwxyz\n0123456789ABCDEFGHIJ\n-----END KEY-----\n"


def vault(tmp_path: Path, **kept: Any) -> Vault:
    path = tmp_path / "secrets.yaml"
    path.write_text(json.dumps(kept))
    return Vault(secrets.provider(f"file:{path}"))


def work(action: str = "std.echo", **fields: Any) -> Work:
    return Work("a-1", "r-1", "e-1", "t-1", action, **fields)


def test_the_environment_is_a_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_DB_PASSWORD", HUSH)
    monkeypatch.setenv("OPS_CLOUD", '{"token": "abcd", "endpoints": {}}')
    found = Vault(secrets.provider("env:OPS_"))
    assert found.find("db-password") == HUSH
    assert found.find("cloud") == {"token": "abcd", "endpoints": {}}
    assert found.find("cloud", "token") == "abcd"
    with pytest.raises(ActionFailed, match="no secret 'other'"):
        found.find("other")


def test_a_file_or_a_directory_is_a_source(tmp_path: Path) -> None:
    assert vault(tmp_path, a=HUSH).find("a") == HUSH
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "id_ed25519").write_text(KEY)
    found = Vault(secrets.provider(f"file:{tmp_path / 'dir'}"))
    assert found.find("id_ed25519") == KEY.rstrip("\n")
    # What was changed is the one to be used.
    (tmp_path / "dir" / "id_ed25519").write_text("another")
    assert found.find("id_ed25519") == "another"


def test_a_program_is_a_source_that_is_not_asked_for_each_of_many_calls(tmp_path: Path) -> None:
    program = tmp_path / "ask"
    asked = tmp_path / "asked"
    program.write_text(f'#!/bin/sh\necho "$2" >> {asked}\n[ "$2" = good ] && echo "s-$1-$2" || exit 4\n')
    program.chmod(0o700)
    found = Vault(secrets.provider(f"command:{program} 'one word'"))
    assert [found.find("good") for _ in range(3)] == ["s-one word-good"] * 3
    assert asked.read_text() == "good\n"
    with pytest.raises(ActionFailed, match="ended with status 4"):
        found.find("bad")


@pytest.mark.parametrize("name", ["../etc/passwd", "", "-x", "a b", ".hidden", "a/b", "a\0"])
def test_a_name_is_a_name(tmp_path: Path, name: str) -> None:
    (tmp_path / ".hidden").write_text("x")
    with pytest.raises(InvalidInput, match="name of a secret"):
        Vault(secrets.provider(f"file:{tmp_path}")).find(name)


@pytest.mark.parametrize(
    "setting", ["", "env", "vault:x", "command:", "command:'x", "file:", "env:FAULTLINE_"]
)
def test_a_setting_that_names_no_source_is_refused(setting: str) -> None:
    with pytest.raises(InvalidSetting, match="secrets"):
        secrets.provider(setting)


def test_references_are_replaced_at_any_depth(tmp_path: Path) -> None:
    found = vault(tmp_path, a=HUSH, b={"user": "me", "password": "pass-word"})
    given = {
        "x": [{"y": {"secret": "a"}}],
        "auth": {"secret": "b", "key": "password"},
        "secret": {"secret": "a", "more": 1},
    }
    assert found.resolve(given) == {
        "x": [{"y": HUSH}],
        "auth": "pass-word",
        "secret": {"secret": "a", "more": 1},
    }
    assert holds_reference(given)
    assert not holds_reference({"secret": "a", "more": [1]})
    with pytest.raises(InvalidInput, match="is referred to as"):
        found.resolve({"x": {"secret": 5}})
    with pytest.raises(ActionFailed, match="has no value 'nothing'"):
        found.resolve({"x": {"secret": "b", "key": "nothing"}})


def test_every_form_of_what_was_given_out_is_masked(tmp_path: Path) -> None:
    found = vault(
        tmp_path, a=HUSH, key=KEY, b={"username": "operator", "password": "pass-word", "pin": 123456}
    )
    for name in ("a", "key", "b"):
        found.find(name)
    said = found.mask(
        {
            "text": f"before {HUSH} after",
            "quoted": "u=hush-hush%2042%25&v=hush-hush+42%25",
            "coded": "Basic aHVzaC1odXNoIDQyJQ==",
            HUSH: [KEY, "abcdefghijklmnopqrstuvwxyz alone"],
            "many": ["operator", "pass-word", "123456", 5, None],
        }
    )
    text = json.dumps(said)
    for secret in ("hush", "aHVz", "abcdefghij", "0123456789A", "pass-word", "123456"):
        assert secret not in text
    assert said["many"] == ["operator", "***", "***", 5, None]
    assert said["text"] == "before *** after"


def test_a_secret_is_found_however_it_has_to_be_written() -> None:
    found = Vault()
    found.note(['quo"ted\\back', "new\nline", "zwölf ü", "\x01control"])
    said = ['a quo"ted\\back b', "a new\nline", {"zwölf ü": "\x01control"}, b"bytes", object]
    assert found.mask(said)[:3] == ["a *** b", "a ***", {"***": "***"}]
    assert found.mask(said[:3]) == ["a *** b", "a ***", {"***": "***"}]


def test_what_is_remembered_is_bounded_and_what_is_used_stays() -> None:
    found = Vault()
    for number in range(3_000):
        found.note(f"token-{number}")
        found.note("static-secret")
    assert len(found.known) <= 1_000
    assert found.mask("static-secret token-2999") == "*** ***"


def test_the_ledger_and_the_topics_hold_the_reference_only(go: Any, tmp_path: Path) -> None:
    context = Context(vault=vault(tmp_path, a=HUSH))
    given = {"output": {"it is": {"secret": "a"}, "said": "x"}}
    entry = start(accept(work(input=given), 1), "one", 2, 3)
    before = encode(entry)
    outcome = go(perform(context, entry.work))
    done = finish(entry, outcome, 4)
    output = report(done)
    assert output is not None
    assert outcome.result == {"it is": "***", "said": "x"}
    assert b'"secret":"a"' in before
    for written in (before, encode(done), json.dumps(output.value).encode()):
        assert b"hush" not in written


def test_an_error_that_quotes_a_secret_is_masked_and_so_is_the_log(
    go: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    @action("ours.leak", "none")
    async def leak(context: Context, password: Secret, how: str) -> None:
        logging.getLogger("some.library").warning("using %s", password)
        if how == "fail":
            raise ActionFailed(f"wrong: {password}", details={"tried": [password]})
        raise RuntimeError(f"cannot use {password}")

    monkeypatch.setattr(registry, "installed", lambda: {leak.name: leak})
    context = Context(vault=vault(tmp_path, a=HUSH))
    caplog.handler.addFilter(Masking(context.vault))
    by_name = {"password": {"secret": "a"}}
    assert go(perform(context, work("ours.leak", input={**by_name, "how": "fail"}))).result == {
        "tried": ["***"]
    }
    broken = go(perform(context, work("ours.leak", input={**by_name, "how": "break"})))
    assert broken.result == "ours.leak raised RuntimeError: cannot use ***"
    # A text that stands in the workflow is masked too, where the action declares it a secret.
    plain = go(perform(context, work("ours.leak", input={"password": "pl-ai-n", "how": "break"})))
    assert plain.result == "ours.leak raised RuntimeError: cannot use ***"
    try:
        raise ValueError(HUSH)
    except ValueError:
        logging.getLogger("x").exception("with %s", HUSH)
    raised = [line for line in caplog.records if "raised" in line.getMessage()]
    assert {vars(line)["execution"] for line in raised} == {"e-1"}
    assert "ValueError: ***" in caplog.text
    assert "hush" not in caplog.text
    assert "pl-ai-n" not in caplog.text


def test_a_secret_that_is_not_there_fails_the_task_and_names_it(go: Any, tmp_path: Path) -> None:
    outcome = go(perform(Context(), work(input={"output": {"secret": "a"}})))
    assert outcome.state == "ERROR"
    assert outcome.result.startswith("the secret 'a' is asked for, but the setting `secrets` names no source")
    outcome = go(perform(Context(vault=vault(tmp_path)), work(input={"output": {"secret": "a"}})))
    assert (outcome.result, outcome.refused) == (
        "there is no secret 'a' where the setting `secrets` points to",
        False,
    )


def test_a_broken_file_of_secrets_is_not_quoted(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(f"a: [{HUSH}\n")
    with pytest.raises(ActionFailed) as failed:
        Vault(secrets.provider(f"file:{tmp_path / 's.yaml'}")).find("a")
    assert "hush" not in str(failed.value)
    assert "s.yaml" in str(failed.value)


def test_what_the_execution_says_once_goes_to_the_actions_that_take_it(
    go: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    @action("ours.where", "reads")
    async def where(context: Context, cloud: str | None = None) -> Any:
        return [cloud, context.call.execution, context.call.action]

    monkeypatch.setattr(registry, "installed", lambda: {where.name: where})
    named = {"cloud": "prod", "cluster": "k"}
    assert go(perform(Context(), work("ours.where", defaults=named))).result == ["prod", "e-1", "a-1"]
    own = go(perform(Context(), work("ours.where", defaults=named, input={"cloud": "test"})))
    assert own.result[0] == "test"
    assert go(perform(Context(), work(defaults=named, input={"output": 1}))).result == 1


def test_wrong_input_is_told_as_the_definition_s_fault(go: Any) -> None:
    outcome = go(perform(Context(), work("std.sleep", input={"minutes": 1})))
    assert (outcome.state, outcome.refused) == ("ERROR", True)
    assert go(perform(Context(), work("ours.nothing"))).refused
    assert not go(perform(Context(), work("std.fail"))).refused
    output = report(finish(start(accept(work(), 1), "x", 2, 3), outcome, 4))
    assert output is not None
    assert output.value["refused"] is True
