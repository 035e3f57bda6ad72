"""Draining a Kubernetes node: no new pods, then those that are there are asked to leave."""

from __future__ import annotations

import time
from typing import Any

from ..errors import ActionFailed
from .cluster import Unavailable, ask
from .declaration import Context

CORE = "CoreV1Api"
GONE = 404
NOT_NOW = 429
PAUSE = 1.0
MIRROR = "kubernetes.io/config.mirror"

Json = dict[str, Any]
Place = tuple[str, str]


async def drain(
    context: Context,
    cluster: str | None,
    node: str,
    *,
    force: bool,
    emptydir: bool,
    grace: int | None,
    limit: float,
) -> Json:
    """What was evicted and what stays, as ``NAMESPACE/POD``.

    Raises ``ActionFailed`` before anything is evicted where a pod would be lost for good; and at the
    time limit, naming what is still there. Doing it again goes on where it ended.
    """
    import asyncio

    end = time.monotonic() + limit
    # First no new ones: what is then counted does not grow.
    await ask(context, cluster, CORE, "patch_node", name=node, body={"spec": {"unschedulable": True}})
    leaving, staying = _sorted(await _pods(context, cluster, node))
    _refuse(node, leaving, force, emptydir)
    evicted: list[str] = []
    asked: set[str] = set()
    while leaving:
        for pod in leaving:
            if pod["metadata"].get("uid") not in asked and await _evict(context, cluster, pod, grace):
                asked.add(pod["metadata"].get("uid"))
                evicted.append(_spell(pod))
        leaving, staying = _sorted(await _pods(context, cluster, node))
        if leaving and time.monotonic() >= end:
            left = [_spell(pod) for pod in leaving]
            raise ActionFailed(
                f"node {node} still has {len(left)} pods after {limit:g} s: {', '.join(left[:20])}",
                details={"node": node, "evicted": evicted, "left": left},
            )
        if leaving:
            await asyncio.sleep(PAUSE)
    return {"node": node, "evicted": evicted, "stayed": [_spell(pod) for pod in staying]}


async def _pods(context: Context, cluster: str | None, node: str) -> list[Json]:
    selector = f"spec.nodeName={node}"
    answer = await ask(context, cluster, CORE, "list_pod_for_all_namespaces", field_selector=selector)
    found: list[Json] = answer["items"]
    return found


async def _evict(context: Context, cluster: str | None, pod: Json, grace: int | None) -> bool:
    """Whether the pod leaves, or has left; False where its disruption budget says: not now."""
    metadata = pod["metadata"]
    place = {"name": metadata["name"], "namespace": metadata["namespace"]}
    options = {"gracePeriodSeconds": grace} if grace is not None else {}
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": place, "deleteOptions": options}
    try:
        await ask(context, cluster, CORE, "create_namespaced_pod_eviction", **place, body=body)
    except Unavailable as error:
        if error.status == NOT_NOW:
            return False
        if error.status != GONE:
            raise
    return True


def _sorted(pods: list[Json]) -> tuple[list[Json], list[Json]]:
    """Those that are to leave, and those that belong to the node."""
    leaving: list[Json] = []
    staying: list[Json] = []
    for pod in pods:
        owners = {one.get("kind") for one in pod["metadata"].get("ownerReferences") or []}
        ended = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
        own = "DaemonSet" in owners or MIRROR in (pod["metadata"].get("annotations") or {})
        (staying if own or ended else leaving).append(pod)
    return leaving, staying


def _refuse(node: str, pods: list[Json], force: bool, emptydir: bool) -> None:
    alone = [_spell(pod) for pod in pods if not pod["metadata"].get("ownerReferences")]
    if alone and not force:
        raise ActionFailed(
            f"node {node}: nothing would start these pods elsewhere: {', '.join(alone)}; "
            f"`force: true` ends them"
        )
    local = [
        _spell(pod) for pod in pods if any("emptyDir" in one for one in pod["spec"].get("volumes") or [])
    ]
    if local and not emptydir:
        raise ActionFailed(
            f"node {node}: these pods would lose data on the node: {', '.join(local)}; "
            f"`delete_emptydir_data: true` accepts that"
        )


def _spell(pod: Json) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
