"""Two executors that both think a partition theirs: only the one that came last may begin anything."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pipeline.actions.declaration import Context
from pipeline.errors import Fenced
from pipeline.executor import writer
from pipeline.executor.desk import Desk
from pipeline.executor.entry import Work
from pipeline.executor.intake import Received
from pipeline.executor.ledger import Terms
from pipeline.executor.listener import Listener

pytestmark = pytest.mark.broker


def made(bench: Any, name: str, threads: ThreadPoolExecutor) -> Desk:
    loop = asyncio.get_running_loop()
    desk = Desk(
        bootstrap=bench.bootstrap,
        name=name,
        slots=5,
        context=Context(allow=frozenset([bench.target.address])),
        writer=writer.writer(bench.bootstrap, name),
        terms=Terms(),
        threads=threads,
        failed=loop.create_future(),
    )
    desk.listener = Listener(bench.bootstrap, name, desk, loop)
    threading.Thread(target=desk.listener.run, daemon=True).start()
    return desk


def request(bench: Any, offset: int, id_: str) -> list[Received]:
    given = {"url": f"http://{bench.target.address}/quick/{id_}", "method": "POST"}
    work = Work(id=id_, root="r", execution="r", task="t", action="std.http", input=given)
    return [Received(0, offset, work)]


async def called(bench: Any, id_: str) -> None:
    # The server runs in another thread, which no event of this loop speaks of.
    while not bench.target.called[f"/quick/{id_}"]:  # noqa: ASYNC110
        await asyncio.sleep(0.02)


def test_the_former_owner_can_begin_nothing(bench: Any) -> None:
    async def body() -> None:
        with ThreadPoolExecutor() as threads:
            former, later = made(bench, "former", threads), made(bench, "later", threads)
            await former.assign({0: 0})
            former.receive(request(bench, 0, "d-alone"))
            await called(bench, "d-alone")
            await later.assign({0: 0})
            former.receive(request(bench, 1, "d-both"))
            with pytest.raises(Fenced, match="another worker"):
                await asyncio.wait_for(former.failed, 20)
            assert bench.calls("quick", ["d-both"]) == [0]
            later.receive(request(bench, 1, "d-both"))
            later.receive(request(bench, 0, "d-alone"))
            await called(bench, "d-both")
            await asyncio.sleep(0.5)
            for desk in (former, later):
                assert desk.listener is not None
                desk.listener.end()
                await desk.writer.settled()
                await desk.context.close()
            await later.revoke([0])

    asyncio.run(asyncio.wait_for(body(), 60))
    assert bench.calls("quick", ["d-alone", "d-both"]) == [1, 1]
