"""``std.http``: what it sends and returns, what it refuses to reach, and what it keeps to itself."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from aiohttp import web

from pipeline.actions import http, registry
from pipeline.actions.declaration import Context
from pipeline.errors import ActionFailed, InvalidInput

SECRET = "s3cr3t-t0ken"


async def call(port: int, path: str = "/", allow: bool = True, **given: Any) -> Any:
    context = Context(allow=frozenset([f"127.0.0.1:{port}"] if allow else []))
    try:
        given.setdefault("url", f"http://127.0.0.1:{port}{path}")
        return await registry.find("std.http").run(context, given)
    finally:
        await context.close()


async def tell(request: web.Request) -> web.Response:
    return web.json_response(
        {
            "method": request.method,
            "query": dict(request.query),
            "body": await request.text(),
            "headers": {name.lower(): value for name, value in request.headers.items()},
        }
    )


def with_status(status: int, **headers: str) -> Any:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers, text="said")

    return answer


def test_a_request_carries_what_it_is_given(serve: Any, go: Any) -> None:
    async def body() -> Any:
        async with serve({"/a": tell}) as port:
            return await call(
                port, "/a", method="put", params={"x": [1, 2], "n": None}, json={"k": 1}, headers={"X-One": 1}
            )

    answer = go(body())
    assert answer["status"] == 200
    assert answer["headers"]["Content-Type"].startswith("application/json")
    content = answer["content"]
    assert (content["method"], content["query"]["x"], content["body"]) == ("PUT", "1", '{"k": 1}')
    assert content["headers"]["x-one"] == "1"
    assert "n" not in content["query"]


def test_what_is_not_json_is_text(serve: Any, go: Any) -> None:
    async def body() -> Any:
        async with serve({"/": with_status(200)}) as port:
            return await call(port)

    assert go(body())["content"] == "said"


@pytest.mark.parametrize("status", [200, 204, 299, 304, 306])
def test_these_statuses_are_success(serve: Any, go: Any, status: int) -> None:
    async def body() -> Any:
        async with serve({"/": with_status(status)}) as port:
            return await call(port)

    assert go(body())["status"] == status


@pytest.mark.parametrize("status", [307, 400, 404, 500, 503])
def test_other_statuses_fail_with_the_answer_as_the_error(serve: Any, go: Any, status: int) -> None:
    async def body() -> Any:
        async with serve({"/": with_status(status)}) as port:
            return await call(port, allow_redirects=False)

    with pytest.raises(ActionFailed, match=f"status {status}") as caught:
        go(body())
    details = caught.value.details
    assert isinstance(details, dict)
    assert (details["status"], details["content"]) == (status, "said")


def test_this_machine_is_refused_unless_it_is_allowed(serve: Any, go: Any) -> None:
    asked = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(text="ok")

    async def body() -> None:
        async with serve({"/": handler}) as port:
            await call(port)
            for url in (
                f"http://127.0.0.1:{port}/",
                f"http://localhost:{port}/",
                f"http://[::ffff:7f00:1]:{port}/",
            ):
                with pytest.raises(ActionFailed, match="http_allow"):
                    await call(port, allow=False, url=url)
            # The address is allowed at one port only.
            with pytest.raises(ActionFailed, match="http_allow"):
                await call(port, url=f"http://127.0.0.1:{port + 1}/")

    go(body())
    assert asked == ["/"]


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.8.8.8", "0.0.0.0", "169.254.169.254", "localhost"),
        *("[::1]", "[::]", "[fe80::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]"),
        *("2130706433", "127.1", "0x7f.1", "0x7f000001"),
    ],
)
def test_every_spelling_of_a_near_address_is_refused(go: Any, host: str) -> None:
    with pytest.raises(ActionFailed, match=r"on this machine or its link|write it out"):
        go(call(1, allow=False, url=f"http://{host}:9/"))


def test_a_name_that_leads_to_this_machine_is_refused(go: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def addresses(*_: Any) -> Any:
        return [(2, "93.184.216.34"), (2, "127.0.0.1")]

    monkeypatch.setattr("pipeline.actions.egress.addresses", addresses)
    with pytest.raises(ActionFailed, match=r"inner.example:9 \(at 127.0.0.1\)"):
        go(call(1, allow=False, url="http://inner.example:9/"))


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_to_this_machine_is_refused(serve: Any, go: Any, method: str) -> None:
    reached = []

    async def inner(request: web.Request) -> web.Response:
        reached.append(request.path)
        return web.Response(text="secret")

    async def body() -> None:
        async with serve({"/": inner}) as target:

            async def away(_: web.Request) -> web.Response:
                return web.Response(status=302, headers={"Location": f"http://127.0.0.1:{target}/"})

            async with serve({"/": away}) as port:
                await call(port, method=method)

    with pytest.raises(ActionFailed, match="http_allow"):
        go(body())
    assert reached == []


def test_an_allowed_redirect_is_followed_as_browsers_do(serve: Any, go: Any) -> None:
    async def body() -> Any:
        async with serve({"/": with_status(303, Location="/b?x=1"), "/b": tell}) as port:
            return await call(port, method="POST", body="data", params={"q": "1"})

    content = go(body())["content"]
    assert (content["method"], content["query"], content["body"]) == ("GET", {"x": "1"}, "")


def test_credentials_do_not_follow_to_another_place(serve: Any, go: Any) -> None:
    async def body() -> Any:
        async with serve({"/": tell}) as target:
            to = with_status(307, Location=f"http://127.0.0.1:{target}/")
            async with serve({"/": to}) as port:
                context = Context(allow=frozenset([f"127.0.0.1:{target}", f"127.0.0.1:{port}"]))
                given = {
                    "url": f"http://127.0.0.1:{port}/",
                    "headers": {"Authorization": SECRET, "X-Other": "kept"},
                    "cookies": {"sid": SECRET},
                }
                answer = await registry.find("std.http").run(context, given)
                await context.close()
                return answer

    headers = go(body())["content"]["headers"]
    assert headers["x-other"] == "kept"
    assert "authorization" not in headers
    assert "cookie" not in headers


def test_redirects_have_an_end(serve: Any, go: Any) -> None:
    async def body() -> Any:
        async with serve({"/": with_status(302, Location="/")}) as port:
            return await call(port)

    with pytest.raises(ActionFailed, match="more than 10 redirects"):
        go(body())


def test_an_answer_that_is_too_large_is_refused(serve: Any, go: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_BODY", 1024 * 1024)

    async def large(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * (1024 * 1024 + 1))

    async def body() -> Any:
        async with serve({"/": large}) as port:
            return await call(port)

    with pytest.raises(ActionFailed, match="larger than 1 MiB"):
        go(body())


@pytest.mark.parametrize(("method", "doubt"), [("GET", False), ("POST", True)])
def test_a_slow_answer_ends_in_an_error_that_says_what_is_known(
    serve: Any, go: Any, method: str, doubt: bool
) -> None:
    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    async def body() -> Any:
        async with serve({"/": slow}) as port:
            return await call(port, method=method, timeout=0.2)

    with pytest.raises(ActionFailed, match=r"no answer within 0.2 s") as caught:
        go(body())
    assert ("outcome unknown" in str(caught.value)) is doubt


def test_secrets_appear_neither_in_results_nor_in_errors(serve: Any, go: Any) -> None:
    async def refuse(request: web.Request) -> web.Response:
        answer = await tell(request)
        answer.set_status(403)
        return answer

    async def body() -> list[Any]:
        said: list[Any] = []
        async with serve({"/ok": tell, "/no": refuse}) as port:
            for path in ("/ok", "/no"):
                for given in (
                    {"headers": {"X-Auth-Token": SECRET}},
                    {"headers": {"Authorization": f"Bearer {SECRET}"}},
                    {"cookies": {"sid": SECRET}},
                ):
                    try:
                        said.append(await call(port, path, **given))
                    except ActionFailed as error:
                        said += [str(error), error.details]
            said.append(await call(port, "/ok", auth=f"user:{SECRET}"))
            try:
                await call(port, allow=False, url=f"http://user:{SECRET}@127.0.0.1:{port}/?key={SECRET}")
            except ActionFailed as error:
                said.append(str(error))
        return said

    text = repr(go(body()))
    assert SECRET not in text
    assert base64.b64encode(f"user:{SECRET}".encode()).decode() not in text
    assert "***" in text


@pytest.mark.parametrize(
    "url", ["ftp://example.com/", "/relative", "http://", "", "http://example.com:99999/"]
)
def test_a_url_that_cannot_be_asked_is_named(go: Any, url: str) -> None:
    with pytest.raises(ActionFailed):
        go(call(1, url=url))


def test_wrong_input_is_named_before_anything_is_sent(go: Any) -> None:
    with pytest.raises(InvalidInput, match="`headers`"):
        go(call(1, headers="X"))
    with pytest.raises(InvalidInput, match=r"no input `verb`.*method"):
        go(call(1, verb="GET"))
    with pytest.raises(InvalidInput, match="needs the input `url`"):
        go(registry.find("std.http").run(Context(), {}))
