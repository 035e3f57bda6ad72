"""What the demo cloud's identity service knows beside tokens: projects, users, groups, domains, roles."""

from __future__ import annotations

from aiohttp import web

from .compute import Refusal
from .services import CATALOG, Services, keeping

KINDS = ("projects", "users", "groups", "domains", "roles")
BASE = "/identity/v3"
PREFIXES = tuple(f"{BASE}/{kind}" for kind in (*KINDS, "services", "endpoints", "regions"))


def routes(services: Services) -> list[web.RouteDef]:
    """What is answered under ``/identity/v3`` beside tokens."""

    async def grant(request: web.Request) -> web.Response:
        held = services.all("grants")
        if request.method == "PUT":
            held[request.path] = {}
        elif request.path not in held:
            raise Refusal(404, "Could not find role assignment.")
        elif request.method == "DELETE":
            del held[request.path]
        return web.Response(status=204)

    async def offered(request: web.Request) -> web.Response:
        found = [{"id": kind, "type": kind, "name": kind} for kind in CATALOG]
        return web.json_response({"services": found})

    async def reached(request: web.Request) -> web.Response:
        found = [
            {"id": kind, "service_id": kind, "interface": "public", "url": f"{request.url.origin()}{path}"}
            for kind, path in CATALOG.items()
            if request.query.get("service_id", kind) == kind
        ]
        return web.json_response({"endpoints": found})

    async def regions(_: web.Request) -> web.Response:
        return web.json_response({"regions": [{"id": "demo"}]})

    base = f"{BASE}/{{kind:{'|'.join(KINDS)}}}"
    place, who = "{place:projects|domains}/{id}", "{who:users|groups}/{other}"
    return [
        web.route("*", f"{BASE}/{place}/{who}/roles/{{role}}", grant),
        web.route("*", f"{BASE}/groups/{{id}}/users/{{other}}", grant),
        web.get(f"{BASE}/services", offered),
        web.get(f"{BASE}/endpoints", reached),
        web.get(f"{BASE}/regions", regions),
        *keeping(services, base, change="PATCH"),
    ]
