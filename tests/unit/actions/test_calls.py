# ruff: noqa: E501 - a row of a table stands on one line.
"""What actions of OpenStack ask for, word by word, where the demo cloud has no such service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pipeline.actions import registry, secrets
from pipeline.actions.declaration import Context
from pipeline.actions.vault import Vault

V = {"server": "vm"}
ACT = "/v2.1/servers/vm/action"
# The action, its input, the method, the path with its query, and the body.
CALLS: list[tuple[str, dict[str, Any], str, str, Any]] = [
    (
        "nova.servers_create",
        {"name": "n", "image": "i", "flavor": "f", "nics": [{"uuid": "net"}], "userdata": "u", "metadata": {"a": "b"}},
        "POST",
        "/v2.1/servers",
        {
            "server": {
                "name": "n",
                "imageRef": "i",
                "flavorRef": "f",
                "networks": [{"uuid": "net"}],
                "metadata": {"a": "b"},
                "user_data": "u",
            }
        },
    ),
    ("nova.servers_delete", V, "DELETE", "/v2.1/servers/vm", None),
    ("nova.servers_delete", {"server": "a/b?c"}, "DELETE", "/v2.1/servers/a%2Fb%3Fc", None),
    ("nova.servers_update", {**V, "name": "x"}, "PUT", "/v2.1/servers/vm", {"server": {"name": "x"}}),
    ("nova.servers_migrate", V, "POST", ACT, {"migrate": None}),
    ("nova.servers_migrate", {**V, "host": "h"}, "POST", ACT, {"migrate": {"host": "h"}}),
    (
        "nova.servers_live_migrate",
        {**V, "block_migration": True},
        "POST",
        ACT,
        {"os-migrateLive": {"host": None, "block_migration": True, "disk_over_commit": False}},
    ),
    ("nova.servers_evacuate", {**V, "host": "h"}, "POST", ACT, {"evacuate": {"onSharedStorage": True, "host": "h"}}),
    ("nova.servers_evacuate", {**V, "on_shared_storage": False}, "POST", ACT, {"evacuate": {"onSharedStorage": False}}),
    ("nova.servers_reboot", V, "POST", ACT, {"reboot": {"type": "SOFT"}}),
    ("nova.servers_resize", {**V, "flavor": "f"}, "POST", ACT, {"resize": {"flavorRef": "f"}}),
    ("nova.servers_rebuild", {**V, "image": "i"}, "POST", ACT, {"rebuild": {"imageRef": "i"}}),
    ("nova.servers_create_image", {**V, "image_name": "s"}, "POST", ACT, {"createImage": {"name": "s"}}),
    ("nova.servers_reset_state", {**V, "state": "active"}, "POST", ACT, {"os-resetState": {"state": "active"}}),
    ("nova.servers_shelve_offload", V, "POST", ACT, {"shelveOffload": None}),
    ("nova.servers_force_delete", V, "POST", ACT, {"forceDelete": None}),
    ("nova.servers_get_console_output", {**V, "length": 9}, "POST", ACT, {"os-getConsoleOutput": {"length": 9}}),
    ("nova.servers_set_meta", {**V, "metadata": {"a": "b"}}, "POST", "/v2.1/servers/vm/metadata", {"metadata": {"a": "b"}}),
    ("nova.servers_diagnostics", V, "GET", "/v2.1/servers/vm/diagnostics", None),
    ("nova.servers_interface_detach", {**V, "port_id": "p"}, "DELETE", "/v2.1/servers/vm/os-interface/p", None),
    ("nova.servers_list", {"detailed": False, "limit": 5}, "GET", "/v2.1/servers?limit=5", None),
    ("nova.flavors_get", {"flavor": "f"}, "GET", "/v2.1/flavors/f", None),
    ("nova.aggregates_add_host", {"aggregate": "1", "host": "h"}, "POST", "/v2.1/os-aggregates/1/action", {"add_host": {"host": "h"}}),
    ("nova.hypervisors_search", {"hypervisor_match": "r7"}, "GET", "/v2.1/os-hypervisors?hypervisor_hostname_pattern=r7", None),
    (
        "nova.services_force_down",
        {"host": "h"},
        "PUT",
        "/v2.1/os-services/force-down",
        {"host": "h", "binary": "nova-compute", "forced_down": True},
    ),
    (
        "nova.services_disable_log_reason",
        {"host": "h", "binary": "nova-compute", "reason": "dead"},
        "PUT",
        "/v2.1/os-services/disable-log-reason",
        {"host": "h", "binary": "nova-compute", "disabled_reason": "dead"},
    ),
    (
        "nova.volumes_create_server_volume",
        {"server_id": "vm", "volume_id": "v"},
        "POST",
        "/v2.1/servers/vm/os-volume_attachments",
        {"volumeAttachment": {"volumeId": "v"}},
    ),
    (
        "nova.volumes_delete_server_volume",
        {"server_id": "vm", "volume_id": "v"},
        "DELETE",
        "/v2.1/servers/vm/os-volume_attachments/v",
        None,
    ),
    (
        "neutron.add_gateway_router",
        {"router": "r", "body": {"network_id": "n"}},
        "PUT",
        "/network/v2.0/routers/r",
        {"router": {"external_gateway_info": {"network_id": "n"}}},
    ),
    ("neutron.remove_gateway_router", {"router": "r"}, "PUT", "/network/v2.0/routers/r", {"router": {"external_gateway_info": {}}}),
    (
        "neutron.add_router_to_l3_agent",
        {"l3_agent": "a", "body": {"router_id": "r"}},
        "POST",
        "/network/v2.0/agents/a/l3-routers",
        {"router_id": "r"},
    ),
    ("neutron.remove_router_from_l3_agent", {"l3_agent": "a", "router_id": "r"}, "DELETE", "/network/v2.0/agents/a/l3-routers/r", None),
    ("neutron.update_agent", {"agent": "a", "body": {"agent": {"x": 1}}}, "PUT", "/network/v2.0/agents/a", {"agent": {"x": 1}}),
    ("neutron.list_agents", {"host": "h", "alive": False}, "GET", "/network/v2.0/agents?host=h&alive=False", None),
    (
        "cinder.volumes_retype",
        {"volume": "v", "volume_type": "t"},
        "POST",
        "/volume/v3/volumes/v/action",
        {"os-retype": {"new_type": "t", "migration_policy": "never"}},
    ),
    (
        "cinder.volumes_migrate_volume",
        {"volume": "v", "host": "h"},
        "POST",
        "/volume/v3/volumes/v/action",
        {"os-migrate_volume": {"host": "h"}},
    ),
    ("cinder.volumes_delete", {"volume": "v", "cascade": True}, "DELETE", "/volume/v3/volumes/v?cascade=True", None),
    ("cinder.services_disable", {"host": "h", "binary": "b"}, "PUT", "/volume/v3/os-services/disable", {"host": "h", "binary": "b"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "method", "path", "body"), CALLS, ids=[call[0] for call in CALLS])
def test_what_is_asked_for(
    go: Any, serve: Any, tmp_path: Path, name: str, given: dict[str, Any], method: str, path: str, body: Any
) -> None:
    asked: list[Any] = []

    async def answer(request: web.Request) -> web.Response:
        text = await request.text()
        asked.append((request.method, str(request.rel_url), json.loads(text) if text else None))
        assert request.headers["X-Auth-Token"] == "to-ken"
        everything = {"output", "server", "image", "servers", "flavor", "aggregate", "hypervisors", "service"}
        everything |= {"volumeAttachment", "metadata"}
        return web.json_response(dict.fromkeys(everything, "it"))

    async def run() -> None:
        async with serve({"/{path:.*}": answer}) as port:
            root = f"http://127.0.0.1:{port}"
            services = {"compute": "", "network": "/network", "block-storage": "/volume", "image": "/image"}
            endpoints = {service: root + where for service, where in services.items()}
            kept = tmp_path / "secrets.json"
            kept.write_text(json.dumps({"c": {"token": "to-ken", "endpoints": endpoints}}))
            vault = Vault(secrets.provider(f"file:{kept}"))
            context = Context(frozenset([f"127.0.0.1:{port}"]), vault=vault)
            await registry.find(name).run(context, {**given, "cloud": "c"})
            await context.close()

    go(run())
    assert asked == [(method, path, body)]
