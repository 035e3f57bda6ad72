"""The ``cinder.*`` actions over the OpenStack block storage API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .openstack import Json, Row, given, made

Text = str | None
Search = dict[str, Any] | None


def _act(verb: str, *names: str) -> Any:
    return lambda inputs: {verb: given(inputs, *names) if names else {}}


def _listed(inputs: Mapping[str, Any]) -> Json:
    return {**(inputs.get("search_opts") or {}), **given(inputs, "limit", "marker", "sort")}


_LIST = {"search_opts": Search, "limit": int | None, "marker": Text, "sort": Text}
_VOLUME = {"volume": str}
_NAMED = {"name": Text, "description": Text}
_ACTION = "/volumes/{volume}/action"

ACTIONS = made(
    "block-storage",
    (
        Row("cinder.volumes_list", "GET", "/volumes/detail", _LIST, "volumes", "The volumes.", query=_listed),
        Row("cinder.volumes_get", "GET", "/volumes/{volume}", _VOLUME, "volume", "One volume."),
        Row(
            "cinder.volumes_create",
            "POST",
            "/volumes",
            {
                "size": int,
                **_NAMED,
                "snapshot_id": Text,
                "source_volid": Text,
                "volume_type": Text,
                "availability_zone": Text,
                "metadata": Search,
                "imageRef": Text,
            },
            "volume",
            "Makes a volume of `size` GiB.",
            body=lambda inputs: {"volume": given(inputs)},
        ),
        Row(
            "cinder.volumes_update",
            "PUT",
            "/volumes/{volume}",
            {**_VOLUME, **_NAMED},
            "volume",
            "Renames or describes a volume.",
            body=lambda inputs: {"volume": given(inputs, "name", "description")},
        ),
        Row(
            "cinder.volumes_delete",
            "DELETE",
            "/volumes/{volume}",
            {**_VOLUME, "cascade": bool | None},
            None,
            "Deletes a volume, with `cascade` its snapshots too.",
            query=lambda inputs: {"cascade": True} if inputs.get("cascade") else {},
        ),
        Row(
            "cinder.volumes_extend",
            "POST",
            _ACTION,
            {**_VOLUME, "new_size": int},
            None,
            "Makes a volume larger: `new_size` GiB.",
            body=_act("os-extend", "new_size"),
            # Before it, a volume in use could not grow.
            version="3.42",
        ),
        Row(
            "cinder.volumes_retype",
            "POST",
            _ACTION,
            {**_VOLUME, "volume_type": str, "policy": Text},
            None,
            "Gives a volume another type; `policy` is never or on-demand.",
            body=lambda inputs: {
                "os-retype": {
                    "new_type": inputs["volume_type"],
                    "migration_policy": inputs.get("policy") or "never",
                }
            },
        ),
        Row(
            "cinder.volumes_migrate_volume",
            "POST",
            _ACTION,
            {**_VOLUME, "host": str, "force_host_copy": bool | None, "lock_volume": bool | None},
            None,
            "Moves a volume to another backend.",
            body=_act("os-migrate_volume", "host", "force_host_copy", "lock_volume"),
        ),
        Row(
            "cinder.volumes_reset_state",
            "POST",
            _ACTION,
            {**_VOLUME, "state": str},
            None,
            "Sets what a volume's status is said to be.",
            body=lambda inputs: {"os-reset_status": {"status": inputs["state"]}},
        ),
        Row(
            "cinder.volumes_set_metadata",
            "POST",
            "/volumes/{volume}/metadata",
            {**_VOLUME, "metadata": dict[str, str]},
            "metadata",
            "Adds to a volume's metadata.",
            body=lambda inputs: {"metadata": inputs["metadata"]},
        ),
        Row(
            "cinder.volume_snapshots_list",
            "GET",
            "/snapshots/detail",
            _LIST,
            "snapshots",
            "The snapshots.",
            query=_listed,
        ),
        Row(
            "cinder.volume_snapshots_get",
            "GET",
            "/snapshots/{snapshot_id}",
            {"snapshot_id": str},
            "snapshot",
            "One snapshot.",
        ),
        Row(
            "cinder.volume_snapshots_create",
            "POST",
            "/snapshots",
            {"volume_id": str, "force": bool | None, **_NAMED},
            "snapshot",
            "Makes a snapshot of a volume.",
            body=lambda inputs: {"snapshot": given(inputs)},
        ),
        Row(
            "cinder.volume_snapshots_delete",
            "DELETE",
            "/snapshots/{snapshot}",
            {"snapshot": str},
            None,
            "Deletes a snapshot.",
        ),
        Row(
            "cinder.services_list",
            "GET",
            "/os-services",
            {"host": Text, "binary": Text},
            "services",
            "The services.",
            query=given,
        ),
        Row(
            "cinder.services_enable",
            "PUT",
            "/os-services/enable",
            {"host": str, "binary": str},
            "",
            "Lets new volumes go to a host again.",
            body=given,
        ),
        Row(
            "cinder.services_disable",
            "PUT",
            "/os-services/disable",
            {"host": str, "binary": str},
            "",
            "Keeps new volumes away from a host.",
            body=given,
        ),
    ),
)
