"""OpenStack clouds by name: where each service answers, and the token for it.

A name is looked up among the secrets, then in the file of the setting ``clouds`` (a clouds.yaml).
It stands for one of

    {token: TEXT, endpoints: {compute: URL, network: URL, ...}}      nothing else is asked
    what clouds.yaml holds of a cloud ({auth: {...}, ...})           openstacksdk asks Keystone

Without a name it is the cloud of the settings ``cloud_url`` and ``cloud_token``, which computes only.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ActionFailed
from .declaration import Context
from .extra import load

COMPUTE = "compute"
ALIASES = {"block-storage": "volume"}
SECONDS = 30


@dataclass(frozen=True, slots=True)
class Access:
    """Where a service of a cloud answers and the token that it wants; ``renewable``: another can be had."""

    url: str
    token: str
    renewable: bool = False


async def access(context: Context, cloud: str | None, service: str) -> Access:
    """The access to ``service`` of ``cloud``. Raises ``ActionFailed``, which says what is missing."""
    if cloud is None:
        if not context.cloud_url:
            raise ActionFailed(
                "no cloud is set: name one by the input `cloud`, "
                "or give cloud_url and cloud_token in the settings"
            )
        if service != COMPUTE:
            raise ActionFailed(
                f"the cloud of the setting cloud_url has no {service} service: "
                f"name a cloud by the input `cloud`"
            )
        return Access(context.cloud_url, context.cloud_token)
    return await context.clients.thread(_look_up, context, cloud, service)


def forget(context: Context, cloud: str | None) -> None:
    """Has ``cloud`` asked for a new token at the next use: the one that it gave is not taken any more."""
    context.clients.forget(("cloud", cloud))


@dataclass(slots=True)
class _Opened:
    """A cloud that was asked for: its region, and a lock, as several threads may want it first."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    region: Any = None


# In a thread: secrets may come from a program, tokens from Keystone.
def _look_up(context: Context, cloud: str, service: str) -> Access:
    # A dict's setdefault is one step, whatever other threads do.
    opened: _Opened = context.clients.opened.setdefault(("cloud", cloud), _Opened())
    with opened.lock:
        if opened.region is None:
            found = _definition(context, cloud)
            if "token" in found or "endpoints" in found:
                return _fixed(cloud, found, service)
            opened.region = _region(cloud, found)
        try:
            return _ask(context, opened.region, cloud, service)
        except ActionFailed:
            # What stands in the secrets may be mended by the next time.
            opened.region = None
            raise


def _definition(context: Context, cloud: str) -> Mapping[str, Any]:
    file = _file(context.clouds)
    if cloud in file:
        found = file[cloud]
        context.vault.note(found)
    elif context.vault.provider is not None:
        found = context.vault.find(cloud)
    else:
        raise ActionFailed(
            f"there is no cloud {cloud!r}: neither `clouds` nor `secrets` of the settings has it"
        )
    if not isinstance(found, Mapping):
        raise ActionFailed(
            f"what stands under {cloud!r} is no cloud: {{token, endpoints}} or {{auth}} is needed"
        )
    return found


def _file(path: str) -> Mapping[str, Any]:
    if not path:
        return {}
    import yaml

    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        clouds = found["clouds"]
    except OSError as error:
        raise ActionFailed(f"{path}, the setting `clouds`, cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError):
        raise ActionFailed(f"{path}, the setting `clouds`, has no mapping `clouds`") from None
    return clouds if isinstance(clouds, Mapping) else {}


def _fixed(cloud: str, found: Mapping[str, Any], service: str) -> Access:
    endpoints = found.get("endpoints")
    url = None
    if isinstance(endpoints, Mapping):
        url = endpoints.get(service) or endpoints.get(ALIASES.get(service, service))
    if not isinstance(url, str) or not isinstance(found.get("token"), str):
        raise ActionFailed(f"the cloud {cloud!r} has no `token`, or no `endpoints.{service}`")
    return Access(url, found["token"])


def _region(cloud: str, found: Mapping[str, Any]) -> Any:
    config = load("openstack.config", "openstack")
    # It warns of what it will drop in years, to people who did not write the call.
    warnings.filterwarnings("ignore", module=r"openstack\.")
    try:
        # Neither files nor variables of this machine have a say: all of it is in `found`.
        loader = config.OpenStackConfig(load_yaml_config=False, load_envvars=False, app_name="faultline")
        given = {**found, "auth": dict(found.get("auth") or {})}
        given.setdefault("api_timeout", SECONDS)
        return loader.get_one(**given)
    except Exception as error:
        raise ActionFailed(f"the cloud {cloud!r} cannot be used: {type(error).__name__}: {error}") from None


def _ask(context: Context, region: Any, cloud: str, service: str) -> Access:
    exceptions = load("keystoneauth1.exceptions", "openstack")
    try:
        url = region.get_session_endpoint(service)
        token = region.get_session().get_token()
    except exceptions.ClientException as error:
        raise ActionFailed(f"the cloud {cloud!r}: {type(error).__name__}: {error}") from None
    if not url or not token:
        raise ActionFailed(f"the cloud {cloud!r} has no {service} service in its catalog")
    context.vault.note(token)
    return Access(url, token, renewable=True)
