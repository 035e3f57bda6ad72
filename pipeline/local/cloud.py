"""The demo cloud: a compute API on this machine, as a process of its own.

    python -m pipeline.local.cloud --kafka HOST:PORT --seed FILE --ready FILE [--port N] [--token TEXT]

``--seed`` names a JSON file: ``{"domain", "hosts": [NAME], "servers": [{"id", "name", "host", "answers"}]}``.
When it listens, it writes ``--ready``: ``{"url", "port", "pid", "allow", "servers": {ID: {"address",
"port"}}}``, ``allow`` being what ``http_allow`` must hold. What is done to its servers it publishes on
``topology.changes``, and nothing else. ``GET /demo/calls`` tells how often each was told to do what.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiohttp import web
from confluent_kafka import Producer

from ..times import rfc3339
from . import people
from .compute import ADDRESS, Compute, Pace, Refusal, Server
from .services import PREFIXES, Services, routes

TOPIC = "topology.changes"
SOURCE = "nova"
# The names that the API wraps its refusals in.
FAULTS = {400: "badRequest", 401: "unauthorized", 404: "itemNotFound", 409: "conflictingRequest"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class TopologyPublisher:
    """Publishes what becomes of servers, as the cloud's notifications would."""

    producer: Producer
    domain: str
    count: int = 0
    boot: str = field(default_factory=lambda: uuid4().hex[:8])

    def state(self, server: Server) -> None:
        entity = {
            "type": "nova.instance",
            "id": server.id,
            "name": server.name,
            "state": server.status,
            "attributes": {"host": server.host},
        }
        self._publish({"op": "UPSERT", "entity": entity})

    def moved(self, server: Server, source: str) -> None:
        self._publish({"op": "DELETE", "relationship": _contains(source, server.id)})
        self._publish({"op": "UPSERT", "relationship": _contains(server.host, server.id)})

    def _publish(self, change: dict[str, Any]) -> None:
        self.count += 1
        record = {
            "id": f"nova-{self.boot}-{self.count}",
            "time": rfc3339(time.time_ns() // 1000),
            "source": SOURCE,
            "domain": self.domain,
            **change,
        }
        # One key, so that what happened first is read first.
        self.producer.produce(TOPIC, json.dumps(record), self.domain)
        self.producer.poll(0)


def application(compute: Compute, token: str, others: Services | None = None) -> web.Application:
    """The API over ``compute``, and over ``others``; callers must show ``token``, or one issued to them."""
    others = others or Services(token)

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if not request.path.startswith(("/v2.1/", *PREFIXES, *people.PREFIXES)):
                return await handler(request)
            if not others.admits(request.headers.get("X-Auth-Token")):
                raise Refusal(401, "The request you have made requires authentication.")
            # What is asked for happens in the middle: a caller that dies may have been too early or too late.
            await asyncio.sleep(compute.pace.answer / 2)
            answer = await handler(request)
            await asyncio.sleep(compute.pace.answer / 2)
            return answer
        except Refusal as error:
            return _fault(error.code, str(error))
        except web.HTTPNotFound:
            return _fault(404, "The resource could not be found.")

    async def servers(request: web.Request) -> web.Response:
        query = request.query
        found = [
            server
            for server in compute.servers.values()
            if query.get("name", "") in server.name
            and query.get("status", server.status).upper() == server.status
            and query.get("host", server.host) == server.host
        ]
        if request.path.endswith("/detail"):
            return web.json_response({"servers": [_describe(server) for server in found]})
        return web.json_response({"servers": [{"id": one.id, "name": one.name} for one in found]})

    async def server(request: web.Request) -> web.Response:
        return web.json_response({"server": _describe(compute.find(request.match_info["id"]))})

    async def addresses(request: web.Request) -> web.Response:
        return web.json_response({"addresses": _addresses(compute.find(request.match_info["id"]))})

    async def act(request: web.Request) -> web.Response:
        try:
            body = await request.json()
            ((verb, details),) = body.items()
        except (ValueError, AttributeError):
            raise Refusal(400, "The body is an object with one action.") from None
        compute.act(request.match_info["id"], verb, details)
        return web.Response(status=204 if verb == "confirmResize" else 202)

    async def services(request: web.Request) -> web.Response:
        wanted = request.query.get("host")
        hosts = [host for host in compute.hosts if wanted in (None, host)]
        return web.json_response({"services": [_service(compute, host) for host in hosts]})

    async def switch(request: web.Request) -> web.Response:
        try:
            host = (await request.json())["host"]
        except (ValueError, KeyError, TypeError):
            raise Refusal(400, "The body is an object with a host.") from None
        if host not in compute.hosts:
            raise Refusal(404, f"Compute host {host} could not be found.")
        if request.path.endswith("disable"):
            compute.disabled.add(host)
        else:
            compute.disabled.discard(host)
        return web.json_response({"service": _service(compute, host)})

    async def hypervisors(_: web.Request) -> web.Response:
        found = [
            {
                "id": index,
                "hypervisor_hostname": host,
                "state": "up",
                "status": "disabled" if host in compute.disabled else "enabled",
                "running_vms": sum(one.host == host for one in compute.servers.values()),
            }
            for index, host in enumerate(compute.hosts, 1)
        ]
        return web.json_response({"hypervisors": found})

    async def calls(_: web.Request) -> web.Response:
        return web.json_response({"calls": compute.calls, "refused": compute.refused})

    app = web.Application(middlewares=[guard])
    app.add_routes(
        [
            web.get("/v2.1/servers", servers),
            web.get("/v2.1/servers/detail", servers),
            web.get("/v2.1/servers/{id}", server),
            web.get("/v2.1/servers/{id}/ips", addresses),
            web.post("/v2.1/servers/{id}/action", act),
            web.get("/v2.1/os-services", services),
            web.put("/v2.1/os-services/{verb:enable|disable}", switch),
            web.get("/v2.1/os-hypervisors", hypervisors),
            web.get("/v2.1/os-hypervisors/detail", hypervisors),
            web.get("/demo/calls", calls),
            *routes(others),
            *people.routes(others),
        ]
    )
    return app


def seeded(seed: dict[str, Any], producer: Producer, pace: Pace) -> Compute:
    """The cloud that ``seed`` describes. Raises ``KeyError`` or ``TypeError`` when it describes none."""
    servers = {
        one["id"]: Server(one["id"], one.get("name", one["id"]), one["host"], one.get("answers", True))
        for one in seed["servers"]
    }
    hosts = list(dict.fromkeys([*seed["hosts"], *[server.host for server in servers.values()]]))
    return Compute(servers, hosts, TopologyPublisher(producer, seed.get("domain", "default")), pace)


async def serve(arguments: argparse.Namespace) -> None:
    """Serves until SIGTERM or SIGINT."""
    producer = Producer(
        {
            "bootstrap.servers": arguments.kafka,
            "client.id": "demo-cloud",
            "enable.idempotence": True,
            "linger.ms": 1,
        }
    )
    seed = json.loads(arguments.seed.read_text(encoding="utf-8"))
    compute = seeded(seed, producer, Pace().stretched(arguments.pace))
    await compute.open()
    runner = web.AppRunner(application(compute, arguments.token), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, ADDRESS, arguments.port)
    await site.start()
    _write(arguments.ready, _ready(compute, runner.addresses[0][1]))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    await compute.close()
    await runner.cleanup()
    producer.flush(5)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the demo cloud."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.local.cloud", description=__doc__)
    parser.add_argument("--kafka", required=True, metavar="BOOTSTRAP")
    parser.add_argument("--seed", required=True, type=Path, metavar="FILE")
    parser.add_argument("--ready", required=True, type=Path, metavar="FILE")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", default=os.environ.get("FAULTLINE_CLOUD_TOKEN", ""))
    parser.add_argument("--pace", type=float, default=1.0, help="stretches (over 1) or shortens all delays")
    asyncio.run(serve(parser.parse_args(argv)))
    return 0


def _ready(compute: Compute, port: int) -> dict[str, Any]:
    servers = {one.id: {"address": ADDRESS, "port": one.port} for one in compute.servers.values()}
    return {
        "url": f"http://{ADDRESS}:{port}/v2.1",
        "port": port,
        "pid": os.getpid(),
        "allow": [f"{ADDRESS}:{port}", *[f"{ADDRESS}:{one.port}" for one in compute.servers.values()]],
        "servers": servers,
    }


def _write(path: Path, value: dict[str, Any]) -> None:
    # At once and whole: whoever waits for the file reads it as soon as it is there.
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(value), encoding="utf-8")
    draft.replace(path)


def _describe(server: Server) -> dict[str, Any]:
    return {
        "id": server.id,
        "name": server.name,
        "status": server.status,
        "OS-EXT-STS:task_state": server.busy,
        "OS-EXT-STS:vm_state": "resized" if server.status == "VERIFY_RESIZE" else server.status.lower(),
        "OS-EXT-SRV-ATTR:host": server.host,
        "OS-EXT-SRV-ATTR:hypervisor_hostname": server.host,
        "accessIPv4": ADDRESS,
        "addresses": _addresses(server),
        "metadata": {"ssh_port": str(server.port)},
    }


def _addresses(server: Server) -> dict[str, Any]:
    return {
        "private": [
            {"version": 4, "addr": ADDRESS, "port": server.port, "OS-EXT-IPS:type": "fixed"},
        ]
    }


def _service(compute: Compute, host: str) -> dict[str, Any]:
    status = "disabled" if host in compute.disabled else "enabled"
    return {"host": host, "binary": "nova-compute", "state": "up", "status": status}


def _contains(host: str, server: str) -> dict[str, Any]:
    return {
        "source": {"type": "nova.host", "id": host},
        "type": "contains",
        "target": {"type": "nova.instance", "id": server},
    }


def _fault(code: int, message: str) -> web.Response:
    name = FAULTS.get(code, "computeFault")
    return web.json_response({name: {"code": code, "message": message}}, status=code)


if __name__ == "__main__":
    sys.exit(main())
