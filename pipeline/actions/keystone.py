"""The ``keystone.*`` actions over the OpenStack identity API."""

from __future__ import annotations

from typing import Any

from .openstack import Json, Row, given, made

_PROJECT = {"domain": str | None, "description": str | None, "enabled": bool | None, "parent": str | None}
_USER = {
    "domain": str | None,
    "default_project": str | None,
    "password": str | None,
    "email": str | None,
    "description": str | None,
    "enabled": bool | None,
}
_FILTER = {"name": str | None, "domain": str | None}
_GRANT = {
    "role": str,
    "user": str | None,
    "group": str | None,
    "project": str | None,
    "domain": str | None,
}
# What the client calls by a name, the API calls by an id.
_IDS = ("domain", "default_project", "parent", "region")


def _named(inputs: Json, *left: str) -> Json:
    kept = {name: value for name, value in given(inputs).items() if name not in left}
    return {f"{name}_id" if name in _IDS else name: value for name, value in kept.items()}


def _enclosed(kind: str, *left: str) -> Any:
    return lambda inputs: {kind: _named(inputs, *left)}


def _grant(inputs: Json) -> str:
    """The path of a role on a project or domain of a user or group."""
    place = "/projects/{project}" if inputs.get("project") else "/domains/{domain}"
    who = "/users/{user}" if inputs.get("user") else "/groups/{group}"
    return f"{place}{who}/roles/{{role}}"


def _life(kind: str, fields: dict[str, Any], filters: dict[str, Any]) -> tuple[Row, ...]:
    """List, get, create, update and delete of a kind of things."""
    one = kind[:-1]
    path, said = f"/{kind}", kind.replace("_", " ")
    at = f"{path}/{{{one}}}"
    return (
        Row(f"keystone.{kind}_list", "GET", path, filters, kind, f"The {said}.", query=_named),
        Row(f"keystone.{kind}_get", "GET", at, {one: str}, one, f"One of the {said}."),
        Row(
            f"keystone.{kind}_create",
            "POST",
            path,
            {"name": str, **fields},
            one,
            f"Adds to the {said}.",
            body=_enclosed(one),
        ),
        Row(
            f"keystone.{kind}_update",
            "PATCH",
            at,
            {one: str, "name": str | None, **fields},
            one,
            f"Changes one of the {said}.",
            body=_enclosed(one, one),
        ),
        Row(f"keystone.{kind}_delete", "DELETE", at, {one: str}, None, f"Deletes one of the {said}."),
    )


ACTIONS = made(
    "identity",
    (
        *_life("projects", _PROJECT, {**_FILTER, "parent": str | None}),
        *_life("users", _USER, {**_FILTER, "enabled": bool | None}),
        *_life("groups", {"domain": str | None, "description": str | None}, _FILTER),
        *_life("domains", {"description": str | None, "enabled": bool | None}, {"name": str | None}),
        *_life("roles", {"domain": str | None, "description": str | None}, _FILTER),
        Row("keystone.roles_grant", "PUT", _grant, _GRANT, None, "Gives a role to a user or group."),
        Row("keystone.roles_revoke", "DELETE", _grant, _GRANT, None, "Takes a role from a user or group."),
        Row(
            "keystone.roles_check", "HEAD", _grant, _GRANT, None, "Ends in error where there is no such role."
        ),
        Row(
            "keystone.users_add_to_group",
            "PUT",
            "/groups/{group}/users/{user}",
            {"user": str, "group": str},
            None,
            "Puts a user into a group.",
        ),
        Row(
            "keystone.users_remove_from_group",
            "DELETE",
            "/groups/{group}/users/{user}",
            {"user": str, "group": str},
            None,
            "Takes a user out of a group.",
        ),
        Row(
            "keystone.services_list",
            "GET",
            "/services",
            {"name": str | None, "type": str | None},
            "services",
            "The services of the catalog.",
            query=_named,
        ),
        Row(
            "keystone.endpoints_list",
            "GET",
            "/endpoints",
            {"service": str | None, "interface": str | None, "region": str | None},
            "endpoints",
            "The endpoints of the catalog.",
            query=lambda inputs: {
                **_named(inputs, "service"),
                **({"service_id": inputs["service"]} if inputs.get("service") else {}),
            },
        ),
        Row("keystone.regions_list", "GET", "/regions", {}, "regions", "The regions."),
    ),
)
