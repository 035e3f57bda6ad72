"""Actions of OpenStack's services against the demo cloud: by address and token, and through Keystone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pipeline.actions import registry, secrets
from pipeline.actions.declaration import Context
from pipeline.actions.vault import Vault
from pipeline.errors import ActionFailed, InvalidInput
from pipeline.local.cloud import application
from pipeline.local.compute import Compute, Pace, Server
from pipeline.local.services import PROJECT, Services

TOKEN = "demo-token-1"
PASSWORD = "pass-word-9"


class Silent:
    """Nobody listens to what becomes of the servers."""

    def state(self, server: Server) -> None: ...

    def moved(self, server: Server, source: str) -> None: ...


class Cloud:
    """A running demo cloud with all its services, and a context that knows it by two names."""

    def __init__(self, context: Context, services: Services, port: int) -> None:
        self.context = context
        self.services = services
        self.port = port

    async def do(self, name: str, cloud: str | None = "fixed", /, **given: Any) -> Any:
        named = {} if cloud is None else {"cloud": cloud}
        return await registry.find(name).run(self.context, {**given, **named})


@asynccontextmanager
async def running(directory: Path, **more: Any) -> AsyncIterator[Cloud]:
    services = Services(TOKEN, {"operator": PASSWORD})
    compute = Compute({"vm": Server("vm", "vm", "host-1")}, ["host-1", "host-2"], Silent(), Pace(answer=0))
    runner = web.AppRunner(application(compute, TOKEN, services), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    root = f"http://127.0.0.1:{port}"
    endpoints = {
        "compute": f"{root}/v2.1",
        "network": f"{root}/network",
        "volume": f"{root}/volume/v3/{PROJECT}",
        "image": f"{root}/image",
        "identity": f"{root}/identity/v3",
    }
    keystone = {
        "auth": {
            "auth_url": f"{root}/identity/v3",
            "username": "operator",
            "password": PASSWORD,
            "project_name": PROJECT,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
        "region_name": "demo",
    }
    kept = directory / "secrets.json"
    fixed = {"token": TOKEN, "endpoints": endpoints}
    kept.write_text(json.dumps({"fixed": fixed, "asked": keystone, **more}))
    vault = Vault(secrets.provider(f"file:{kept}"))
    context = Context(frozenset([f"127.0.0.1:{port}"]), vault=vault)
    try:
        yield Cloud(context, services, port)
    finally:
        await context.close()
        await runner.cleanup()


@pytest.mark.parametrize("name", ["fixed", "asked"])
def test_every_service_of_a_named_cloud_answers(go: Any, tmp_path: Path, name: str) -> None:
    async def body() -> None:
        async with running(tmp_path) as demo:
            assert (await demo.do("nova.servers_get", name, server="vm"))["name"] == "vm"
            assert await demo.do("neutron.list_ports", name) == {"ports": []}
            assert await demo.do("cinder.volumes_list", name) == []
            assert await demo.do("glance.images_list", name) == []

    go(body())


def test_keystone_is_asked_once_for_many_calls_and_again_when_a_token_is_withdrawn(
    go: Any, tmp_path: Path
) -> None:
    async def body() -> None:
        async with running(tmp_path) as demo:
            for _ in range(3):
                await demo.do("cinder.volumes_list", "asked")
            assert len(demo.services.tokens) == 1
            demo.services.tokens.clear()
            assert await demo.do("cinder.volumes_list", "asked") == []
            assert len(demo.services.tokens) == 1

    go(body())


def test_a_wrong_password_is_an_error_that_does_not_show_it(go: Any, tmp_path: Path) -> None:
    async def body() -> str:
        async with running(tmp_path) as demo:
            demo.services.users["operator"] = "another"
            with pytest.raises(ActionFailed, match=r"the cloud 'asked'.*401") as refused:
                await demo.do("nova.servers_get", "asked", server="vm")
            # Once it is mended where secrets are kept, nothing needs a restart.
            kept = tmp_path / "secrets.json"
            kept.write_text(kept.read_text().replace(PASSWORD, "another"))
            await demo.do("nova.servers_get", "asked", server="vm")
            return str(refused.value)

    assert PASSWORD not in go(body())


def test_ports_have_their_whole_life(go: Any, tmp_path: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as demo:
            made = await demo.do("neutron.create_port", body={"port": {"name": "p", "device_id": "vm"}})
            id_ = made["port"]["id"]
            await demo.do("neutron.create_port", body={"port": {"name": "q", "device_id": "other"}})
            found = await demo.do("neutron.list_ports", device_id="vm")
            assert [one["name"] for one in found["ports"]] == ["p"]
            found = await demo.do("neutron.list_ports", filters={"name": "q"})
            assert [one["name"] for one in found["ports"]] == ["q"]
            await demo.do("neutron.update_port", port=id_, body={"port": {"name": "r"}})
            assert (await demo.do("neutron.show_port", port=id_))["port"]["name"] == "r"
            assert await demo.do("neutron.delete_port", port=id_) is None
            with pytest.raises(ActionFailed, match=rf"GET /ports/{id_}: 404: port {id_} could not be found"):
                await demo.do("neutron.show_port", port=id_)

    go(body())


def test_dashes_are_the_api_s_and_underscores_ours(go: Any, tmp_path: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as demo:
            given = {"security_group": {"name": "g"}}
            id_ = (await demo.do("neutron.create_security_group", body=given))["security_group"]["id"]
            shown = await demo.do("neutron.show_security_group", security_group=id_)
            assert shown["security_group"]["name"] == "g"
            router = (await demo.do("neutron.create_router", body={"router": {"name": "r"}}))["router"]["id"]
            joined = await demo.do("neutron.add_interface_router", router=router, body={"subnet_id": "s"})
            assert joined["subnet_id"] == "s"

    go(body())


def test_a_volume_in_use_grows(go: Any, tmp_path: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as demo:
            volume = await demo.do("cinder.volumes_create", size="5", name="data", metadata={"a": "b"})
            assert (volume["size"], volume["name"], volume["metadata"]) == (5, "data", {"a": "b"})
            await demo.do("cinder.volumes_reset_state", volume=volume["id"], state="in-use")
            assert await demo.do("cinder.volumes_extend", volume=volume["id"], new_size=8) is None
            assert (await demo.do("cinder.volumes_get", volume=volume["id"]))["size"] == 8
            with pytest.raises(ActionFailed, match="400: New size for extend must be greater"):
                await demo.do("cinder.volumes_extend", volume=volume["id"], new_size=8)
            snapshot = await demo.do("cinder.volume_snapshots_create", volume_id=volume["id"], name="s")
            found = await demo.do("cinder.volume_snapshots_list", search_opts={"volume_id": volume["id"]})
            assert [one["id"] for one in found] == [snapshot["id"]]
            await demo.do("cinder.volume_snapshots_delete", snapshot=snapshot["id"])
            await demo.do("cinder.volumes_delete", volume=volume["id"])
            assert await demo.do("cinder.volumes_list") == []

    go(body())


def test_an_image_is_made_and_changed(go: Any, tmp_path: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as demo:
            image = await demo.do("glance.images_create", name="i", properties={"os": "x", "old": "y"})
            id_ = image["id"]
            changed = await demo.do(
                "glance.images_update", image_id=id_, name="j", properties={"os": "z"}, remove_props=["old"]
            )
            assert (changed["name"], changed["os"], "old" in changed) == ("j", "z", False)
            await demo.do("glance.image_tags_update", image_id=id_, tag_value="t")
            assert (await demo.do("glance.images_get", image_id=id_))["tags"] == ["t"]
            await demo.do("glance.images_deactivate", image_id=id_)
            assert (await demo.do("glance.images_list", filters={"status": "deactivated"}))[0]["id"] == id_
            await demo.do("glance.images_delete", image_id=id_)
            assert await demo.do("glance.images_list") == []

    go(body())


def test_a_project_has_its_people_and_their_roles(go: Any, tmp_path: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as demo:
            project = await demo.do("keystone.projects_create", name="p", domain="default")
            user = await demo.do("keystone.users_create", name="u", password="never-kept")
            role = await demo.do("keystone.roles_create", name="r")
            granted = {"role": role["id"], "user": user["id"], "project": project["id"]}
            with pytest.raises(ActionFailed, match="404"):
                await demo.do("keystone.roles_check", **granted)
            await demo.do("keystone.roles_grant", **granted)
            await demo.do("keystone.roles_check", **granted)
            await demo.do("keystone.roles_revoke", **granted)
            await demo.do("keystone.projects_update", project=project["id"], enabled=False)
            (found,) = await demo.do("keystone.projects_list", name="p", domain="default")
            assert (found["id"], found["domain_id"], found["enabled"]) == (project["id"], "default", False)
            assert (await demo.do("keystone.users_get", user=user["id"]))["name"] == "u"
            await demo.do("keystone.users_delete", user=user["id"])
            assert await demo.do("keystone.users_list") == []

    go(body())


def test_the_catalog_is_told_through_a_login(go: Any, tmp_path: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as demo:
            offered = await demo.do("keystone.services_list", "asked")
            assert "network" in [one["type"] for one in offered]
            (one,) = await demo.do("keystone.endpoints_list", "asked", service="image")
            assert one["url"].endswith("/image")
            assert await demo.do("keystone.regions_list", "asked") == [{"id": "demo"}]

    go(body())


def test_what_names_no_cloud_says_what_is_missing(go: Any, tmp_path: Path) -> None:
    async def body() -> None:
        async with running(tmp_path, half={"token": "x-x-x", "endpoints": {}}, text="just-a-text") as demo:
            for cloud, message in (
                ("nowhere", "no secret 'nowhere'"),
                ("half", "'half' has no `token`, or no `endpoints.image`"),
                ("text", "'text' is no cloud"),
                (None, "no cloud is set: name one by the input `cloud`"),
            ):
                with pytest.raises(ActionFailed, match=message):
                    await demo.do("glance.images_list", cloud)
            demo.context.cloud_url = f"http://127.0.0.1:{demo.port}/v2.1"
            with pytest.raises(ActionFailed, match="the setting cloud_url has no image service"):
                await demo.do("glance.images_list", None)
            demo.context.vault.provider = None
            with pytest.raises(ActionFailed, match="neither `clouds` nor `secrets`"):
                await demo.do("glance.images_list", "elsewhere")

    go(body())


def test_a_cloud_may_stand_in_a_file_of_the_settings(go: Any, tmp_path: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as demo:
            found = json.loads((tmp_path / "secrets.json").read_text())["asked"]
            file = tmp_path / "clouds.yaml"
            file.write_text(json.dumps({"clouds": {"prod": found}}))
            demo.context.clouds = str(file)
            assert (await demo.do("nova.servers_get", "prod", server="vm"))["id"] == "vm"
            assert demo.context.vault.mask(f"it is {PASSWORD}, operator") == "it is ***, operator"

    go(body())


def test_without_the_sdk_the_extra_is_named(go: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "openstack", None)
    monkeypatch.setitem(sys.modules, "openstack.config", None)

    async def body() -> None:
        async with running(tmp_path) as demo:
            with pytest.raises(ActionFailed, match=r"install `faultline\[openstack\]`"):
                await demo.do("nova.servers_get", "asked", server="vm")
            # An address with its token needs none.
            await demo.do("nova.servers_get", "fixed", server="vm")

    go(body())


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("cinder.volumes_extend", {"volume": "v", "new_size": "big"}, "input `new_size`"),
        ("cinder.volumes_extend", {"volume": "v"}, "needs the input `new_size`"),
        ("neutron.show_port", {"id": "p"}, "no input `id`; it takes: port, cloud"),
        ("neutron.create_port", {"body": "p"}, "input `body`"),
    ],
)
def test_wrong_input_is_named(go: Any, name: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as wrong:
        go(registry.find(name).run(Context(), given))
    assert message in str(wrong.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *[("neutron.list_ports", True), ("cinder.volumes_get", True), ("glance.images_list", True)],
        *[("neutron.update_port", False), ("cinder.volumes_extend", False), ("nova.servers_create", False)],
    ],
)
def test_what_changes_nothing_may_be_run_again(name: str, expected: bool) -> None:
    assert registry.repeatable(name, {}) is expected
