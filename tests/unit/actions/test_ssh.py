"""``std.ssh`` and ``std.ssh_proxied`` against ssh servers of our own."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import asyncssh
import pytest

from pipeline.actions import registry, secrets
from pipeline.actions.declaration import Context
from pipeline.actions.vault import Vault
from pipeline.errors import ActionFailed, InvalidInput

PASSWORD = "hush-hush-9"
HOST_KEY = asyncssh.generate_private_key("ssh-ed25519")
OTHER_KEY = asyncssh.generate_private_key("ssh-ed25519")
USER_KEY = asyncssh.generate_private_key("ssh-ed25519")


class Guard(asyncssh.SSHServer):
    """Admits ``ops`` by password or key; ``through`` remembers where connections were passed on to."""

    through: ClassVar[list[tuple[str, int]]] = []

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("ops", PASSWORD)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == "ops" and key.public_data == USER_KEY.public_data

    def connection_requested(self, host: str, port: int, *_: Any) -> bool:
        self.through.append((host, port))
        return True


async def serve(process: Any) -> None:
    """A shell that knows a few words."""
    command = process.command or ""
    word, _, rest = command.partition(" ")
    if word == "echo":
        process.stdout.write(rest + "\n")
        process.exit(0)
    elif word == "fail":
        process.stdout.write("partly\n")
        process.stderr.write("no such thing\n")
        process.exit(7)
    elif word == "much":
        process.stdout.write("x" * 2_000_000)
        process.exit(0)
    elif word == "vanish":
        process.channel.get_connection().abort()
    else:
        await asyncio.sleep(30)


@asynccontextmanager
async def server(key: Any = HOST_KEY) -> AsyncIterator[int]:
    listening = await asyncssh.create_server(
        Guard, "127.0.0.1", 0, server_host_keys=[key], process_factory=serve
    )
    try:
        yield listening.get_port()
    finally:
        listening.close()
        await asyncio.wait_for(listening.wait_closed(), 5)


def context(tmp_path: Path, *ports: int, **more: Any) -> Context:
    public = HOST_KEY.export_public_key().decode().strip()
    known = tmp_path / "known_hosts"
    known.write_text("".join(f"[127.0.0.1]:{port} {public}\n" for port in ports))
    kept = tmp_path / "secrets.json"
    kept.write_text(json.dumps({"ops-key": USER_KEY.export_private_key().decode(), "ops": PASSWORD}))
    given = {"known_hosts": str(known), "allow": frozenset(f"127.0.0.1:{port}" for port in ports), **more}
    return Context(vault=Vault(secrets.provider(f"file:{kept}")), **given)


async def run(own: Context, port: int, cmd: str = "echo hello", name: str = "std.ssh", **given: Any) -> Any:
    given = {"cmd": cmd, "host": "127.0.0.1", "port": port, "username": "ops", **given}
    try:
        return await registry.find(name).run(own, await own.clients.thread(own.vault.resolve, given))
    finally:
        await own.close()


@pytest.mark.parametrize(
    "credentials",
    [
        {"password": PASSWORD},
        {"password": {"secret": "ops"}},
        {"private_key": {"secret": "ops-key"}},
        {"private_key_filename": "ops-key"},
        {"private_key_filename": "~/.ssh/ops-key"},
    ],
)
def test_a_command_is_run_with_a_password_or_a_key(go: Any, tmp_path: Path, credentials: Any) -> None:
    async def body() -> Any:
        async with server() as port:
            return await run(context(tmp_path, port), port, **credentials)

    assert go(body()) == "hello\n"


def test_a_command_that_fails_tells_what_it_said(go: Any, tmp_path: Path) -> None:
    async def body() -> None:
        async with server() as port:
            with pytest.raises(
                ActionFailed, match=r"ssh ops@127.0.0.1: the command ended with status 7"
            ) as failed:
                await run(context(tmp_path, port), port, "fail", password=PASSWORD)
            assert failed.value.details == {"status": 7, "stdout": "partly\n", "stderr": "no such thing\n"}

    go(body())


def test_a_command_without_an_end_is_an_outcome_that_nobody_knows(go: Any, tmp_path: Path) -> None:
    async def body() -> None:
        async with server() as port:
            with pytest.raises(ActionFailed, match=r"no result within 0.7 s; outcome unknown"):
                await run(context(tmp_path, port), port, "hang", password=PASSWORD, timeout=0.7)
            with pytest.raises(ActionFailed, match="outcome unknown"):
                await run(context(tmp_path, port), port, "vanish", password=PASSWORD)

    go(body())


def test_what_it_says_is_bounded(go: Any, tmp_path: Path) -> None:
    async def body() -> Any:
        async with server() as port:
            return await run(context(tmp_path, port), port, "much", password=PASSWORD)

    said = go(body())
    assert said.endswith("x\n(cut at 512 KiB)")
    assert len(said) < 530_000


def test_a_wrong_password_is_not_shown(go: Any, tmp_path: Path) -> None:
    async def body() -> str:
        async with server() as port:
            with pytest.raises(ActionFailed, match="permission denied") as failed:
                await run(context(tmp_path, port), port, password="wr-ong")
            return str(failed.value)

    assert "wr-ong" not in go(body())


def test_only_a_server_whose_key_is_known_is_spoken_to(go: Any, tmp_path: Path) -> None:
    public = OTHER_KEY.export_public_key().decode()

    async def body() -> None:
        async with server(OTHER_KEY) as port:
            with pytest.raises(ActionFailed, match="the server's key is not the one known"):
                await run(context(tmp_path, port), port, password=PASSWORD)
            with pytest.raises(ActionFailed, match="set ssh_known_hosts to a known_hosts file"):
                await run(context(tmp_path, port, known_hosts=""), port, password=PASSWORD)
            assert await run(context(tmp_path, port), port, password=PASSWORD, host_key=public) == "hello\n"
            assert await run(context(tmp_path, port, known_hosts="any"), port, password=PASSWORD) == "hello\n"
        async with server() as port:
            with pytest.raises(ActionFailed, match="the server's key is not the one known"):
                await run(context(tmp_path, port), port, password=PASSWORD, host_key=public)

    go(body())


def test_a_server_on_this_machine_must_be_allowed(go: Any, tmp_path: Path) -> None:
    async def body() -> None:
        async with server() as port:
            with pytest.raises(ActionFailed, match="http_allow"):
                await run(context(tmp_path, port, allow=frozenset()), port, password=PASSWORD)

    go(body())


def test_a_gateway_passes_on_to_the_host_behind_it(go: Any, tmp_path: Path) -> None:
    async def body() -> Any:
        async with server() as gateway, server() as port:
            Guard.through.clear()
            own = context(tmp_path, gateway, port)
            # What the gateway reaches is its own affair: only the gateway must be allowed here.
            own.allow = frozenset([f"127.0.0.1:{gateway}"])
            more = {"gateway_host": "127.0.0.1", "gateway_port": gateway, "private_key_filename": "ops-key"}
            said = await run(own, port, "echo inside", "std.ssh_proxied", **more)
            assert Guard.through == [("127.0.0.1", port)]
            return said

    assert go(body()) == "inside\n"


@pytest.mark.parametrize(
    ("name", "given", "error", "message"),
    [
        ("std.ssh", {}, InvalidInput, "give `password`, `private_key` or `private_key_filename`"),
        ("std.ssh", {"private_key": "no key"}, ActionFailed, "the private key cannot be read"),
        ("std.ssh", {"private_key_filename": "none"}, ActionFailed, "no secret 'none'"),
        ("std.ssh", {"password": "x", "host_key": "none"}, InvalidInput, "input `host_key`"),
        ("std.ssh", {"password": "x", "shell": "sh"}, InvalidInput, "no input `shell`"),
        ("std.ssh_proxied", {"password": "x"}, InvalidInput, "needs the input `gateway_host`"),
    ],
)
def test_wrong_input_is_named(
    go: Any, tmp_path: Path, name: str, given: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        go(run(context(tmp_path, 1), 1, "echo", name, **given))


def test_without_the_library_the_extra_is_named(
    go: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    with pytest.raises(ActionFailed, match=r"install `faultline\[ssh\]`"):
        go(run(context(tmp_path, 1), 1, password="x"))
