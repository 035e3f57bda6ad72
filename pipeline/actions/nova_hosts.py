"""The ``nova.*`` actions on what is not a server: hosts, flavors, aggregates, volumes of servers."""

from __future__ import annotations

from typing import Any

from .declaration import Action
from .openstack import Build, Json, Row, given, made

Text = str | None
_SWITCH = {"host": str, "binary": Text}
_HOST = {"aggregate": str, "host": str}


def _get(name: str, path: str, takes: Json, answer: str, summary: str, query: Build | None = None) -> Row:
    return Row(f"nova.{name}", "GET", path, takes, answer, summary, query=query)


def _binary(inputs: Json) -> Json:
    return {"host": inputs["host"], "binary": inputs.get("binary") or "nova-compute"}


def _hypervisors(inputs: Json) -> Any:
    return "/os-hypervisors" if inputs.get("detailed") is False else "/os-hypervisors/detail"


def _aggregate(verb: str, summary: str) -> Row:
    return Row(
        f"nova.aggregates_{verb}",
        "POST",
        "/os-aggregates/{aggregate}/action",
        _HOST,
        "aggregate",
        summary,
        body=lambda inputs: {verb: {"host": inputs["host"]}},
    )


ACTIONS: tuple[Action, ...] = made(
    "compute",
    (
        _get("flavors_list", "/flavors/detail", {}, "flavors", "The flavors."),
        _get("flavors_get", "/flavors/{flavor}", {"flavor": str}, "flavor", "One flavor."),
        _get("keypairs_list", "/os-keypairs", {}, "keypairs", "The key pairs."),
        _get(
            "availability_zones_list",
            "/os-availability-zone/detail",
            {},
            "availabilityZoneInfo",
            "The zones.",
        ),
        _get("aggregates_list", "/os-aggregates", {}, "aggregates", "The host aggregates."),
        _get(
            "migrations_list",
            "/os-migrations",
            {"host": Text, "status": Text, "instance_uuid": Text},
            "migrations",
            "The migrations.",
            given,
        ),
        _get(
            "hypervisors_get",
            "/os-hypervisors/{hypervisor}",
            {"hypervisor": str},
            "hypervisor",
            "One hypervisor.",
        ),
        Row(
            "nova.hypervisors_list",
            "GET",
            _hypervisors,
            {"detailed": bool | None},
            "hypervisors",
            "The hypervisors.",
        ),
        _get(
            "services_list",
            "/os-services",
            {"host": Text, "binary": Text},
            "services",
            "The services.",
            given,
        ),
        Row(
            "nova.services_disable",
            "PUT",
            "/os-services/disable",
            _SWITCH,
            "service",
            "Keeps new servers away.",
            _binary,
        ),
        Row(
            "nova.services_enable",
            "PUT",
            "/os-services/enable",
            _SWITCH,
            "service",
            "Lets servers come again.",
            _binary,
        ),
        _get(
            "aggregates_get", "/os-aggregates/{aggregate}", {"aggregate": str}, "aggregate", "One aggregate."
        ),
        _aggregate("add_host", "Adds a host to an aggregate."),
        _aggregate("remove_host", "Takes a host from an aggregate."),
        _get("server_groups_list", "/os-server-groups", {}, "server_groups", "The server groups."),
        _get(
            "quotas_get", "/os-quota-sets/{tenant_id}", {"tenant_id": str}, "quota_set", "A project's quotas."
        ),
        _get("limits_get", "/limits", {}, "limits", "What the project may use, and what it uses."),
        _get(
            "hypervisors_statistics",
            "/os-hypervisors/statistics",
            {},
            "hypervisor_statistics",
            "All hosts in sum.",
        ),
        Row(
            "nova.hypervisors_search",
            "GET",
            "/os-hypervisors",
            {"hypervisor_match": str},
            "hypervisors",
            "The hypervisors with a part in their names.",
            query=lambda inputs: {"hypervisor_hostname_pattern": inputs["hypervisor_match"]},
            version="2.53",
        ),
        Row(
            "nova.services_disable_log_reason",
            "PUT",
            "/os-services/disable-log-reason",
            {"host": str, "binary": str, "reason": str},
            "service",
            "Keeps new servers away, and says why.",
            body=lambda inputs: {**_binary(inputs), "disabled_reason": inputs["reason"]},
        ),
        Row(
            "nova.services_force_down",
            "PUT",
            "/os-services/force-down",
            {**_SWITCH, "force_down": bool | None},
            "service",
            "Tells the cloud that a host is down, so that its servers can be evacuated.",
            body=lambda inputs: {**_binary(inputs), "forced_down": inputs.get("force_down") is not False},
            version="2.11",
        ),
        _get(
            "volumes_get_server_volumes",
            "/servers/{server_id}/os-volume_attachments",
            {"server_id": str},
            "volumeAttachments",
            "A server's volumes.",
        ),
        Row(
            "nova.volumes_create_server_volume",
            "POST",
            "/servers/{server_id}/os-volume_attachments",
            {"server_id": str, "volume_id": str, "device": Text},
            "volumeAttachment",
            "Attaches a volume to a server.",
            body=lambda inputs: {
                "volumeAttachment": {"volumeId": inputs["volume_id"], **given(inputs, "device")}
            },
        ),
        Row(
            "nova.volumes_delete_server_volume",
            "DELETE",
            "/servers/{server_id}/os-volume_attachments/{volume_id}",
            {"server_id": str, "volume_id": str},
            None,
            "Detaches a volume from a server.",
        ),
    ),
)
