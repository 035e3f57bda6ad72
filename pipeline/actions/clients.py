"""What actions open once and share: sessions, producers, threads for libraries that block."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

THREADS = 32

T = TypeVar("T")


@dataclass(slots=True)
class Clients:
    """Shared clients by name; each is opened at its first use and closed with the host."""

    opened: dict[Any, Any] = field(default_factory=dict)

    def get(self, name: Any, open_: Callable[[], T]) -> T:
        """The client ``name``; ``open_`` makes it where there is none yet."""
        if name not in self.opened:
            self.opened[name] = open_()
        found: T = self.opened[name]
        return found

    def forget(self, name: Any) -> None:
        """Has the client ``name`` made anew at the next use."""
        self.opened.pop(name, None)

    async def thread(self, function: Callable[..., T], *arguments: Any) -> T:
        """What ``function`` returns, run where it holds up no other action.

        A thread cannot be ended from outside: ``function`` must have a time limit of its own.
        """
        import asyncio
        from concurrent.futures import ThreadPoolExecutor

        # Daemons they are not: but what they run has its limit, and so has the wait at the end.
        threads = self.get("threads", lambda: ThreadPoolExecutor(THREADS, thread_name_prefix="action"))
        return await asyncio.get_running_loop().run_in_executor(threads, function, *arguments)

    async def close(self) -> None:
        """Closes all clients that can be closed."""
        opened, self.opened = self.opened, {}
        for name, client in opened.items():
            if name == "threads":
                client.shutdown(wait=False, cancel_futures=True)
            elif callable(getattr(client, "close", None)):
                closing = client.close()
                if inspect.isawaitable(closing):
                    await closing
