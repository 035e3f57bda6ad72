"""Kubernetes clusters by name, and calls of their API through the official client.

A name is looked up among the contexts of the setting ``kubeconfig``, then among the secrets, where it
stands for a whole kubeconfig or for ``{server: URL, token: TEXT, ca: PEM}``. Without a name it is the
current context of the setting.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ActionFailed
from .declaration import Context
from .extra import load

EXTRA = "kubernetes"
SECONDS = 30
UNAUTHORIZED = 401


@dataclass(slots=True)
class _Opened:
    """A cluster's client, and a lock, as several threads may want it first."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    client: Any = None

    def close(self) -> None:
        if self.client is not None:
            self.client.close()


class Unavailable(ActionFailed):
    """Raised when the API refuses a call; ``status`` is its status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


async def ask(context: Context, cluster: str | None, api: str, method: str, **given: Any) -> Any:
    """The API's answer to ``api.method``, as JSON has it.

    Raises ``Unavailable`` with the API's own words, ``ActionFailed`` when there is no answer.
    """
    return await context.clients.thread(_ask, context, cluster, api, method, given)


# In a thread; the client has a time limit for each request.
def _ask(context: Context, cluster: str | None, api: str, method: str, given: dict[str, Any]) -> Any:
    kubernetes = load("kubernetes.client", EXTRA)
    exceptions = load("kubernetes.client.exceptions", EXTRA)
    opened: _Opened = context.clients.opened.setdefault(("cluster", cluster), _Opened())
    with opened.lock:
        if opened.client is None:
            opened.client = _client(context, cluster)
    call = getattr(getattr(kubernetes, api)(opened.client), method)
    try:
        answer = call(**given, _preload_content=False, _request_timeout=SECONDS)
    except exceptions.ApiException as error:
        if error.status == UNAUTHORIZED:
            # What stands in the secrets may be mended by the next time.
            context.clients.forget(("cluster", cluster))
        raise Unavailable(
            f"{method}: {error.status}: {_reason(error.body) or error.reason}", error.status
        ) from None
    except ActionFailed:
        raise
    except Exception as error:
        doubt = "" if method.startswith(("read_", "list_")) else "; outcome unknown"
        raise ActionFailed(f"{method}: {type(error).__name__}: {error}{doubt}") from None
    if not 200 <= answer.status <= 299:
        raise Unavailable(f"{method}: {answer.status}: {_reason(answer.data)}", answer.status)
    text = answer.data.decode(errors="replace")
    return text if method.endswith("_log") else json.loads(text or "null")


def _reason(body: Any) -> str:
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")
    try:
        found = json.loads(text)
    except ValueError:
        return text[:500]
    return str(found.get("message", text))[:500] if isinstance(found, dict) else text[:500]


def _client(context: Context, cluster: str | None) -> Any:
    file = _file(context.kubeconfig)
    if cluster is None and not file:
        raise ActionFailed(
            "no cluster is set: name one by the input `cluster`, or set kubeconfig in the settings"
        )
    if cluster is None or cluster in _contexts(file):
        context.vault.note(file)
        return _configured(cluster, file, cluster)
    if context.vault.provider is None:
        raise ActionFailed(
            f"there is no cluster {cluster!r}: "
            f"neither a context of `kubeconfig` nor `secrets` of the settings has it"
        )
    found = context.vault.find(cluster)
    if isinstance(found, str):
        found = _parsed(found)
    if not isinstance(found, Mapping):
        raise ActionFailed(f"the secret {cluster!r} is neither a kubeconfig nor {{server, token}}")
    context.vault.note(found)
    if "clusters" in found:
        return _configured(cluster, found, None)
    return _plain(cluster, found)


def _plain(cluster: str, found: Mapping[str, Any]) -> Any:
    kubernetes = load("kubernetes.client", EXTRA)
    if not isinstance(found.get("server"), str) or not isinstance(found.get("token"), str):
        raise ActionFailed(f"the cluster {cluster!r} has no `server` or no `token`")
    configuration = kubernetes.Configuration()
    configuration.host = found["server"].rstrip("/")
    configuration.api_key = {"authorization": f"Bearer {found['token']}"}
    configuration.verify_ssl = found.get("verify") is not False
    configuration.ca_cert_data = found.get("ca")
    configuration.retries = False
    return kubernetes.ApiClient(configuration)


def _configured(cluster: str | None, config: Mapping[str, Any], name: str | None) -> Any:
    kubernetes = load("kubernetes.client", EXTRA)
    files = load("kubernetes.config", EXTRA)
    configuration = kubernetes.Configuration()
    try:
        client = files.new_client_from_config_dict(
            dict(config), context=name, persist_config=False, client_configuration=configuration
        )
    except Exception as error:
        raise ActionFailed(f"the cluster {cluster or 'by default'} cannot be used: {error}") from None
    # The ledger and the workflow decide what is tried again.
    client.configuration.retries = False
    return client


def _contexts(config: Mapping[str, Any]) -> set[str]:
    return {str(one.get("name")) for one in config.get("contexts") or []}


def _file(path: str) -> Mapping[str, Any]:
    if not path:
        return {}
    try:
        found = _parsed(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ActionFailed(f"{path}, the setting `kubeconfig`, cannot be read: {error.strerror}") from None
    if not isinstance(found, Mapping) or "contexts" not in found:
        raise ActionFailed(f"{path}, the setting `kubeconfig`, is no kubeconfig")
    return found


def _parsed(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None
