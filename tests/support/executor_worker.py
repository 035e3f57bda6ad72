"""An executor as a process of its own: ``python executor_worker.py OPTIONS``, a JSON object."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys

from pipeline.actions import secrets
from pipeline.actions.declaration import Context
from pipeline.actions.vault import Vault
from pipeline.executor.ledger import Terms
from pipeline.executor.masking import mask_logs
from pipeline.executor.role import Options, execute


async def main(given: dict[str, object]) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    source = str(given.get("secrets") or "")
    context = Context(
        allow=frozenset(given.get("allow", [])),  # type: ignore[call-overload]
        kafka=str(given["bootstrap"]),
        vault=Vault(secrets.provider(source) if source else None),
    )
    mask_logs(context.vault)
    options = Options(
        bootstrap=str(given["bootstrap"]),
        instance=str(given["instance"]),
        slots=int(str(given.get("slots", 50))),
        context=context,
        terms=Terms(**given.get("terms", {})),  # type: ignore[arg-type]
        stop_limit=10.0,
    )
    await execute(options, stop)


asyncio.run(main(json.loads(sys.argv[1])))
