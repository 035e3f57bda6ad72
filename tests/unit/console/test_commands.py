from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pipeline.console import commands
from pipeline.console.server import address
from pipeline.errors import BrokerUnavailable, InvalidCall, InvalidSetting, NotFound
from pipeline.events import Output


class Box:
    """An outbox that keeps what it is given, or never hears of it again."""

    def __init__(self, *, deaf: bool = False) -> None:
        self.sent: list[Output] = []
        self.deaf = deaf

    def send(self, outputs: list[Output], _batch: Any) -> None:
        self.sent += outputs

    async def settled(self, _batch: Any) -> None:
        if self.deaf:
            await asyncio.sleep(60)


async def root(identity: str) -> str:
    if identity == "nobody's":
        raise NotFound("no execution")
    return f"root of {identity}"


def ask(asked: dict[str, Any], box: Box | None = None) -> dict[str, Any]:
    found: dict[str, Any] = asyncio.run(commands.command(box or Box(), root, asked))  # type: ignore[arg-type]
    return found


def test_a_start_of_one_id_is_one_record_whoever_asks_again() -> None:
    box = Box()
    first = ask({"command": "START", "workflow": "w", "execution": "mine", "id": "other"}, box)
    second = ask({"command": "START", "workflow": "w", "execution": "mine"}, box)
    assert first["id"] == second["id"]
    assert first["root"] == first["execution"] == "mine"
    assert [(output.topic, output.key, output.id) for output in box.sent] == [
        ("workflow.commands", "mine", first["id"])
    ] * 2
    assert (
        ask({"command": "START", "workflow": "w"})["execution"]
        != ask({"command": "START", "workflow": "w"})["execution"]
    )


def test_an_execution_is_operated_at_its_root() -> None:
    box = Box()
    record = ask({"command": "PAUSE", "execution": "e", "message": "why", "by": {"operator": "ada"}}, box)
    assert (record["root"], record["message"], record["by"]) == ("root of e", "why", {"operator": "ada"})
    assert box.sent[0].key == "root of e"


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"command": "RESULT", "execution": "e"},
        {"command": "TIMER", "execution": "e"},
        {"command": "DEFINITION"},
        {"command": "CANCEL"},
        {"command": "CANCEL", "execution": ""},
        {"command": "CANCEL", "execution": 7},
        {"command": "START", "workflow": 7},
        {"command": "START", "workflow": "w", "input": []},
    ],
)
def test_what_is_no_command_is_refused(asked: dict[str, Any]) -> None:
    box = Box()
    with pytest.raises(InvalidCall):
        ask(asked, box)
    assert not box.sent


def test_a_broker_that_does_not_confirm_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "PATIENCE", 0.05)
    monkeypatch.setattr(commands, "APPEARS", 0.05)
    with pytest.raises(BrokerUnavailable, match="may still arrive"):
        ask({"command": "CANCEL", "execution": "e"}, Box(deaf=True))
    with pytest.raises(NotFound):
        ask({"command": "CANCEL", "execution": "nobody's"})


def test_the_api_listens_on_this_machine_alone() -> None:
    assert address("http://127.0.0.1:8080") == ("127.0.0.1", 8080)
    assert address("http://localhost") == ("127.0.0.1", 0)
    assert address("http://[::1]:9") == ("::1", 9)
    for url in ("http://0.0.0.0:80", "http://10.0.0.1:80", "http://example.org", "http://"):
        with pytest.raises(InvalidSetting):
            address(url)
