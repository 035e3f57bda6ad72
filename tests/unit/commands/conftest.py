"""An API that takes down what it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest


@pytest.fixture
def api() -> Callable[..., Any]:
    """``with api(STATUS) as (url, asked)``; ``asked`` fills with path, authorization and body."""

    @contextmanager
    def serve(status: int) -> Iterator[tuple[str, list[tuple[str, str, bytes]]]]:
        asked: list[tuple[str, str, bytes]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                asked.append((self.path, self.headers["Authorization"], body))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(b"{}")  # as the API does: always JSON

            def log_message(self, *_: Any) -> None:
                return

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    return serve
