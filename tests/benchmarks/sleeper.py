"""An OpenAI-compatible server that only sleeps and answers: the other side of the benchmarks, in a process of its own.

    python -m tests.benchmarks.sleeper --delay 0.2 [--sigma 1] [--most 20]

Prints its port. One asyncio protocol without a framework, so that it is never what is measured. With `--sigma` the
delays are log-normal with that mean, drawn by the row number that ends the question, so that the ideal is known.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

ANSWER = (
    b'{"id":"1","object":"chat.completion","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant",'
    b'"content":"It is four, because two and two make four."}}],"usage":{"prompt_tokens":12,"completion_tokens":10}}'
)
REFUSAL = b'{"error":{"message":"too many at once"}}'
NUMBER = re.compile(rb"(\d+)\?")
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def delay_s(mean_s: float, sigma: float, number: int) -> float:
    """How long the answer to question `number` takes: the mean, or log-normal around it."""
    if not sigma:
        return mean_s
    return random.Random(number).lognormvariate(math.log(mean_s) - sigma**2 / 2, sigma)


class Sleeper(asyncio.Protocol):
    """One connection. `load` is the number of requests under way on all of them."""

    load = refused = 0
    mean_s = sigma = 0.0
    most = 10**9

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.read = transport, b""

    def data_received(self, data: bytes) -> None:
        self.read += data
        head = self.read.find(b"\r\n\r\n")
        if head < 0:
            return
        length = LENGTH.search(self.read, 0, head)
        if len(self.read) < head + 4 + int(length[1] if length else 0):
            return
        body, self.read = self.read[head + 4 :], b""
        self.asked(body)

    def asked(self, body: bytes) -> None:
        if Sleeper.load >= self.most:
            self.send(b"429 Too Many Requests", REFUSAL)
            return
        Sleeper.load += 1
        number = NUMBER.search(body)
        asyncio.get_running_loop().call_later(
            delay_s(self.mean_s, self.sigma, int(number[1] if number else 0)), self.done
        )

    def done(self) -> None:
        Sleeper.load -= 1
        self.send(b"200 OK", ANSWER)

    def send(self, status: bytes, body: bytes) -> None:
        head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
        if not self.transport.is_closing():
            self.transport.write(head + body)  # type: ignore[attr-defined]


@contextmanager
def sleeping(mean_s: float, *, sigma: float = 0.0, most: int | None = None) -> Iterator[str]:
    """Such a server in its own process; yields its base URL."""
    command = [sys.executable, "-m", "tests.benchmarks.sleeper", "--delay", str(mean_s), "--sigma", str(sigma)]
    command += ["--most", str(most)] if most else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        finally:
            server.kill()


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Sleeper, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, default=0.2, help="seconds, the mean")
    parser.add_argument("--sigma", type=float, default=0.0, help="of the log-normal; 0: always the mean")
    parser.add_argument("--most", type=int, default=10**9, help="requests at once; more are refused with 429")
    options = parser.parse_args()
    Sleeper.mean_s, Sleeper.sigma, Sleeper.most = options.delay, options.sigma, options.most
    asyncio.run(serve())


if __name__ == "__main__":
    main()
