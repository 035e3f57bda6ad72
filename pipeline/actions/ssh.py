"""``std.ssh`` and ``std.ssh_proxied``: a command on another machine.

Keys and passwords are best given by reference (``{secret: NAME}``); ``private_key_filename``, as in
workflows written for Mistral, is the name of a secret. Whether a server is the one that it should be
is decided by the setting ``ssh_known_hosts``, or by the input ``host_key``; without either, nobody is
connected to.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from ..errors import ActionFailed, InvalidInput
from .declaration import Context, Secret, action
from .extra import load

SECONDS = 60.0
CONNECTING = 20.0
OUTPUT = 512 * 1024
PORT = 22


@dataclass(frozen=True, slots=True)
class Login:
    """Who connects where; ``key`` and ``password`` may both be given."""

    host: str
    port: int
    username: str
    password: str | None
    key: str | None
    passphrase: str | None
    host_key: str | None


@action("std.ssh", "changes")
async def ssh(
    context: Context,
    cmd: str,
    host: str,
    username: str,
    password: Secret | None = None,
    private_key_filename: str | None = None,
    private_key: Secret | None = None,
    private_key_passphrase: Secret | None = None,
    port: int = PORT,
    host_key: str | None = None,
    timeout: float = SECONDS,  # noqa: ASYNC109 - it is the action's input
) -> str:
    """What ``cmd`` says when run on ``host``; fails with status, stdout and stderr unless the status is 0."""
    key = await _key(context, private_key_filename, private_key)
    login = Login(host, port, username, password, key, private_key_passphrase, host_key)
    return await _perform(context, cmd, login, None, timeout)


@action("std.ssh_proxied", "changes")
async def ssh_proxied(
    context: Context,
    cmd: str,
    host: str,
    username: str,
    private_key_filename: str | None = None,
    gateway_host: str = "",
    gateway_username: str | None = None,
    password: Secret | None = None,
    private_key: Secret | None = None,
    private_key_passphrase: Secret | None = None,
    port: int = PORT,
    gateway_port: int = PORT,
    host_key: str | None = None,
    gateway_host_key: str | None = None,
    timeout: float = SECONDS,  # noqa: ASYNC109 - it is the action's input
) -> str:
    """As ``std.ssh``, through ``gateway_host``, with the same key or password at both."""
    if not gateway_host:
        raise InvalidInput("std.ssh_proxied needs the input `gateway_host`")
    key = await _key(context, private_key_filename, private_key)
    target = Login(host, port, username, password, key, private_key_passphrase, host_key)
    gateway = Login(
        gateway_host, gateway_port, gateway_username or username, password, key, private_key_passphrase,
        gateway_host_key,
    )  # fmt: skip
    return await _perform(context, cmd, target, gateway, timeout)


async def _key(context: Context, filename: str | None, text: str | None) -> str | None:
    if not filename or text:
        return text
    # Mistral's executors look into their own `.ssh`; here the provider of secrets is that place.
    found = await context.clients.thread(context.vault.find, filename.rsplit("/", 1)[-1])
    if not isinstance(found, str):
        raise ActionFailed(f"the secret {filename!r} is no private key")
    return found


async def _perform(context: Context, cmd: str, target: Login, gateway: Login | None, limit: float) -> str:
    import asyncio

    asyncssh = await context.clients.thread(load, "asyncssh", "ssh")
    logins = [login for login in (gateway, target) if login is not None]
    arguments = [_arguments(asyncssh, context, login) for login in logins]
    at = f"ssh {target.username}@{target.host}"
    begun = False
    try:
        async with asyncio.timeout(limit), AsyncExitStack() as stack:
            through: Any = None
            for login, given in zip(logins, arguments, strict=True):
                through = await _connect(asyncssh, context, stack, login, given, through)
            process = await through.create_process(cmd, stdin=asyncssh.DEVNULL, errors="replace")
            begun = True
            stdout, stderr = await asyncio.gather(_head(process.stdout), _head(process.stderr))
            await process.wait_closed()
            status, ended_by = process.exit_status, process.exit_signal
    except TimeoutError:
        doubt = "; outcome unknown" if begun else ""
        raise ActionFailed(f"{at}: no result within {limit:g} s{doubt}") from None
    except asyncssh.HostKeyNotVerifiable:
        raise ActionFailed(
            f"{at}: the server's key is not the one known; "
            f"see the setting ssh_known_hosts or the input `host_key`"
        ) from None
    except asyncssh.PermissionDenied:
        raise ActionFailed(f"{at}: permission denied for the user with the key or password given") from None
    except (asyncssh.Error, OSError) as error:
        doubt = "; outcome unknown" if begun else ""
        raise ActionFailed(f"{at}: {type(error).__name__}: {error}{doubt}") from None
    if status == 0:
        return stdout
    said = {"status": status, "stdout": stdout, "stderr": stderr}
    if status is None or ended_by:
        raise ActionFailed(f"{at}: the command gave no status; outcome unknown", details=said)
    raise ActionFailed(f"{at}: the command ended with status {status}", details=said)


async def _connect(
    asyncssh: Any, context: Context, stack: AsyncExitStack, login: Login, given: dict[str, Any], through: Any
) -> Any:
    address = login.host
    if through is None:
        from . import egress

        address = await egress.resolve(context.allow, login.host, login.port)
    return await stack.enter_async_context(
        asyncssh.connect(address, login.port, tunnel=through or (), host_key_alias=login.host, **given)
    )


def _arguments(asyncssh: Any, context: Context, login: Login) -> dict[str, Any]:
    """Only what was given counts: no agent, no configuration, no key of the executor's own user."""
    given: dict[str, Any] = {
        "username": login.username,
        "known_hosts": _known_hosts(asyncssh, context, login),
        "config": None,
        "agent_path": None,
        "gss_host": None,
        "client_keys": None,
        "login_timeout": CONNECTING,
        "connect_timeout": CONNECTING,
        "keepalive_interval": 15,
    }
    if login.password:
        given["password"] = login.password
    if login.key:
        try:
            given["client_keys"] = [asyncssh.import_private_key(login.key, login.passphrase or None)]
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError):
            # The library's words may quote the key.
            raise ActionFailed(
                "the private key cannot be read; is it whole, and the passphrase right?"
            ) from None
    elif not login.password:
        raise InvalidInput("give `password`, `private_key` or `private_key_filename`")
    return given


def _known_hosts(asyncssh: Any, context: Context, login: Login) -> Any:
    if login.host_key:
        try:
            return ([asyncssh.import_public_key(login.host_key)], [], [])
        except asyncssh.KeyImportError:
            raise InvalidInput(
                "input `host_key`: a public key is needed, such as `ssh-ed25519 AAAA...`"
            ) from None
    if context.known_hosts == "any":
        return None
    if not context.known_hosts:
        raise ActionFailed(
            f"nothing says which key {login.host} must have: set ssh_known_hosts to a known_hosts file "
            f"(or to `any`, to trust every server), or give the input `host_key`"
        )
    return context.known_hosts


async def _head(stream: Any) -> str:
    kept: list[str] = []
    size = 0
    while part := await stream.read(65_536):
        if size < OUTPUT:
            kept.append(part[: OUTPUT - size])
        size += len(part)
    cut = [f"\n(cut at {OUTPUT // 1024} KiB)"] if size > OUTPUT else []
    return "".join([*kept, *cut])


ACTIONS = (ssh, ssh_proxied)
