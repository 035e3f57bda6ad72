"""The ``kubernetes.*`` actions, by the official client, against a small API server of our own."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pipeline.actions import drain, registry, secrets
from pipeline.actions.declaration import Context
from pipeline.actions.vault import Vault
from pipeline.errors import ActionFailed, InvalidInput

TOKEN = "k8s-token-77"
Json = dict[str, Any]
# Collections by what stands before the name in a path.
WITHIN = re.compile(
    r"/(?:api/v1|apis/apps/v1|apis/batch/v1)(?:/namespaces/(?P<space>[^/]+))?"
    r"/(?P<kind>[a-z]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[a-z]+))?"
)


class Api:
    """Keeps objects by kind, and merges patches into them. Pods are evicted at once unless ``held``."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Json]] = {}
        self.asked: list[tuple[str, str, str, Any]] = []
        self.held: dict[str, int] = {}

    def put(self, kind: str, name: str, **fields: Any) -> Json:
        made = {
            "metadata": {"name": name, "namespace": "default", "uid": f"u-{name}", **fields.pop("meta", {})}
        }
        self.kept.setdefault(kind, {})[name] = made | fields
        return self.kept[kind][name]

    async def answer(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _status(401, "Unauthorized")
        body = await request.json() if request.can_read_body else None
        found = WITHIN.fullmatch(request.path)
        assert found, request.path
        kind, name, sub = found["kind"], found["name"], found["sub"]
        self.asked.append((request.method, kind, sub or "", body))
        if name is None:
            return self._collection(request, kind, found["space"], body)
        one = self.kept.get(kind, {}).get(name)
        if one is None:
            return _status(404, f'{kind} "{name}" not found')
        if sub == "log":
            return web.Response(text=f"{request.query.get('tailLines')} lines of {name}")
        if sub == "eviction":
            if self.held.get(name, 0):
                self.held[name] -= 1
                return _status(429, "Cannot evict pod as it would violate the pod's disruption budget.")
            del self.kept[kind][name]
            return web.json_response({"kind": "Status", "status": "Success"}, status=201)
        if request.method == "DELETE":
            del self.kept[kind][name]
        elif request.method == "PATCH":
            assert request.content_type == "application/strategic-merge-patch+json"
            _merge(one, body)
        return web.json_response(one)

    def _collection(self, request: web.Request, kind: str, space: str | None, body: Any) -> web.Response:
        if request.method == "POST":
            return web.json_response(self.put(kind, body["metadata"]["name"], spec=body["spec"]), status=201)
        items = list(self.kept.get(kind, {}).values())
        for selector in request.query.get("fieldSelector", "").split(","):
            field, _, value = selector.partition("=")
            items = [one for one in items if not field or _at(one, field) == value]
        return web.json_response({"kind": "List", "items": items})


def _at(one: Json, path: str) -> Any:
    for name in path.split("."):
        one = one.get(name, {})
    return one


def _merge(one: Json, patch: Json) -> None:
    for name, value in patch.items():
        if value is None:
            one.pop(name, None)
        elif isinstance(value, dict):
            _merge(one.setdefault(name, {}), value)
        else:
            one[name] = value


def _status(code: int, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "message": message}, status=code)


class Cluster:
    def __init__(self, api: Api, context: Context, url: str) -> None:
        self.api = api
        self.context = context
        self.url = url

    async def do(self, action: str, /, cluster: str | None = "plain", **given: Any) -> Any:
        named = {} if cluster is None else {"cluster": cluster}
        return await registry.find(f"kubernetes.{action}").run(self.context, {**given, **named})


@asynccontextmanager
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    api = Api()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", api.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": TOKEN}}],
        "contexts": [{"name": "prod", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "prod",
    }
    kept = tmp_path / "secrets.json"
    kept.write_text(
        json.dumps(
            {
                "plain": {"server": url, "token": TOKEN},
                "whole": config,
                "text": json.dumps(config),
                "wrong": {"server": url, "token": "wr-ong-token"},
                "half": {"server": url},
            }
        )
    )
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    context = Context(vault=Vault(secrets.provider(f"file:{kept}")))
    try:
        yield Cluster(api, context, url)
    finally:
        await context.close()
        await runner.cleanup()


@pytest.mark.parametrize("name", ["plain", "whole", "text", "prod", None])
def test_a_cluster_is_named_among_secrets_or_in_the_kubeconfig(
    go: Any, tmp_path: Path, name: str | None
) -> None:
    async def body() -> None:
        async with cluster(tmp_path) as kube:
            kube.api.put("nodes", "n-1")
            if name in ("prod", None):
                kube.context.kubeconfig = str(tmp_path / "kubeconfig")
            assert [one["metadata"]["name"] for one in await kube.do("list_nodes", name)] == ["n-1"]
            assert kube.context.vault.mask(f"x {TOKEN}") == "x ***"

    go(body())


def test_what_names_no_cluster_says_what_is_missing(go: Any, tmp_path: Path) -> None:
    async def body() -> None:
        async with cluster(tmp_path) as kube:
            for name, message in (
                (None, "no cluster is set: name one by the input `cluster`"),
                ("nowhere", "no secret 'nowhere'"),
                ("half", "'half' has no `server` or no `token`"),
                ("wrong", "list_node: 401: Unauthorized"),
            ):
                with pytest.raises(ActionFailed, match=message):
                    await kube.do("list_nodes", name)

    go(body())


def test_a_token_that_was_mended_is_the_next_to_be_used(go: Any, tmp_path: Path) -> None:
    async def body() -> None:
        async with cluster(tmp_path) as kube:
            with pytest.raises(ActionFailed, match="401"):
                await kube.do("list_nodes", "wrong")
            kept = json.loads((tmp_path / "secrets.json").read_text())
            kept["wrong"]["token"] = TOKEN
            (tmp_path / "secrets.json").write_text(json.dumps(kept))
            assert await kube.do("list_nodes", "wrong") == []

    go(body())


def test_nodes_are_closed_and_opened(go: Any, tmp_path: Path) -> None:
    async def body() -> None:
        async with cluster(tmp_path) as kube:
            node = kube.api.put("nodes", "n-1", spec={"podCIDR": "x"})
            assert (await kube.do("cordon_node", node="n-1"))["spec"]["unschedulable"] is True
            await kube.do("uncordon_node", node="n-1")
            assert node["spec"] == {"podCIDR": "x"}
            with pytest.raises(ActionFailed, match='404: nodes "n-2" not found'):
                await kube.do("get_node", node="n-2")

    go(body())


def test_pods_are_read_and_ended(go: Any, tmp_path: Path) -> None:
    async def body() -> None:
        async with cluster(tmp_path) as kube:
            kube.api.put("pods", "a")
            kube.api.put("pods", "b", meta={"namespace": "other"})
            assert len(await kube.do("list_pods")) == 2
            assert [one["metadata"]["name"] for one in await kube.do("list_pods", namespace="other")] == ["b"]
            assert (await kube.do("get_pod", pod="a"))["metadata"]["uid"] == "u-a"
            assert await kube.do("get_pod_log", pod="a", tail_lines=5) == "5 lines of a"
            kube.api.held["a"] = 1
            with pytest.raises(ActionFailed, match="429: Cannot evict"):
                await kube.do("evict_pod", pod="a", grace_period_seconds=0)
            await kube.do("evict_pod", pod="a", grace_period_seconds=0)
            assert kube.api.asked[-1][3]["deleteOptions"] == {"gracePeriodSeconds": 0}
            await kube.do("delete_pod", pod="b", namespace="other")
            assert await kube.do("list_pods") == []

    go(body())


def test_workloads_are_scaled_and_restarted(go: Any, tmp_path: Path) -> None:
    async def body() -> None:
        async with cluster(tmp_path) as kube:
            for kind, noun in (("deployments", "deployment"), ("statefulsets", "stateful_set")):
                kept = kube.api.put(kind, "web", spec={"replicas": 1})
                await kube.do(f"scale_{noun}", replicas="3", **{noun: "web"})
                assert kept["spec"]["replicas"] == 3
                await kube.do(f"restart_{noun}", at="2026-01-05T10:00:00Z", **{noun: "web"})
                annotations = kept["spec"]["template"]["metadata"]["annotations"]
                assert annotations == {"kubectl.kubernetes.io/restartedAt": "2026-01-05T10:00:00Z"}
                assert (await kube.do(f"get_{noun}", **{noun: "web"}))["spec"]["replicas"] == 3
                assert len(await kube.do(f"list_{noun}s")) == 1

    go(body())


def test_volumes_grow_and_jobs_run(go: Any, tmp_path: Path) -> None:
    async def body() -> None:
        async with cluster(tmp_path) as kube:
            kept = kube.api.put(
                "persistentvolumeclaims", "data", spec={"resources": {"requests": {"storage": "1Gi"}}}
            )
            await kube.do("grow_persistent_volume_claim", claim="data", size="2Gi")
            assert kept["spec"]["resources"]["requests"]["storage"] == "2Gi"
            manifest = {"metadata": {"name": "fix"}, "spec": {"template": {}}}
            assert (await kube.do("create_job", body=manifest))["metadata"]["name"] == "fix"
            assert (await kube.do("get_job", job="fix"))["spec"] == {"template": {}}
            await kube.do("delete_job", job="fix")
            assert await kube.do("list_jobs") == []

    go(body())


def owned(kind: str) -> Json:
    return {"ownerReferences": [{"kind": kind, "name": "o"}]}


def test_a_node_is_drained_of_what_can_live_elsewhere(
    go: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "PAUSE", 0.01)

    async def body() -> None:
        async with cluster(tmp_path) as kube:
            node = kube.api.put("nodes", "n-1", spec={})
            here = {"spec": {"nodeName": "n-1"}}
            kube.api.put("pods", "web", meta=owned("ReplicaSet"), **here)
            kube.api.put("pods", "slow", meta=owned("ReplicaSet"), **here)
            kube.api.put("pods", "agent", meta=owned("DaemonSet"), **here)
            kube.api.put("pods", "done", meta=owned("Job"), status={"phase": "Succeeded"}, **here)
            kube.api.put("pods", "away", meta=owned("ReplicaSet"), spec={"nodeName": "n-2"})
            kube.api.held["slow"] = 2
            answer = await kube.do("drain_node", node="n-1")
            assert answer == {
                "node": "n-1",
                "evicted": ["default/web", "default/slow"],
                "stayed": ["default/agent", "default/done"],
            }
            assert node["spec"]["unschedulable"] is True
            assert set(kube.api.kept["pods"]) == {"agent", "done", "away"}
            # Once more changes nothing.
            assert (await kube.do("drain_node", node="n-1"))["evicted"] == []

    go(body())


def test_a_drain_that_would_lose_something_is_refused_before_it_begins(go: Any, tmp_path: Path) -> None:
    async def body() -> None:
        async with cluster(tmp_path) as kube:
            kube.api.put("nodes", "n-1", spec={})
            kube.api.put("pods", "web", meta=owned("ReplicaSet"), spec={"nodeName": "n-1"})
            kube.api.put("pods", "alone", spec={"nodeName": "n-1"})
            with pytest.raises(ActionFailed, match=r"elsewhere: default/alone; `force: true`"):
                await kube.do("drain_node", node="n-1")
            assert len(kube.api.kept["pods"]) == 2
            volumes = {"volumes": [{"name": "v", "emptyDir": {}}], "nodeName": "n-1"}
            kube.api.put("pods", "scratch", meta=owned("ReplicaSet"), spec=volumes)
            with pytest.raises(ActionFailed, match=r"lose data on the node: default/scratch"):
                await kube.do("drain_node", node="n-1", force=True)
            await kube.do("drain_node", node="n-1", force=True, delete_emptydir_data=True)
            assert kube.api.kept["pods"] == {}

    go(body())


def test_a_drain_ends_at_its_limit_and_says_what_is_left(
    go: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "PAUSE", 0.01)

    async def body() -> None:
        async with cluster(tmp_path) as kube:
            kube.api.put("nodes", "n-1", spec={})
            kube.api.put("pods", "stuck", meta=owned("ReplicaSet"), spec={"nodeName": "n-1"})
            kube.api.held["stuck"] = 10_000
            with pytest.raises(ActionFailed, match=r"still has 1 pods after 0.2 s: default/stuck") as failed:
                await kube.do("drain_node", node="n-1", timeout=0.2)
            assert failed.value.details == {"node": "n-1", "evicted": [], "left": ["default/stuck"]}

    go(body())


def test_without_the_client_the_extra_is_named(
    go: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("kubernetes", "kubernetes.client", "kubernetes.config"):
        monkeypatch.setitem(sys.modules, name, None)

    async def body() -> None:
        async with cluster(tmp_path) as kube:
            with pytest.raises(ActionFailed, match=r"install `faultline\[kubernetes\]`"):
                await kube.do("list_nodes")

    go(body())


def test_every_action_names_a_method_of_the_client() -> None:
    from kubernetes import client

    from pipeline.actions.kube import ROWS

    missing = [row.name for row in ROWS if not hasattr(getattr(client, row.api), row.method)]
    assert missing == []


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("get_pod", {}, "needs the input `pod`"),
        ("get_pod", {"name": "x"}, "no input `name`; it takes: pod, namespace, cluster"),
        ("scale_deployment", {"deployment": "d", "replicas": "many"}, "input `replicas`"),
    ],
)
def test_wrong_input_is_named(go: Any, name: str, given: Json, message: str) -> None:
    with pytest.raises(InvalidInput) as wrong:
        go(registry.find(f"kubernetes.{name}").run(Context(), given))
    assert message in str(wrong.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("list_pods", True), ("get_pod_log", True), ("cordon_node", False), ("drain_node", False)],
)
def test_what_changes_nothing_may_be_run_again(name: str, expected: bool) -> None:
    assert registry.repeatable(f"kubernetes.{name}", {}) is expected
