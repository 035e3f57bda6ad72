"""The demo cloud's other services: identity, networks, volumes and images, as they appear in its catalog.

They keep what they are told in memory and answer as OpenStack's do; nothing of it is published.
"""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from aiohttp import web

from .compute import Refusal

PREFIXES = ("/network/", "/volume/", "/image/")
PROJECT = "demo"
NETWORK = (
    *("networks", "subnets", "ports", "routers", "floatingips", "security_groups", "security_group_rules"),
    *("agents", "extensions"),
)
CATALOG = {
    "compute": "/v2.1",
    "network": "/network",
    "block-storage": f"/volume/v3/{PROJECT}",
    "image": "/image",
    "identity": "/identity/v3",
}

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(slots=True)
class Services:
    """What the services hold, by kind and id; ``users`` are the names with their passwords."""

    token: str
    users: dict[str, str] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    kept: dict[str, dict[str, Json]] = field(default_factory=dict)

    def admits(self, token: str | None) -> bool:
        """Whether a caller with ``token`` is one of its users."""
        return token is not None and (token == self.token or token in self.tokens)

    def all(self, kind: str) -> dict[str, Json]:
        """The things of ``kind`` by id."""
        return self.kept.setdefault(kind, {})

    def find(self, kind: str, id_: str) -> Json:
        """One thing. Raises ``Refusal`` 404."""
        found = self.all(kind).get(id_)
        if found is None:
            raise Refusal(404, f"{kind[:-1]} {id_} could not be found.")
        return found

    def add(self, kind: str, given: Json) -> Json:
        """A new thing of ``kind``."""
        made = {"id": uuid4().hex, "status": "ACTIVE", **given}
        self.all(kind)[made["id"]] = made
        return made


def routes(services: Services) -> list[web.RouteDef]:
    """What the services answer."""
    return [*_identity(services), *_network(services), *_volume(services), *_image(services)]


def _identity(services: Services) -> list[web.RouteDef]:
    async def version(request: web.Request) -> web.Response:
        links = [{"rel": "self", "href": f"{request.url.origin()}/identity/v3/"}]
        return web.json_response({"version": {"id": "v3.14", "status": "stable", "links": links}})

    async def issue(request: web.Request) -> web.Response:
        try:
            user = (await request.json())["auth"]["identity"]["password"]["user"]
            known = services.users.get(user["name"]) == user["password"]
        except (ValueError, KeyError, TypeError):
            raise Refusal(400, "Only the method password is known here.") from None
        if not known:
            raise Refusal(401, "The request you have made requires authentication.")
        token = uuid4().hex
        services.tokens.add(token)
        now = datetime.datetime.now(datetime.UTC)
        catalog = [
            {
                "type": kind,
                "name": kind,
                "endpoints": [
                    {"interface": "public", "region": "demo", "url": f"{request.url.origin()}{path}"}
                ],
            }
            for kind, path in CATALOG.items()
        ]
        domain = {"id": "default", "name": "Default"}
        body = {
            "methods": ["password"],
            "issued_at": now.isoformat().replace("+00:00", "Z"),
            "expires_at": (now + datetime.timedelta(hours=1)).isoformat().replace("+00:00", "Z"),
            "user": {"id": user["name"], "name": user["name"], "domain": domain},
            "project": {"id": PROJECT, "name": PROJECT, "domain": domain},
            "roles": [{"id": "admin", "name": "admin"}],
            "catalog": catalog,
        }
        return web.json_response({"token": body}, status=201, headers={"X-Subject-Token": token})

    return [
        web.get("/identity/v3", version),
        web.get("/identity/v3/", version),
        web.post("/identity/v3/auth/tokens", issue),
    ]


def keeping(
    services: Services,
    path: str,
    kind_of: Callable[[web.Request], str] = lambda request: request.match_info["kind"],
    *,
    listing: str = "",
    change: str = "PUT",
    status: str = "ACTIVE",
    added: int = 201,
    gone: int = 204,
) -> list[web.RouteDef]:
    """The life of things that are kept as they are told: list, add, show, ``change`` and delete.

    ``path`` holds ``{kind}``; ``added`` and ``gone`` are the codes of the answers.
    """

    async def listed(request: web.Request) -> web.Response:
        kind = kind_of(request)
        return web.json_response({kind: matching(services.all(kind), request)})

    async def add(request: web.Request) -> web.Response:
        kind = kind_of(request)
        given = await body_of(request, kind[:-1])
        # Who asks later is not told it.
        given.pop("password", None)
        return web.json_response({kind[:-1]: services.add(kind, {"status": status, **given})}, status=added)

    async def one(request: web.Request) -> web.Response:
        kind = kind_of(request)
        found = services.find(kind, request.match_info["id"])
        if request.method == "DELETE":
            del services.all(kind)[found["id"]]
            return web.Response(status=gone)
        if request.method == change:
            found.update(await body_of(request, kind[:-1]))
        return web.json_response({kind[:-1]: found})

    return [
        web.get(listing or path, listed),
        web.post(path, add),
        web.route("*", path + "/{id}", one),
    ]


def _network(services: Services) -> list[web.RouteDef]:
    def kind(request: web.Request) -> str:
        found = request.match_info["kind"].replace("-", "_")
        if found not in NETWORK:
            raise Refusal(404, "The resource could not be found.")
        return found

    async def interface(request: web.Request) -> web.Response:
        router = services.find("routers", request.match_info["id"])
        given = await request.json()
        return web.json_response({"id": router["id"], **given})

    path = "/network/v2.0/{kind}"
    verbs = "/network/v2.0/routers/{id}/{verb:(add|remove)_router_interface}"
    return [web.put(verbs, interface), *keeping(services, path, kind)]


def _volume(services: Services) -> list[web.RouteDef]:
    async def act(request: web.Request) -> web.Response:
        volume = services.find("volumes", request.match_info["id"])
        ((verb, details),) = (await request.json()).items()
        if verb == "os-extend":
            if details["new_size"] <= volume["size"]:
                raise Refusal(
                    400, f"New size for extend must be greater than current size ({volume['size']})."
                )
            if volume["status"] == "in-use" and "volume 3." not in request.headers.get(
                "OpenStack-API-Version", ""
            ):
                raise Refusal(400, "A volume in use can only be extended from microversion 3.42 on.")
            volume["size"] = details["new_size"]
        elif verb == "os-reset_status":
            volume["status"] = details["status"]
        elif verb == "os-retype":
            volume["volume_type"] = details["new_type"]
        else:
            raise Refusal(400, f"There is no such action: {verb}")
        return web.Response(status=202)

    base = f"/volume/v3/{PROJECT}/{{kind:volumes|snapshots}}"
    return [
        *keeping(services, base, listing=base + "/detail", status="available", added=202, gone=202),
        web.post(f"/volume/v3/{PROJECT}/volumes/{{id}}/action", act),
    ]


def _image(services: Services) -> list[web.RouteDef]:
    async def listed(request: web.Request) -> web.Response:
        return web.json_response({"images": matching(services.all("images"), request)})

    async def add(request: web.Request) -> web.Response:
        made = services.add("images", {"status": "queued", "tags": [], **await body_of(request, None)})
        return web.json_response(made, status=201)

    async def one(request: web.Request) -> web.Response:
        found = services.find("images", request.match_info["id"])
        if request.method == "DELETE":
            del services.all("images")[found["id"]]
            return web.Response(status=204)
        if request.method == "PATCH":
            if request.content_type != "application/openstack-images-v2.1-json-patch":
                raise Refusal(415, "A JSON patch is needed.")
            for change in await request.json():
                name = change["path"].removeprefix("/")
                if change["op"] == "remove":
                    found.pop(name, None)
                else:
                    found[name] = change["value"]
        return web.json_response(found)

    async def tag(request: web.Request) -> web.Response:
        tags = services.find("images", request.match_info["id"])["tags"]
        name = request.match_info["tag"]
        if request.method == "PUT" and name not in tags:
            tags.append(name)
        elif request.method == "DELETE" and name in tags:
            tags.remove(name)
        return web.Response(status=204)

    async def switch(request: web.Request) -> web.Response:
        found = services.find("images", request.match_info["id"])
        found["status"] = "deactivated" if request.match_info["verb"] == "deactivate" else "active"
        return web.Response(status=204)

    base = "/image/v2/images"
    return [
        web.get(base, listed),
        web.post(base, add),
        web.post(base + "/{id}/actions/{verb:deactivate|reactivate}", switch),
        web.route("*", base + "/{id}/tags/{tag}", tag),
        web.route("*", base + "/{id}", one),
    ]


def matching(kept: dict[str, Json], request: web.Request) -> list[Json]:
    """Those kept that have what the request's query says."""
    wanted = {
        name: value for name, value in request.query.items() if name not in ("limit", "marker", "fields")
    }
    found = [
        one for one in kept.values() if all(str(one.get(name)) == value for name, value in wanted.items())
    ]
    return found[: int(request.query.get("limit", len(found)))]


async def body_of(request: web.Request, name: str | None) -> Json:
    """The object of a request's body, or of its field ``name``. Raises ``Refusal`` 400."""
    try:
        body = await request.json()
        found = body if name is None else body[name]
    except (ValueError, KeyError, TypeError):
        found = None
    if not isinstance(found, dict):
        raise Refusal(400, f"The body is an object{f' with a {name}' if name else ''}.")
    return found
