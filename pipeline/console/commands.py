"""What operators ask of the running pipeline, as records of the topics that move it."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from ..errors import BrokerUnavailable, CheckpointFailed, InvalidCall, NotFound
from ..events import Output
from ..history.reading import Reading
from ..ids import identify
from ..kafka.outbox import KafkaOutbox
from ..kafka.partition import Batch
from ..times import rfc3339
from ..workflow.refusals import answer_id
from .status import Sight, Stages, settled

COMMANDS = "workflow.commands"
CONTROLS = "controls"
ALLOWED = (
    "START", "PAUSE", "RESUME", "CANCEL", "STOP", "RERUN", "SKIP", "COMPLETE", "APPROVE", "RELEASE", "DROP",
)  # fmt: skip
PATIENCE = 10.0
#: An execution that was started a moment ago reaches history a moment later.
APPEARS = 5.0
CARRIED_OUT: Stages = (("workflow", (COMMANDS,)), ("history", ("workflow.steps",)))
Root = Callable[[str], Awaitable[str]]


async def command(outbox: KafkaOutbox, root: Root, asked: dict[str, Any]) -> dict[str, Any]:
    """Sends one command and returns its record.

    Raises ``InvalidCall``, ``NotFound`` when there is no such execution, ``BrokerUnavailable``.
    """
    kind = asked.get("command")
    if kind not in ALLOWED:
        raise InvalidCall(f"command {kind!r} is none of {', '.join(ALLOWED)}")
    execution = asked.get("execution")
    if execution is not None and (not isinstance(execution, str) or not execution):
        raise InvalidCall("execution must be an execution's id")
    record = {name: value for name, value in asked.items() if name not in ("time", "root", "wait")}
    if kind == "START":
        if not isinstance(asked.get("workflow"), str):
            raise InvalidCall("START needs workflow, the name of one")
        if not isinstance(asked.get("input", {}), dict):
            raise InvalidCall("input must be an object")
        record["execution"] = execution or str(uuid.uuid4())
        record["root"] = record["execution"]
        # The same id twice starts one: the second record is the first.
        record["id"] = identify("operator", kind, record["execution"])
        record.setdefault("input", {})
    else:
        if execution is None:
            raise InvalidCall(f"{kind} needs execution, the id of one")
        record["root"] = asked.get("root") or await _patiently(root, execution)
        record.setdefault("id", str(uuid.uuid4()))
    record.setdefault("by", {"operator": "api"})
    record["time"] = rfc3339(time.time_ns() // 1000)
    await _send(outbox, Output(COMMANDS, record["root"], str(record["id"]), record["time"], record))
    return record


async def answer(sight: Sight, history: Reading, record: dict[str, Any], wait: float) -> dict[str, Any]:
    """What became of a command within ``wait`` seconds: ``refused`` is the reason for which nothing comes
    of it, null when it is carried out; ``settled`` is false when that could not be seen in time."""
    told = await settled(sight, wait, CARRIED_OUT)
    found = await asyncio.to_thread(
        history.rows,
        "SELECT state_info FROM faultline.steps WHERE id = {id:String} LIMIT 1",
        id=answer_id(str(record["id"])),
    )
    refused = str(found[0]["state_info"]) if found else None
    return {**record, "settled": told["settled"] or bool(found), "detail": told["detail"], "refused": refused}


async def effects(outbox: KafkaOutbox, asked: dict[str, Any]) -> dict[str, Any]:
    """Says whether executors may take work. Raises ``InvalidCall``, ``BrokerUnavailable``."""
    wanted = asked.get("effects")
    if wanted not in ("on", "off"):
        raise InvalidCall("effects is either on or off")
    now = rfc3339(time.time_ns() // 1000)
    record = {"effects": wanted, "time": now, "by": asked.get("by") or {"operator": "api"}}
    await _send(outbox, Output(CONTROLS, "effects", str(uuid.uuid4()), now, record))
    return record


async def _patiently(root: Root, execution: str) -> str:
    deadline = time.monotonic() + APPEARS
    while True:
        try:
            return await root(execution)
        except NotFound:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.2)


async def _send(outbox: KafkaOutbox, output: Output) -> None:
    batch = Batch()
    outbox.send([output], batch)
    try:
        await asyncio.wait_for(outbox.settled(batch), PATIENCE)
    except (TimeoutError, CheckpointFailed) as error:
        raise BrokerUnavailable(
            f"Kafka has not confirmed the record for {output.topic}; it may still arrive"
        ) from error
