"""The other ``std.*`` actions, and what a call of any action is checked for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pipeline.actions import registry
from pipeline.actions.declaration import PENDING, Context, action, failure
from pipeline.errors import ActionFailed, InvalidInput, UnknownAction


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("std.noop", {}, None),
        ("std.async_noop", {}, PENDING),
        ("std.echo", {"output": {"a": [1]}}, {"a": [1]}),
        ("std.echo", {"output": None}, None),
        ("std.test_dict", {"size": 2, "key_prefix": "k", "val": 1}, {"k0": 1, "k1": 1}),
        ("std.test_dict", {"size": "1"}, {"0": ""}),
    ],
)
def test_results(go: Any, name: str, given: dict[str, Any], expected: Any) -> None:
    assert go(registry.find(name).run(Context(), given)) == expected


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("std.noop", {"x": 1}, "std.noop has no input `x`; it takes: none"),
        ("std.echo", {}, "std.echo needs the input `output`"),
        ("std.echo", {"output": 1, "delay": "soon"}, "std.echo: input `delay`"),
        ("std.test_dict", {"size": "two"}, "std.test_dict: input `size`"),
        ("std.tcp_check", {"host": "h"}, "std.tcp_check needs the input `port`"),
        ("nova.servers_get", {"id": "vm"}, "nova.servers_get has no input `id`; it takes: server"),
    ],
)
def test_wrong_input_is_named(go: Any, name: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        go(registry.find(name).run(Context(), given))
    assert message in str(caught.value)


def test_fail_fails_with_the_data_it_is_given(go: Any) -> None:
    for data, expected in ((None, "std.fail was called"), ({"code": 7}, {"code": 7})):
        with pytest.raises(ActionFailed) as caught:
            go(registry.find("std.fail").run(Context(), {"error_data": data}))
        assert failure(caught.value) == expected


def test_time_passes_as_the_host_says(go: Any) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    context = Context(sleep=sleep)
    go(registry.find("std.sleep").run(context, {"seconds": 3600}))
    assert go(registry.find("std.echo").run(context, {"output": 1, "delay": 60})) == 1
    assert slept == [3600, 60]


def test_an_unknown_action_is_named() -> None:
    with pytest.raises(UnknownAction, match=r"std\.nope"):
        registry.find("std.nope")


def test_actions_of_installed_packages_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    @action("ours.greet", "none")
    async def greet(context: Context, name: str) -> str:
        """Greets."""
        return f"hello {name}"

    class Point:
        value = "ours:ACTIONS"

        def load(self) -> list[object]:
            return [greet]

    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [Point()])
    registry.installed.cache_clear()
    try:
        assert registry.find("ours.greet").summary == "Greets."
        assert "ours.greet" in registry.names()
    finally:
        registry.installed.cache_clear()


def test_every_action_says_what_it_is_and_what_it_does_outside() -> None:
    names = registry.names()
    assert len(names) == len(set(names)) > 150
    for name in names:
        found = registry.find(name)
        assert found.name == name
        assert found.summary.endswith((".", ".``"))
        assert found.effect_of({}) in ("none", "reads", "changes")
        assert all(isinstance(key, str) for key in found.inputs)


def test_an_action_must_not_hold_up_others() -> None:
    with pytest.raises(TypeError, match="async def"):
        action("ours.slow", "none")(lambda context: None)  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("std.noop", {}, True),
        ("std.http", {"url": "u"}, True),
        ("std.http", {"url": "u", "method": "get"}, True),
        ("std.http", {"url": "u", "method": "POST"}, False),
        ("std.http", {"url": "u", "method": 5}, False),
        ("nova.servers_get", {"server": "vm"}, True),
        ("nova.servers_list", {}, True),
        ("nova.servers_migrate", {"server": "vm"}, False),
        ("nova.servers_confirm_resize", {"server": "vm"}, False),
        ("std.js", {"script": ""}, True),
        ("std.mistral_http", {"url": "u"}, False),
        ("std.email", {}, False),
        ("std.ssh", {}, False),
        ("std.ssh_proxied", {}, False),
        ("std.command", {}, False),
        ("kafka.produce", {}, False),
        ("ours.unheard_of", {}, True),
    ],
)
def test_what_may_be_run_a_second_time(name: str, given: dict[str, Any], expected: bool) -> None:
    assert registry.repeatable(name, given) is expected


async def check(banner: bytes, answer: bool = True, **given: Any) -> Any:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(banner)
        await writer.drain()
        if not answer:
            await asyncio.sleep(1)
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        context = Context(allow=frozenset([f"127.0.0.1:{port}"]))
        given |= {"host": "127.0.0.1", "port": port}
        found = await registry.find("std.tcp_check").run(context, given)
    finally:
        server.close()
    assert found.pop("port") == port
    return found


def test_a_port_that_answers_is_told_so(go: Any) -> None:
    assert go(check(b"SSH-2.0-x\r\n", expect="SSH-")) == {"host": "127.0.0.1", "answer": "SSH-2.0-x"}
    assert go(check(b"")) == {"host": "127.0.0.1", "answer": ""}


@pytest.mark.parametrize(
    ("banner", "answer", "message"),
    [
        (b"220 mail\r\n", True, "does not begin with 'SSH-'"),
        (b"", True, "without a word"),
        (b"", False, "said nothing within 0.2 s"),
    ],
)
def test_a_port_that_says_something_else_fails(go: Any, banner: bytes, answer: bool, message: str) -> None:
    with pytest.raises(ActionFailed, match=message):
        go(check(banner, answer, expect="SSH-", timeout=0.2))


def test_a_closed_port_is_an_error(go: Any) -> None:
    async def body() -> None:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        context = Context(allow=frozenset(["127.0.0.1:*"]))
        await registry.find("std.tcp_check").run(context, {"host": "127.0.0.1", "port": port})

    with pytest.raises(ActionFailed, match="cannot be reached"):
        go(body())


def test_ports_of_this_machine_are_refused(go: Any) -> None:
    with pytest.raises(ActionFailed, match="http_allow"):
        go(registry.find("std.tcp_check").run(Context(), {"host": "localhost", "port": 22}))
