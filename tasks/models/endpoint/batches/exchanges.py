"""Exchanges with a batch endpoint that are tried again until they succeed, or cannot."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import orjson
from yarl import URL

from tasks.errors import PermanentError, RequestRefused
from tasks.models.endpoint.connection import JSON_TYPE, Connection
from tasks.models.endpoint.faults import Busy, Fault, Patience, Server, ServerError

FIRST_CONTACT_S = 2.0  # a server that was never there is not waited for


class Exchanges:
    """Calls of one server below its base URL. `fault`: what an error means, in the words of HTTP."""

    def __init__(
        self,
        server: Server,
        connection: Connection,
        patience: Callable[[], Patience],
        fault: Callable[[int, Mapping[str, str], bytes], ServerError],
    ) -> None:
        self.server = server
        self._connection, self._patience, self._fault = connection, patience, fault
        self._answered = False

    async def call(
        self, method: str, path: str, body: bytes = b"", kind: str = JSON_TYPE, *, once: bool = False
    ) -> dict[str, Any]:
        """The JSON object that the server answers with.

        `once`: what may have been done although the exchange broke off is not done again, but raises Fault. Raises
        PermanentError where the server refuses the call or has not answered for long.
        """
        patience, began = self._patience(), time.monotonic()
        while True:
            try:
                return await self._once(method, self._url(path), body, kind)
            except (Busy, Fault) as trouble:
                if isinstance(trouble, Fault) and once:
                    raise
                delay_s = self._delay_s(patience, trouble, time.monotonic() - began)
            except RequestRefused as refusal:
                what = f"{self.server.model}@{self.server.url}: {refusal}"
                fix = "does the server have batches? take `batch` out of the model's config"
                raise PermanentError("the server refuses the call of a batch", what, fix) from None
            await asyncio.sleep(delay_s)

    async def lines(self, path: str) -> AsyncIterator[bytes]:
        """The lines of a file of the server's. Raises Fault where it breaks off, and what `call` raises."""
        async with self._connection.stream(self._url(path)) as (status, headers, content, lines):
            if status != 200:
                error = self._judged(status, headers, content)
                raise Fault("transport", str(error)) if isinstance(error, (Busy, RequestRefused)) else error
            async for line in lines:
                yield line

    def _url(self, path: str) -> URL:
        return URL(path if path.startswith("http") else f"{self.server.url}{path}")

    async def _once(self, method: str, url: URL, body: bytes, kind: str) -> dict[str, Any]:
        status, headers, content = await self._connection.exchange(method, url, body, kind)
        if status != 200:
            raise self._judged(status, headers, content)
        self._answered = True
        try:
            found = orjson.loads(content)
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            raise Fault("bad_answer", "the answer is no JSON object")
        return found

    def _judged(self, status: int, headers: Any, content: bytes) -> Exception:
        content = self.server.without_key(content)
        return self.server.judge(self._fault(status, headers, content), headers, answered=self._answered)

    def _delay_s(self, patience: Patience, trouble: Busy | Fault, gone_s: float) -> float:
        if isinstance(trouble, Busy) and not trouble.connected and not self._answered and gone_s > FIRST_CONTACT_S:
            fix = "check the URL, and that the server is running; the same command goes on"
            raise PermanentError("nobody answers there", f"{self.server.url}: {trouble}", fix)
        try:
            if isinstance(trouble, Fault):
                return patience.after_fault(trouble)
            return max(patience.after_refusal(trouble), trouble.wait_s or 0.0)
        except RequestRefused as refusal:
            fix = "what is submitted is kept: the same command goes on later"
            raise PermanentError("the server cannot be used", f"{self.server.url}: {refusal}", fix) from None
