"""The ``nova.*`` actions over the OpenStack compute API; input and names as Mistral has them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from ..errors import ActionFailed
from .declaration import Action, Context, Effect, action

Json = dict[str, Any]


@action("nova.servers_get", "reads")
async def servers_get(context: Context, server: str) -> Json:
    """The server with the id ``server``."""
    return _object(await _call(context, "GET", f"/servers/{_part(server)}"), "server")


@action("nova.servers_list", "reads")
async def servers_list(
    context: Context, detailed: bool = True, search_opts: Json | None = None, limit: int | None = None
) -> list[Json]:
    """The servers, those that ``search_opts`` select."""
    query = {**(search_opts or {}), **({"limit": limit} if limit is not None else {})}
    path = "/servers/detail" if detailed else "/servers"
    return _objects(await _call(context, "GET", path, query=query), "servers")


@action("nova.servers_ips", "reads")
async def servers_ips(context: Context, server: str) -> Json:
    """The addresses of a server by network."""
    return _object(await _call(context, "GET", f"/servers/{_part(server)}/ips"), "addresses")


@action("nova.servers_migrate", "changes")
async def servers_migrate(context: Context, server: str, host: str | None = None) -> None:
    """Moves a server to another host, off line; to ``host`` where given."""
    await _act(context, server, {"migrate": {"host": host} if host else None}, "2.56" if host else None)


@action("nova.servers_live_migrate", "changes")
async def servers_live_migrate(
    context: Context,
    server: str,
    host: str | None = None,
    block_migration: bool = False,
    disk_over_commit: bool = False,
) -> None:
    """Moves a running server to another host."""
    body = {"host": host, "block_migration": block_migration, "disk_over_commit": disk_over_commit}
    await _act(context, server, {"os-migrateLive": body})


@action("nova.servers_evacuate", "changes")
async def servers_evacuate(
    context: Context, server: str, host: str | None = None, on_shared_storage: bool = True
) -> Any:
    """Rebuilds a server of a failed host on another."""
    body: Json = {"onSharedStorage": on_shared_storage}
    if host:
        body["host"] = host
    return await _act(context, server, {"evacuate": body})


@action("nova.servers_reboot", "changes")
async def servers_reboot(context: Context, server: str, reboot_type: str = "SOFT") -> None:
    """Restarts a server, ``SOFT`` or ``HARD``."""
    await _act(context, server, {"reboot": {"type": reboot_type}})


@action("nova.servers_resize", "changes")
async def servers_resize(context: Context, server: str, flavor: str) -> None:
    """Gives a server another flavor."""
    await _act(context, server, {"resize": {"flavorRef": flavor}})


@action("nova.servers_delete", "changes")
async def servers_delete(context: Context, server: str) -> None:
    """Deletes a server."""
    await _call(context, "DELETE", f"/servers/{_part(server)}")


@action("nova.services_list", "reads")
async def services_list(context: Context, host: str | None = None, binary: str | None = None) -> list[Json]:
    """The compute services, of ``host`` or named ``binary`` where given."""
    query = {name: value for name, value in (("host", host), ("binary", binary)) if value}
    return _objects(await _call(context, "GET", "/os-services", query=query), "services")


@action("nova.services_disable", "changes")
async def services_disable(context: Context, host: str, binary: str = "nova-compute") -> Json:
    """Keeps new servers away from ``host``."""
    body = {"host": host, "binary": binary}
    return _object(await _call(context, "PUT", "/os-services/disable", body=body), "service")


@action("nova.services_enable", "changes")
async def services_enable(context: Context, host: str, binary: str = "nova-compute") -> Json:
    """Lets new servers go to ``host`` again."""
    body = {"host": host, "binary": binary}
    return _object(await _call(context, "PUT", "/os-services/enable", body=body), "service")


@action("nova.hypervisors_list", "reads")
async def hypervisors_list(context: Context, detailed: bool = True) -> list[Json]:
    """The hypervisors."""
    path = "/os-hypervisors/detail" if detailed else "/os-hypervisors"
    return _objects(await _call(context, "GET", path), "hypervisors")


def _plain(name: str, verb: str, summary: str) -> Action:
    async def act(context: Context, server: str) -> None:
        await _act(context, server, {verb: None})

    act.__doc__ = summary
    effect: Effect = "changes"
    return action(f"nova.servers_{name}", effect)(act)


ACTIONS = (
    servers_get,
    servers_list,
    servers_ips,
    servers_migrate,
    servers_live_migrate,
    servers_evacuate,
    servers_reboot,
    servers_resize,
    servers_delete,
    services_list,
    services_disable,
    services_enable,
    hypervisors_list,
    _plain("confirm_resize", "confirmResize", "Accepts a resize or a migration."),
    _plain("revert_resize", "revertResize", "Undoes a resize or a migration that was not accepted."),
    _plain("start", "os-start", "Starts a stopped server."),
    _plain("stop", "os-stop", "Stops a server."),
    _plain("pause", "pause", "Pauses a server."),
    _plain("unpause", "unpause", "Lets a paused server go on."),
    _plain("suspend", "suspend", "Suspends a server."),
    _plain("resume", "resume", "Lets a suspended server go on."),
    _plain("lock", "lock", "Locks a server."),
    _plain("unlock", "unlock", "Unlocks a server."),
)


async def _act(context: Context, server: str, body: Json, version: str | None = None) -> Any:
    return await _call(context, "POST", f"/servers/{_part(server)}/action", body=body, version=version)


async def _call(
    context: Context,
    method: str,
    path: str,
    body: Json | None = None,
    query: Json | None = None,
    version: str | None = None,
) -> Any:
    from .http import Request, perform

    if not context.cloud_url:
        raise ActionFailed("no cloud is set: give cloud_url and cloud_token in the settings")
    headers = {"X-Auth-Token": context.cloud_token, "Accept": "application/json"}
    if version:
        headers["OpenStack-API-Version"] = f"compute {version}"
    url = context.cloud_url.rstrip("/") + path
    request = Request(method=method, url=url, params=query, json=body, headers=headers)
    try:
        return (await perform(context, request))["content"]
    except ActionFailed as error:
        if not isinstance(error.details, dict):
            raise
        said = _reason(error.details.get("content"))
        raise ActionFailed(f"{method} {path}: {error.details['status']}: {said}") from None


def _reason(content: Any) -> str:
    # The API wraps its message: {"itemNotFound": {"code": 404, "message": "..."}}
    if isinstance(content, dict):
        for value in content.values():
            if isinstance(value, dict) and "message" in value:
                return str(value["message"])
    return str(content)[:500]


def _object(answer: Any, name: str) -> Json:
    found = _field(answer, name)
    if not isinstance(found, dict):
        raise ActionFailed(f"the cloud's `{name}` is no object")
    return found


def _objects(answer: Any, name: str) -> list[Json]:
    found = _field(answer, name)
    if not isinstance(found, list):
        raise ActionFailed(f"the cloud's `{name}` is no list")
    return found


def _field(answer: Any, name: str) -> Any:
    if not isinstance(answer, dict) or name not in answer:
        raise ActionFailed(f"the cloud's answer has no `{name}`; is cloud_url a compute API's address?")
    return answer[name]


def _part(text: str) -> str:
    return quote(text, safe="")
