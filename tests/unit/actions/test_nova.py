"""The ``nova.*`` actions against the demo cloud's API, and the demo cloud itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, web

from pipeline.actions import registry
from pipeline.actions.declaration import Context
from pipeline.errors import ActionFailed
from pipeline.local.cloud import application
from pipeline.local.compute import Compute, Pace, Server

TOKEN = "demo-token-1"
FAST = Pace(answer=0, resize=0.05, verify=0.05, migrate_live=0.05, reboot=0.05)


class Told:
    """What the cloud published, in short."""

    def __init__(self) -> None:
        self.said: list[tuple[str, ...]] = []

    def state(self, server: Server) -> None:
        self.said.append((server.id, server.status))

    def moved(self, server: Server, source: str) -> None:
        self.said.append((server.id, source, server.host))


class Cloud:
    """A running demo cloud and a context that may reach it."""

    def __init__(self, compute: Compute, told: Told, context: Context, port: int) -> None:
        self.compute = compute
        self.told = told
        self.context = context
        self.port = port

    async def do(self, name: str, **given: Any) -> Any:
        return await registry.find(f"nova.{name}").run(self.context, given)

    async def until(self, server: str, status: str) -> None:
        async with asyncio.timeout(5):
            # The API has nothing else than being asked again.
            while (await self.do("servers_get", server=server))["status"] != status:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@asynccontextmanager
async def cloud(pace: Pace = FAST, token: str = TOKEN, **servers: bool) -> AsyncIterator[Cloud]:
    told = Told()
    named = {id_: Server(id_, id_, "host-1", answers) for id_, answers in (servers or {"vm": True}).items()}
    compute = Compute(named, ["host-1", "host-2"], told, pace)
    await compute.open()
    runner = web.AppRunner(application(compute, TOKEN), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    allow = [f"127.0.0.1:{one}" for one in (port, *[server.port for server in named.values()])]
    context = Context(frozenset(allow), f"http://127.0.0.1:{port}/v2.1", token)
    try:
        yield Cloud(compute, told, context, port)
    finally:
        await context.close()
        await compute.close()
        await runner.cleanup()


def test_a_migration_passes_through_its_states_and_ends_on_another_host(go: Any) -> None:
    async def body() -> None:
        async with cloud() as demo:
            assert await demo.do("servers_migrate", server="vm") is None
            assert (await demo.do("servers_get", server="vm"))["status"] == "RESIZE"
            await demo.until("vm", "VERIFY_RESIZE")
            await demo.until("vm", "ACTIVE")
            server = await demo.do("servers_get", server="vm")
            assert server["OS-EXT-SRV-ATTR:host"] == "host-2"
            assert demo.told.said == [
                ("vm", "RESIZE"),
                ("vm", "host-1", "host-2"),
                ("vm", "VERIFY_RESIZE"),
                ("vm", "ACTIVE"),
            ]

    go(body())


def test_nothing_is_published_that_was_not_asked_for(go: Any) -> None:
    async def body() -> None:
        async with cloud() as demo:
            await demo.do("servers_get", server="vm")
            await demo.do("servers_list")
            await asyncio.sleep(0.2)
            assert demo.told.said == []

    go(body())


def test_a_migration_during_a_migration_is_refused_and_counted(go: Any) -> None:
    async def body() -> None:
        async with cloud(Pace(answer=0, resize=5)) as demo:
            await demo.do("servers_migrate", server="vm")
            with pytest.raises(ActionFailed, match="409: Cannot 'migrate' instance vm while it is RESIZE"):
                await demo.do("servers_migrate", server="vm")
            url = f"http://127.0.0.1:{demo.port}/demo/calls"
            async with ClientSession() as session, session.get(url) as answer:
                assert await answer.json() == {
                    "calls": {"vm": {"migrate": 2}},
                    "refused": {"vm": {"migrate": 1}},
                }

    go(body())


def test_a_server_answers_after_its_migration_or_not_as_it_was_set_up(go: Any) -> None:
    async def body() -> None:
        async with cloud(good=True, bad=False) as demo:
            for id_, answers in (("good", True), ("bad", False)):
                before = await demo.do("servers_get", server=id_)
                place = {"host": before["accessIPv4"], "port": before["metadata"]["ssh_port"]}
                check = registry.find("std.tcp_check")
                await check.run(demo.context, {**place, "expect": "SSH-2.0"})
                await demo.do("servers_migrate", server=id_)
                await demo.until(id_, "ACTIVE")
                after = await demo.do("servers_ips", server=id_)
                assert after["private"][0]["port"] == int(place["port"])
                if answers:
                    await check.run(demo.context, {**place, "expect": "SSH-2.0"})
                else:
                    with pytest.raises(ActionFailed, match="cannot be reached"):
                        await check.run(demo.context, {**place, "timeout": 1})

    go(body())


@pytest.mark.parametrize(
    ("verb", "host"), [("servers_confirm_resize", "host-2"), ("servers_revert_resize", "host-1")]
)
def test_a_migration_may_be_accepted_or_undone(go: Any, verb: str, host: str) -> None:
    async def body() -> None:
        async with cloud(Pace(answer=0, resize=0.02, verify=30)) as demo:
            with pytest.raises(ActionFailed, match="409"):
                await demo.do(verb, server="vm")
            await demo.do("servers_migrate", server="vm")
            await demo.until("vm", "VERIFY_RESIZE")
            await demo.do(verb, server="vm")
            await demo.until("vm", "ACTIVE")
            assert demo.compute.servers["vm"].host == host

    go(body())


def test_other_calls(go: Any) -> None:
    async def body() -> None:
        async with cloud() as demo:
            await demo.do("servers_live_migrate", server="vm", host="host-2")
            await demo.until("vm", "ACTIVE")
            assert demo.compute.servers["vm"].host == "host-2"
            await demo.do("servers_reboot", server="vm", reboot_type="HARD")
            await demo.until("vm", "ACTIVE")
            await demo.do("servers_stop", server="vm")
            await demo.until("vm", "SHUTOFF")
            await demo.do("servers_start", server="vm")
            await demo.until("vm", "ACTIVE")
            await demo.do("services_disable", host="host-1")
            assert [one["status"] for one in await demo.do("services_list")] == ["disabled", "enabled"]
            with pytest.raises(ActionFailed, match="400: No valid host"):
                await demo.do("servers_migrate", server="vm")
            await demo.do("services_enable", host="host-1")
            assert [one["running_vms"] for one in await demo.do("hypervisors_list")] == [0, 1]
            found = await demo.do("servers_list", search_opts={"host": "host-2"})
            assert [one["id"] for one in found] == ["vm"]

    go(body())


def test_refusals_say_why_and_show_no_token(go: Any) -> None:
    async def body() -> list[str]:
        said = []
        async with cloud() as demo:
            with pytest.raises(ActionFailed) as unknown:
                await demo.do("servers_get", server="no/such?server")
            said.append(str(unknown.value))
        async with cloud(token="wrong-secret") as demo:
            with pytest.raises(ActionFailed) as refused:
                await demo.do("servers_migrate", server="vm")
            said.append(str(refused.value))
            assert demo.compute.calls == {}
        return said

    unknown, refused = go(body())
    assert unknown == "GET /servers/no%2Fsuch%3Fserver: 404: Instance no/such?server could not be found."
    assert refused.startswith("POST /servers/vm/action: 401")
    assert "secret" not in refused


def test_without_a_cloud_the_settings_are_named(go: Any) -> None:
    with pytest.raises(ActionFailed, match="cloud_url"):
        go(registry.find("nova.servers_get").run(Context(), {"server": "vm"}))


def test_a_cloud_on_this_machine_must_be_allowed(go: Any) -> None:
    async def body() -> None:
        async with cloud() as demo:
            demo.context.allow = frozenset()
            await demo.do("servers_get", server="vm")

    with pytest.raises(ActionFailed, match="http_allow"):
        go(body())
