"""A server that misbehaves on purpose, on loopback, in a thread of its own.

    with serving(status(429, headers={"Retry-After": "1"}), chat("hello")) as server:
        model = open_endpoint(ModelConfig(name=server.name))

Behaviours are taken in order, one a request; the last one goes on for ever.
"""

from __future__ import annotations

import asyncio
import gzip as zipping
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from aiohttp import web

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Counts what it is asked: `bodies`, `paths`, `headers`, and the most it was asked at once (`peak`)."""

    def __init__(self, behaviours: tuple[Behaviour, ...], port: int = 0) -> None:
        self.behaviours = list(behaviours)
        self.bodies: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.now = self.peak = 0
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            self.port = probe.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._runner: web.AppRunner | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def name(self) -> str:
        return f"a-model@{self.url}"

    def start(self) -> None:
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)

    def stop(self) -> None:
        """Die: cut all connections and listen no more."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{tail:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.now += 1
        self.peak = max(self.peak, self.now)
        try:
            body = await request.read()
            is_form = request.content_type == "multipart/form-data"
            self.bodies.append(orjson.loads(body) if body and not is_form else {})
            self.paths.append(request.path)
            self.headers.append({name.lower(): value for name, value in request.headers.items()})
            behaviour = self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]
            return await behaviour(request)
        finally:
            self.now -= 1


@contextmanager
def serving(*behaviours: Behaviour, port: int = 0) -> Iterator[Server]:
    """A server with these behaviours, started; on a free port, unless one is given."""
    server = Server(behaviours, port)
    server.start()
    try:
        yield server
    finally:
        server.close()


def answer(content: Any = "hello", finish: str | None = "stop", *, usage: Any = None, **message: Any) -> dict[str, Any]:
    """The JSON of a chat completion."""
    usage = {"prompt_tokens": 7, "completion_tokens": 3} if usage is None else usage
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content, **message}}
    return {"object": "chat.completion", "choices": [choice], "usage": usage}


def chat(
    content: Any = "hello",
    finish: str | None = "stop",
    *,
    delay_s: float = 0.0,
    headers: dict[str, str] | None = None,
    **message: Any,
) -> Behaviour:
    """Answer as it should be."""
    return body(orjson.dumps(answer(content, finish, **message)), delay_s=delay_s, headers=headers)


def cutting(context: int, text: str = "hello") -> Behaviour:
    """Answer as if all had been read, of a prompt of which only so many tokens were (a token a word)."""

    async def behave(request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        words = sum(len(message["content"].split()) for message in asked["messages"])
        usage = {"prompt_tokens": min(context, words + 8), "completion_tokens": 3}
        return web.json_response(answer(text, usage=usage))

    return behave


def body(
    content: bytes,
    kind: str = "application/json",
    code: int = 200,
    *,
    gzip: bool = False,
    delay_s: float = 0.0,
    headers: dict[str, str] | None = None,
) -> Behaviour:
    """Answer with these bytes."""

    async def behave(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(delay_s)
        sent = dict(headers or {}) | {"Content-Type": kind}
        if gzip:
            return web.Response(
                status=code, body=zipping.compress(content), headers=sent | {"Content-Encoding": "gzip"}
            )
        return web.Response(status=code, body=content, headers=sent)

    return behave


def status(http: int, message: str = "no", *, headers: dict[str, str] | None = None, **error: Any) -> Behaviour:
    """Answer with an HTTP error and OpenAI's error object."""
    return body(orjson.dumps({"error": {"message": message, **error}}), code=http, headers=headers)


def page(code: int, html: str) -> Behaviour:
    """Answer with a page of HTML, as proxies do."""
    return body(html.encode(), "text/html", code)


async def never(request: web.Request) -> web.StreamResponse:
    """Answer never."""
    await asyncio.sleep(3600)
    raise AssertionError


async def reset(request: web.Request) -> web.StreamResponse:
    """Cut the connection in the middle of the body."""
    response = await _begun(request)
    await response.write(b'{"choices": [')
    assert request.transport is not None
    request.transport.abort()
    return response


async def garbage(request: web.Request) -> web.StreamResponse:
    """Answer in no protocol."""
    assert request.transport is not None
    request.transport.write(b"220 mail.example.com ESMTP\r\n\r\n")  # type: ignore[attr-defined]
    request.transport.close()
    return web.Response()


async def loris(request: web.Request) -> web.StreamResponse:
    """Send the body, a byte now and then."""
    response = await _begun(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.05)


def huge(megabytes: int) -> Behaviour:
    """Send a body of so many megabytes."""

    async def behave(request: web.Request) -> web.StreamResponse:
        response = await _begun(request, chunked=True)
        for _ in range(megabytes):
            await response.write(b"x" * 2**20)
        return response

    return behave


async def _begun(request: web.Request, *, chunked: bool = False) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    if chunked:
        response.enable_chunked_encoding()
    else:
        response.content_length = 1000
    await response.prepare(request)
    return response


def taking(most: int, *, delay_s: float, refusal: int = 429, headers: dict[str, str] | None = None) -> Behaviour:
    """Answer so many requests at once, after a delay; refuse all others."""
    under_way = 0

    async def behave(request: web.Request) -> web.StreamResponse:
        nonlocal under_way
        if under_way >= most:
            return await status(refusal, "too many at once", headers=headers)(request)
        under_way += 1
        try:
            return await chat("hello", delay_s=delay_s)(request)
        finally:
            under_way -= 1

    return behave
