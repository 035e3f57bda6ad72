from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pipeline.errors import InvalidRecord, RegistryUnavailable, SchemaRefused
from pipeline.kafka import registry


class Answers(ThreadingHTTPServer):
    """Answers every path with what ``answers`` holds for it, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, tuple[int, Any]] = {}
        self.asked: list[tuple[str, str, Any, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/api"


class Handler(BaseHTTPRequestHandler):
    server: Answers

    def do_GET(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size)) if size else None
        self.server.asked.append((self.command, self.path, body, self.headers.get("Authorization")))
        status, answer = self.server.answers.get(self.path, (404, {"error_code": 40403, "message": "none"}))
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET  # noqa: N815 (the server's own naming)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Answers]:
    with Answers() as answers:
        thread = threading.Thread(target=answers.serve_forever, args=(0.01,))
        thread.start()
        yield answers
        answers.shutdown()
        thread.join()


def test_a_schema_is_found_by_its_id(server: Answers) -> None:
    server.answers["/api/schemas/ids/7"] = (200, {"schema": '"string"'})
    assert registry.HttpRegistry(server.url).schema(7) == '"string"'


def test_a_schema_is_put_under_its_subject(server: Answers) -> None:
    server.answers["/api/subjects/alarms.deduced-value/versions"] = (200, {"id": 12})
    assert registry.HttpRegistry(server.url).register("alarms.deduced-value", '"string"') == 12
    assert server.asked[0][:3] == (
        "POST",
        "/api/subjects/alarms.deduced-value/versions",
        {"schema": '"string"'},
    )


def test_an_unknown_id_is_the_records_fault_and_not_asked_again_at_once(
    server: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = registry.HttpRegistry(server.url)
    for _ in range(3):
        with pytest.raises(InvalidRecord, match="none of that id"):
            shelf.schema(5)
    assert len(server.asked) == 1
    monkeypatch.setattr(registry, "FORGET_AFTER", 0.0)
    shelf = registry.HttpRegistry(server.url)
    with pytest.raises(InvalidRecord):
        shelf.schema(5)
    server.answers["/api/schemas/ids/5"] = (200, {"schema": '"string"'})
    assert shelf.schema(5) == '"string"'


def test_an_id_beyond_all_registries_is_not_asked_for(server: Answers) -> None:
    with pytest.raises(InvalidRecord):
        registry.HttpRegistry(server.url).schema(2**31)
    assert server.asked == []


@pytest.mark.parametrize(
    "answer",
    [
        (500, {"error_code": 50001, "message": "broken"}),
        (503, b"<html>come back later</html>"),
        (401, {"error_code": 40101, "message": "who are you"}),
        (404, b"<html>no such page: a proxy, or a wrong URL</html>"),
        (200, b"<html>please log in</html>"),
        (200, b"[]"),
    ],
)
def test_a_registry_that_gives_no_answer_is_not_the_records_fault(
    server: Answers, answer: tuple[int, Any]
) -> None:
    server.answers["/api/schemas/ids/7"] = answer
    with pytest.raises(RegistryUnavailable, match="does not answer"):
        registry.HttpRegistry(server.url).schema(7)


def test_a_registry_that_is_not_there_is_unavailable(server: Answers) -> None:
    url = server.url
    server.server_close()
    with pytest.raises(RegistryUnavailable):
        registry.HttpRegistry(url).schema(7)


def test_a_registry_that_is_away_is_not_asked_again_at_once(server: Answers) -> None:
    server.answers["/api/schemas/ids/7"] = (503, b"")
    shelf = registry.HttpRegistry(server.url)
    for _ in range(3):
        with pytest.raises(RegistryUnavailable, match="503"):
            shelf.schema(7)
    assert len(server.asked) == 1


def test_what_is_no_avro_is_the_records_fault(server: Answers) -> None:
    server.answers["/api/schemas/ids/7"] = (200, {"schema": "syntax", "schemaType": "PROTOBUF"})
    with pytest.raises(InvalidRecord, match="PROTOBUF; only Avro"):
        registry.HttpRegistry(server.url).schema(7)


def test_a_refused_schema_says_why(server: Answers) -> None:
    server.answers["/api/subjects/t-value/versions"] = (409, {"error_code": 409, "message": "incompatible"})
    with pytest.raises(SchemaRefused, match="incompatible"):
        registry.HttpRegistry(server.url).register("t-value", '"string"')


def test_user_and_password_of_the_url_are_sent_as_such(server: Answers) -> None:
    server.answers["/api/schemas/ids/7"] = (200, {"schema": '"string"'})
    url = server.url.replace("http://", "http://me:p%40ss@")
    registry.HttpRegistry(url).schema(7)
    assert server.asked[0][3] == "Basic bWU6cEBzcw=="
