"""The ``kubernetes.*`` actions: what operators do to nodes, pods and what keeps pods running."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .declaration import Action, Context, Effect, action
from .table import REQUIRED, tabled

Json = dict[str, Any]
CORE, APPS, BATCH = "CoreV1Api", "AppsV1Api", "BatchV1Api"
RESTARTED = "kubectl.kubernetes.io/restartedAt"


@dataclass(frozen=True, slots=True)
class Row:
    """One action: the client's method, the inputs with type and default; ``build`` makes its arguments."""

    name: str
    api: str
    method: str
    summary: str
    takes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    build: Callable[[Json], Json] = dict


def _made(row: Row) -> Action:
    from_list = row.method.startswith("list_")
    reads = from_list or row.method.startswith("read_")

    async def perform(context: Context, cluster: str | None = None, **inputs: Any) -> Any:
        from .cluster import ask

        given = {name: inputs.get(name, default) for name, (_, default) in row.takes.items()}
        arguments = {name: value for name, value in row.build(given).items() if value is not None}
        answer = await ask(context, cluster, row.api, row.method, **arguments)
        return answer.get("items") if from_list and isinstance(answer, dict) else answer

    effect: Effect = "reads" if reads else "changes"
    takes = {**row.takes, "cluster": (str | None, None)}
    return tabled(f"kubernetes.{row.name}", effect, row.summary, takes, perform)


def _name(noun: str) -> Callable[[Json], Json]:
    """The client calls every object ``name``; here the input says which kind of object it is."""

    def build(given: Json) -> Json:
        return {"name" if name == noun else name: value for name, value in given.items()}

    return build


def _patched(noun: str, body: Callable[[Json], Json], *spent: str) -> Callable[[Json], Json]:
    def build(given: Json) -> Json:
        named = {name: value for name, value in _name(noun)(given).items() if name not in spent}
        return {**named, "body": body(given)}

    return build


def _restart(given: Json) -> Json:
    # As kubectl does it: a changed annotation of the pods is a new rollout. Twice the same changes nothing.
    return {"spec": {"template": {"metadata": {"annotations": {RESTARTED: given["at"] or _now()}}}}}


def _now() -> str:
    import time

    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _evict(given: Json) -> Json:
    options = (
        {"gracePeriodSeconds": given["grace_period_seconds"]}
        if given["grace_period_seconds"] is not None
        else {}
    )
    return {
        "name": given["pod"],
        "namespace": given["namespace"],
        "body": {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": given["pod"], "namespace": given["namespace"]},
            "deleteOptions": options,
        },
    }


def _everywhere(kind: str, api: str) -> tuple[Row, ...]:
    """Lists of one namespace; without one, of all."""
    plural = {"persistent_volume_claim": "persistent_volume_claims", "stateful_set": "stateful_sets"}.get(
        kind, f"{kind}s"
    )
    method = f"list_{kind}_for_all_namespaces"

    return (
        Row(
            f"list_{plural}",
            api,
            method,
            f"The {plural.replace('_', ' ')}, of all namespaces.",
            SELECTING,
            _select,
        ),
    )


def _select(given: Json) -> Json:
    field_selector = given["field_selector"]
    if given["namespace"]:
        parts = [field_selector] if field_selector else []
        field_selector = ",".join([*parts, f"metadata.namespace={given['namespace']}"])
    return {
        "label_selector": given["label_selector"],
        "field_selector": field_selector,
        "limit": given["limit"],
    }


TEXT: tuple[Any, Any] = (str | None, None)
SELECTING = {"namespace": TEXT, "label_selector": TEXT, "field_selector": TEXT, "limit": (int | None, None)}
NAMESPACE = {"namespace": (str, "default")}
GRACE = {"grace_period_seconds": (int | None, None)}


def _one(noun: str) -> dict[str, tuple[Any, Any]]:
    return {noun: (str, REQUIRED), **NAMESPACE}


def _workload(noun: str) -> tuple[Row, ...]:
    """What deployments and stateful sets have in common."""
    word = noun.replace("_", " ")
    scaled = _patched(noun, lambda given: {"spec": {"replicas": given["replicas"]}}, "replicas")
    restarted = _patched(noun, _restart, "at")
    one = _one(noun)
    return (
        Row(f"get_{noun}", APPS, f"read_namespaced_{noun}", f"One {word}.", one, _name(noun)),
        Row(
            f"scale_{noun}",
            APPS,
            f"patch_namespaced_{noun}_scale",
            f"Sets how many pods a {word} has.",
            {**one, "replicas": (int, REQUIRED)},
            scaled,
        ),
        Row(
            f"restart_{noun}",
            APPS,
            f"patch_namespaced_{noun}",
            f"Replaces the pods of a {word}, one after another.",
            {**one, "at": TEXT},
            restarted,
        ),
    )


_NODE = {"node": (str, REQUIRED)}
_SELECTED = {"label_selector": TEXT, "field_selector": TEXT, "limit": (int | None, None)}
ROWS = (
    Row("list_namespaces", CORE, "list_namespace", "The namespaces.", _SELECTED),
    Row("list_nodes", CORE, "list_node", "The nodes.", _SELECTED),
    Row("get_node", CORE, "read_node", "One node.", _NODE, _name("node")),
    Row(
        "cordon_node",
        CORE,
        "patch_node",
        "Keeps new pods away from a node.",
        _NODE,
        _patched("node", lambda _: {"spec": {"unschedulable": True}}),
    ),
    Row(
        "uncordon_node",
        CORE,
        "patch_node",
        "Lets pods come to a node again.",
        _NODE,
        _patched("node", lambda _: {"spec": {"unschedulable": None}}),
    ),
    *_everywhere("pod", CORE),
    Row("get_pod", CORE, "read_namespaced_pod", "One pod.", _one("pod"), _name("pod")),
    Row(
        "get_pod_log",
        CORE,
        "read_namespaced_pod_log",
        "The last lines that a pod wrote.",
        {**_one("pod"), "container": TEXT, "tail_lines": (int, 200), "previous": (bool | None, None)},
        _name("pod"),
    ),
    Row(
        "delete_pod",
        CORE,
        "delete_namespaced_pod",
        "Deletes a pod, whatever its disruption budget says.",
        {**_one("pod"), **GRACE},
        _name("pod"),
    ),
    Row(
        "evict_pod",
        CORE,
        "create_namespaced_pod_eviction",
        "Asks a pod to leave; refused where its disruption budget forbids it.",
        {**_one("pod"), **GRACE},
        _evict,
    ),
    *_everywhere("event", CORE),
    *_everywhere("deployment", APPS),
    *_workload("deployment"),
    *_everywhere("stateful_set", APPS),
    *_workload("stateful_set"),
    *_everywhere("persistent_volume_claim", CORE),
    Row(
        "get_persistent_volume_claim",
        CORE,
        "read_namespaced_persistent_volume_claim",
        "One claim.",
        _one("claim"),
        _name("claim"),
    ),
    Row(
        "grow_persistent_volume_claim",
        CORE,
        "patch_namespaced_persistent_volume_claim",
        "Asks for a larger volume, such as `20Gi`.",
        {**_one("claim"), "size": (str, REQUIRED)},
        _patched(
            "claim", lambda given: {"spec": {"resources": {"requests": {"storage": given["size"]}}}}, "size"
        ),
    ),
    *_everywhere("job", BATCH),
    Row("get_job", BATCH, "read_namespaced_job", "One job.", _one("job"), _name("job")),
    Row(
        "create_job",
        BATCH,
        "create_namespaced_job",
        "Makes a job of the manifest `body`.",
        {"body": (Json, REQUIRED), **NAMESPACE},
    ),
    Row(
        "delete_job",
        BATCH,
        "delete_namespaced_job",
        "Deletes a job and its pods.",
        _one("job"),
        lambda given: {**_name("job")(given), "propagation_policy": "Background"},
    ),
)


@action("kubernetes.drain_node", "changes")
async def drain_node(
    context: Context,
    node: str,
    force: bool = False,
    delete_emptydir_data: bool = False,
    grace_period_seconds: int | None = None,
    timeout: float = 300,  # noqa: ASYNC109 - it is the action's input
    cluster: str | None = None,
) -> Json:
    """Keeps new pods away from a node and moves those that are there; those of daemon sets stay."""
    from .drain import drain

    return await drain(
        context,
        cluster,
        node,
        force=force,
        emptydir=delete_emptydir_data,
        grace=grace_period_seconds,
        limit=timeout,
    )


ACTIONS = (*(_made(row) for row in ROWS), drain_node)
