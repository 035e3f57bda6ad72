"""What others report of the actions that they carry out, by the route that Mistral gives them for it.

``PUT /v2/action_executions/ID`` with ``{"state": "SUCCESS", "output": ...}``; the header
``Mistral-Callback-URL`` of ``std.mistral_http`` names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec

from ..errors import InvalidCall
from ..workflow.records import REPORTS

PATH = "/v2/action_executions/"


def command(action: str, holder: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """The COMPLETE that says of ``action``, which ``holder`` (``root``, ``execution``) runs, what was told.

    An output is JSON, as an object or as a text of it; of ``{"result": X}`` alone, X is the
    result. Raises ``InvalidCall``.
    """
    state = asked.get("state")
    if state not in REPORTS:
        raise InvalidCall(f"state {state!r} is none of {', '.join(REPORTS)}; send one of these")
    output = asked.get("output")
    if isinstance(output, str):
        # Mistral takes a text that is no JSON as the result that it is.
        with suppress(msgspec.DecodeError):
            output = msgspec.json.decode(output)
    if isinstance(output, dict) and output.keys() == {"result"}:
        output = output["result"]
    return {
        "command": "COMPLETE",
        "execution": holder["execution"],
        "root": holder["root"],
        "action": action,
        "state": state,
        "result": output,
        "by": {"operator": "callback"},
    }
