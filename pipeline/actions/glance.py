"""The ``glance.*`` actions over the OpenStack image API; what is in an image goes other ways than this."""

from __future__ import annotations

from typing import Any

from .openstack import Json, Row, given, made

_IMAGE = {"image_id": str}


def _selected(inputs: Json) -> Json:
    return {**(inputs.get("filters") or {}), **given(inputs, "limit", "marker", "sort_key", "sort_dir")}


def _patch(inputs: Json) -> list[Json]:
    changes = [
        {"op": "replace", "path": "/" + name.replace("~", "~0").replace("/", "~1"), "value": value}
        for name, value in (inputs.get("properties") or {}).items()
    ]
    removed = [{"op": "remove", "path": f"/{name}"} for name in inputs.get("remove_props") or []]
    named = [{"op": "replace", "path": "/name", "value": inputs["name"]}] if inputs.get("name") else []
    return [*named, *changes, *removed]


def _created(inputs: Json) -> Json:
    return {
        **(inputs.get("properties") or {}),
        **given(inputs, "name", "disk_format", "container_format", "visibility"),
    }


ACTIONS = made(
    "image",
    (
        Row(
            "glance.images_list",
            "GET",
            "/images",
            {
                "filters": dict[str, Any] | None,
                "limit": int | None,
                "marker": str | None,
                "sort_key": str | None,
                "sort_dir": str | None,
            },
            "images",
            "The images, at most one page of them.",
            query=_selected,
        ),
        Row("glance.images_get", "GET", "/images/{image_id}", _IMAGE, "", "One image."),
        Row(
            "glance.images_create",
            "POST",
            "/images",
            {
                "name": str,
                "disk_format": str | None,
                "container_format": str | None,
                "visibility": str | None,
                "properties": dict[str, Any] | None,
            },
            "",
            "Makes an image without content.",
            body=_created,
        ),
        Row(
            "glance.images_update",
            "PATCH",
            "/images/{image_id}",
            {
                **_IMAGE,
                "name": str | None,
                "properties": dict[str, Any] | None,
                "remove_props": list[str] | None,
            },
            "",
            "Changes an image's properties.",
            body=_patch,
            content_type="application/openstack-images-v2.1-json-patch",
        ),
        Row("glance.images_delete", "DELETE", "/images/{image_id}", _IMAGE, None, "Deletes an image."),
        Row(
            "glance.images_deactivate",
            "POST",
            "/images/{image_id}/actions/deactivate",
            _IMAGE,
            None,
            "Keeps an image's content from everybody.",
        ),
        Row(
            "glance.images_reactivate",
            "POST",
            "/images/{image_id}/actions/reactivate",
            _IMAGE,
            None,
            "Gives an image's content again.",
        ),
        Row(
            "glance.image_tags_update",
            "PUT",
            "/images/{image_id}/tags/{tag_value}",
            {**_IMAGE, "tag_value": str},
            None,
            "Adds a tag to an image.",
        ),
        Row(
            "glance.image_tags_delete",
            "DELETE",
            "/images/{image_id}/tags/{tag_value}",
            {**_IMAGE, "tag_value": str},
            None,
            "Takes a tag from an image.",
        ),
    ),
)
