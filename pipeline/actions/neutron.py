"""The ``neutron.*`` actions over the OpenStack networking API.

As the client that Mistral names them after does, each returns the API's answer whole:
``neutron.list_ports`` gives ``{"ports": [...]}``, and what is created or changed is its ``body``.
"""

from __future__ import annotations

from typing import Any

from .declaration import Action
from .openstack import Json, Row, given, made

# One noun of the API a row: its singular, its plural in the actions' names, and its path.
NOUNS = (
    ("network", "networks", "/networks"),
    ("subnet", "subnets", "/subnets"),
    ("port", "ports", "/ports"),
    ("router", "routers", "/routers"),
    ("floatingip", "floatingips", "/floatingips"),
    ("security_group", "security_groups", "/security-groups"),
    ("security_group_rule", "security_group_rules", "/security-group-rules"),
)
READ_ONLY = (("agent", "agents", "/agents"), ("extension", "extensions", "/extensions"))
# The API has no call that changes these.
UNCHANGING = {"security_group_rule"}
BODY = {"body": dict[str, Any]}
# Lists can be asked for by any field: the usual ones are inputs, the rest goes into `filters`.
FIELDS: tuple[str, ...] = (
    "id",
    "name",
    "status",
    "tenant_id",
    "project_id",
    "admin_state_up",
    "network_id",
    "device_id",
)
FIELDS += ("device_owner", "mac_address", "host", "binary", "alive", "agent_type", "port_id", "router_id")
# The service answers whole lists; Mistral's users may say that they want them.
FILTERS = {"retrieve_all": bool | None, "filters": dict[str, Any] | None, "fields": list[str] | None}
SELECTING = {**FILTERS, **dict.fromkeys(FIELDS, Any | None)}


def _selected(inputs: Json) -> Json:
    return {**(inputs.get("filters") or {}), **given(inputs, "fields", *FIELDS)}


def _reading(singular: str, plural: str, path: str) -> tuple[Row, ...]:
    word = plural.replace("_", " ")
    one = f"{path}/{{{singular}}}"
    return (
        Row(f"neutron.list_{plural}", "GET", path, SELECTING, "", f"The {word}.", query=_selected),
        Row(f"neutron.show_{singular}", "GET", one, {singular: str}, "", f"One of the {word}."),
    )


def _writing(singular: str, plural: str, path: str) -> tuple[Row, ...]:
    word = plural.replace("_", " ")
    one = f"{path}/{{{singular}}}"
    rows = [
        Row(f"neutron.create_{singular}", "POST", path, BODY, "", f"Adds to the {word}.", body=_body),
        Row(
            f"neutron.delete_{singular}", "DELETE", one, {singular: str}, None, f"Deletes one of the {word}."
        ),
    ]
    if singular not in UNCHANGING:
        takes = {singular: str, **BODY}
        rows.append(
            Row(
                f"neutron.update_{singular}", "PUT", one, takes, "", f"Changes one of the {word}.", body=_body
            )
        )
    return tuple(rows)


def _interface(verb: str, summary: str) -> Row:
    path = f"/routers/{{router}}/{verb}_router_interface"
    return Row(
        f"neutron.{verb}_interface_router", "PUT", path, {"router": str, **BODY}, "", summary, body=_body
    )


def _gateway(verb: str, summary: str) -> Row:
    takes = {"router": str} | (BODY if verb == "add" else {})
    return Row(
        f"neutron.{verb}_gateway_router",
        "PUT",
        "/routers/{router}",
        takes,
        "",
        summary,
        body=lambda inputs: {"router": {"external_gateway_info": inputs.get("body") or {}}},
    )


def _body(inputs: Json) -> Any:
    return inputs["body"]


ACTIONS: tuple[Action, ...] = made(
    "network",
    (
        *(row for noun in NOUNS for row in (*_reading(*noun), *_writing(*noun))),
        *(row for noun in READ_ONLY for row in _reading(*noun)),
        _interface("add", "Connects a subnet or port to a router."),
        _interface("remove", "Disconnects a subnet or port from a router."),
        _gateway("add", "Connects a router to an outer network: `body` is its external_gateway_info."),
        _gateway("remove", "Disconnects a router from its outer network."),
        Row(
            "neutron.list_routers_on_l3_agent",
            "GET",
            "/agents/{l3_agent}/l3-routers",
            {"l3_agent": str},
            "",
            "The routers that an agent serves.",
        ),
        Row(
            "neutron.list_l3_agent_hosting_routers",
            "GET",
            "/routers/{router}/l3-agents",
            {"router": str},
            "",
            "The agents that serve a router.",
        ),
        Row(
            "neutron.add_router_to_l3_agent",
            "POST",
            "/agents/{l3_agent}/l3-routers",
            {"l3_agent": str, **BODY},
            "",
            "Has an agent serve a router.",
            body=_body,
        ),
        Row(
            "neutron.remove_router_from_l3_agent",
            "DELETE",
            "/agents/{l3_agent}/l3-routers/{router_id}",
            {"l3_agent": str, "router_id": str},
            None,
            "Has an agent serve a router no more.",
        ),
        Row(
            "neutron.update_agent",
            "PUT",
            "/agents/{agent}",
            {"agent": str, **BODY},
            "",
            "Changes an agent, such as its admin_state_up.",
            body=_body,
        ),
    ),
)
