"""The ``nova.*`` actions on servers, over the OpenStack compute API."""

from __future__ import annotations

from typing import Any

from .declaration import Action
from .openstack import Build, Json, Row, given, made

Text = str | None
_SERVER = {"server": str}
_ONE = "/servers/{server}"
_ACTION = "/servers/{server}/action"


def _act(
    name: str,
    body: Build,
    summary: str,
    takes: Json | None = None,
    answer: str | None = None,
    version: Build | None = None,
) -> Row:
    inputs = {**_SERVER, **(takes or {})}
    return Row(f"nova.servers_{name}", "POST", _ACTION, inputs, answer, summary, body=body, version=version)


def _plain(name: str, verb: str, summary: str) -> Row:
    return _act(name, lambda _: {verb: None}, summary)


def _get(name: str, path: str, takes: Json, answer: str, summary: str, query: Build | None = None) -> Row:
    return Row(f"nova.{name}", "GET", path, takes, answer, summary, query=query)


def _delete(name: str, path: str, takes: Json, summary: str) -> Row:
    return Row(f"nova.{name}", "DELETE", path, takes, None, summary)


def _detailed(path: str) -> Build:
    return lambda inputs: path if inputs.get("detailed") is False else f"{path}/detail"


def _listed(inputs: Json) -> Json:
    return {**(inputs.get("search_opts") or {}), **given(inputs, "limit", "marker")}


def _evacuate(inputs: Json) -> Json:
    shared = inputs.get("on_shared_storage")
    return {"evacuate": {"onSharedStorage": True if shared is None else shared, **given(inputs, "host")}}


def _live(inputs: Json) -> Json:
    body = {"host": None, "block_migration": False, "disk_over_commit": False}
    return {"os-migrateLive": {**body, **given(inputs, *body)}}


def _created(inputs: Json) -> Json:
    named = {"name": inputs["name"], "imageRef": inputs["image"], "flavorRef": inputs["flavor"]}
    nets = {"networks": inputs["nics"]} if inputs.get("nics") else {}
    more = given(inputs, "key_name", "availability_zone", "security_groups", "metadata", "config_drive")
    data = {"user_data": inputs["userdata"]} if inputs.get("userdata") else {}
    return {"server": {**named, **nets, **more, **data}}


_SERVERS = (
    _get("servers_get", _ONE, _SERVER, "server", "One server."),
    Row(
        "nova.servers_list",
        "GET",
        _detailed("/servers"),
        {"detailed": bool | None, "search_opts": dict[str, Any] | None, "marker": Text, "limit": int | None},
        "servers",
        "The servers, those that `search_opts` select.",
        query=_listed,
    ),
    _get("servers_ips", _ONE + "/ips", _SERVER, "addresses", "A server's addresses by network."),
    _get(
        "servers_interface_list", _ONE + "/os-interface", _SERVER, "interfaceAttachments", "A server's ports."
    ),
    _delete("servers_delete", _ONE, _SERVER, "Deletes a server."),
    Row(
        "nova.servers_create",
        "POST",
        "/servers",
        {
            "name": str,
            "image": str,
            "flavor": str,
            "nics": list[dict[str, Any]] | str | None,
            "key_name": Text,
            "availability_zone": Text,
            "security_groups": list[dict[str, Any]] | None,
            "metadata": dict[str, str] | None,
            "userdata": Text,
            "config_drive": bool | None,
        },
        "server",
        "Makes a server; `nics` are networks, as the API has them.",
        body=_created,
    ),
    Row(
        "nova.servers_update",
        "PUT",
        _ONE,
        {**_SERVER, "name": str},
        "server",
        "Renames a server.",
        body=lambda inputs: {"server": {"name": inputs["name"]}},
    ),
    Row(
        "nova.servers_set_meta",
        "POST",
        _ONE + "/metadata",
        {**_SERVER, "metadata": dict[str, str]},
        "metadata",
        "Adds to a server's metadata.",
        body=lambda inputs: {"metadata": inputs["metadata"]},
    ),
    Row(
        "nova.servers_interface_attach",
        "POST",
        _ONE + "/os-interface",
        {**_SERVER, "port_id": Text, "net_id": Text},
        "interfaceAttachment",
        "Gives a server a port, or one on a network.",
        body=lambda inputs: {"interfaceAttachment": given(inputs, "port_id", "net_id")},
    ),
    _delete(
        "servers_interface_detach",
        _ONE + "/os-interface/{port_id}",
        {**_SERVER, "port_id": str},
        "Takes a port from a server.",
    ),
    # Only from its microversion on can a host be named; without one, older clouds are served too.
    _act(
        "migrate",
        lambda inputs: {"migrate": {"host": inputs["host"]} if inputs.get("host") else None},
        "Moves a server to another host, off line; to `host` where given.",
        {"host": Text},
        version=lambda inputs: "2.56" if inputs.get("host") else None,
    ),
    _act(
        "live_migrate",
        _live,
        "Moves a running server to another host.",
        {"host": Text, "block_migration": bool | None, "disk_over_commit": bool | None},
    ),
    _act(
        "evacuate",
        _evacuate,
        "Rebuilds a server of a failed host on another.",
        {"host": Text, "on_shared_storage": bool | None},
        "",
    ),
    _act(
        "reboot",
        lambda inputs: {"reboot": {"type": inputs.get("reboot_type") or "SOFT"}},
        "Restarts a server, SOFT or HARD.",
        {"reboot_type": Text},
    ),
    _act(
        "resize",
        lambda inputs: {"resize": {"flavorRef": inputs["flavor"]}},
        "Gives a server another flavor.",
        {"flavor": str},
    ),
    _act(
        "rebuild",
        lambda inputs: {"rebuild": {"imageRef": inputs["image"]}},
        "Makes a server anew from an image.",
        {"image": str},
        "server",
    ),
    _act(
        "create_image",
        lambda inputs: {"createImage": {"name": inputs["image_name"], **given(inputs, "metadata")}},
        "Makes an image of a server.",
        {"image_name": str, "metadata": dict[str, str] | None},
        "",
    ),
    _act(
        "add_security_group",
        lambda inputs: {"addSecurityGroup": {"name": inputs["security_group"]}},
        "Puts a server into a security group.",
        {"security_group": str},
    ),
    _act(
        "remove_security_group",
        lambda inputs: {"removeSecurityGroup": {"name": inputs["security_group"]}},
        "Takes a server out of a security group.",
        {"security_group": str},
    ),
    _act(
        "reset_state",
        lambda inputs: {"os-resetState": {"state": inputs.get("state") or "error"}},
        "Sets what a server's state is said to be.",
        {"state": Text},
    ),
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
    _plain("restore", "restore", "Brings a deleted server back, where the cloud keeps it for a while."),
    _plain("force_delete", "forceDelete", "Deletes a server, whatever its state."),
    _plain("unrescue", "unrescue", "Ends the rescue of a server."),
    _plain("shelve_offload", "shelveOffload", "Takes a shelved server from its host."),
    _act("rescue", lambda _: {"rescue": None}, "Starts a server from a rescue image.", answer=""),
    _get("servers_diagnostics", _ONE + "/diagnostics", _SERVER, "", "What the host knows of a server."),
    Row(
        "nova.servers_get_console_output",
        "POST",
        _ACTION,
        {**_SERVER, "length": int | None},
        "output",
        "The last lines of a server's console.",
        body=lambda inputs: {"os-getConsoleOutput": given(inputs, "length")},
        reads=True,
    ),
    _plain("shelve", "shelve", "Shelves a server."),
    _plain("unshelve", "unshelve", "Takes a server from the shelf."),
)

ACTIONS: tuple[Action, ...] = made("compute", _SERVERS)
