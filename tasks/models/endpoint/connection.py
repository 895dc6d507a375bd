"""One server's pooled connections, and one exchange over them: bytes out, a status, headers and bytes back.

Thin: about 200 µs of CPU a request on aiohttp.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from yarl import URL

from tasks.errors import PermanentError, RequestRefused
from tasks.models.endpoint.deadlines import Deadlines
from tasks.models.endpoint.faults import Busy, Fault, Server

JSON_TYPE = "application/json"
LONGEST_ANSWER = 64 * 1024 * 1024  # bytes, after decompression
LONGEST_ERROR = 64 * 1024  # bytes that are read of an error's body
CONNECT_S = 10.0
KEEP_ALIVE_S = 4.0  # shorter than uvicorn's 5, so that no request meets a connection that is being closed
IN_ONE_PIECE = 1024 * 1024  # bytes of a request above which aiohttp wants a stream
OURS = {"Content-Type": JSON_TYPE, "User-Agent": "stillroom"}


class Connection:
    """Opened when it is first used. `headers`: of every request; `most`: requests under way at once."""

    def __init__(self, server: Server, headers: Mapping[str, str], most: int, timeout_s: float) -> None:
        self._server, self._headers, self._most, self._timeout_s = server, headers, most, timeout_s
        self._deadlines = Deadlines(timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: URL, body: bytes) -> tuple[int, Any, bytes]:
        """Status, headers and body. Raises Busy without a connection, Fault where the exchange breaks off."""
        return await self.exchange("POST", url, body)

    async def exchange(self, method: str, url: URL, body: bytes, kind: str = JSON_TYPE) -> tuple[int, Any, bytes]:
        """The same with any method; `kind`: the content type of what is sent."""
        session = self._session or self._open_session()
        data = body if len(body) < IN_ONE_PIECE else io.BytesIO(body)
        own = None if kind == JSON_TYPE else {"Content-Type": kind}
        task = self._deadlines.begin()
        try:
            async with session.request(method, url, data=data, headers=own, allow_redirects=False) as response:
                if response.status == 200:
                    return 200, response.headers, await _body_of(response, LONGEST_ANSWER)
                return response.status, response.headers, await _body_of(response, LONGEST_ERROR)
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
            what = "the connection cannot be made secure"
            said = f"{self._server.url}: {self._said(error)}"
            raise PermanentError(what, said, "check the URL and its certificate") from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Busy(f"no connection ({self._said(getattr(error, 'os_error', error))})", connected=False) from error
        except asyncio.CancelledError as error:
            if not self._deadlines.passed(task):
                raise
            raise Fault("timeout", f"no answer in {self._timeout_s:g} s") from error
        except (aiohttp.ClientResponseError, aiohttp.ContentTypeError) as error:
            raise Fault("bad_answer", f"not HTTP ({self._said(error)})") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Fault("transport", f"the connection broke ({self._said(error)})") from error
        finally:
            self._deadlines.end(task)

    @asynccontextmanager
    async def stream(self, url: URL) -> AsyncIterator[tuple[int, Any, bytes, AsyncIterator[bytes]]]:
        """Status and headers of a file, an error's body, and the file's lines as they come. Raises Fault.

        It may take as long as it likes, as long as something comes.
        """
        session = self._session or self._open_session()
        patient = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=self._timeout_s)
        try:
            async with session.get(url, allow_redirects=False, timeout=patient) as response:
                is_there = response.status == 200
                error = b"" if is_there else await _body_of(response, LONGEST_ERROR)
                yield response.status, response.headers, error, _lines_of(response.content)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Fault("transport", f"the connection broke ({self._said(error)})") from error

    async def close(self) -> None:
        """Close the connections. Safe to call twice."""
        self._deadlines.close()
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open_session(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._most, keepalive_timeout=KEEP_ALIVE_S, ttl_dns_cache=60),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=OURS | dict(self._headers),
        )
        return self._session

    def _said(self, error: BaseException) -> str:
        return self._server.scrub(str(error)) or type(error).__name__


async def _lines_of(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """The lines of a body that are not blank. Raises Fault for one that is longer than any answer."""
    rest = b""
    async for piece in content.iter_any():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.strip():
                yield line
        if len(rest) > LONGEST_ANSWER:
            raise Fault("bad_answer", f"a line is longer than {LONGEST_ANSWER // 2**20} MB")
    if rest.strip():
        yield rest


async def _body_of(response: aiohttp.ClientResponse, most: int) -> bytes:
    """A body of at most so many bytes; of an error's the start. Raises RequestRefused for a longer answer."""
    content = response.content
    read = await content.readany()
    if content.at_eof():
        return read
    pieces, size = [read], len(read)
    while not content.at_eof():
        pieces.append(piece := await content.readany())
        size += len(piece)
        if size > most:
            response.close()
            if response.status == 200:
                raise RequestRefused("bad_answer", f"the answer is longer than {most // 2**20} MB")
            break
    return b"".join(pieces)[:most]
