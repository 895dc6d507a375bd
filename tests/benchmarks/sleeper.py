"""An OpenAI-compatible server that only sleeps and answers: the other side of the benchmarks, in a process of its own.

    python -m tests.benchmarks.sleeper --delay 0.2 [--sigma 1] [--most 20] [--ill 17]

Prints its port. One asyncio protocol without a framework, so that it is never what is measured. With `--sigma` the
delays are log-normal with that mean, drawn by the row number that ends the question, so that the ideal is known. Question
`--ill` is answered with HTTP 400 until somebody GETs /healed; any other GET tells, for each question, how often it was
asked and when it was answered last.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import re
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

ANSWER = (
    b'{"id":"1","object":"chat.completion","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant",'
    b'"content":"It is four, because two and two make four."}}],"usage":{"prompt_tokens":12,"completion_tokens":10}}'
)
REFUSAL = b'{"error":{"message":"too many at once"}}'
ILL = b'{"error":{"message":"this one is not answered today"}}'
NUMBER = re.compile(rb"(\d+)\?")
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def delay_s(mean_s: float, sigma: float, number: int) -> float:
    """How long the answer to question `number` takes: the mean, or log-normal around it."""
    if not sigma:
        return mean_s
    return random.Random(number).lognormvariate(math.log(mean_s) - sigma**2 / 2, sigma)


class Sleeper(asyncio.Protocol):
    """One connection. `load` is the number of requests under way on all of them."""

    load = 0
    mean_s = sigma = 0.0
    most, ill = 10**9, -1
    times_asked: ClassVar[Counter[int]] = Counter()
    answered_at: ClassVar[dict[int, float]] = {}

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
        line, body, self.read = self.read[: self.read.find(b"\r")], self.read[head + 4 :], b""
        if line.startswith(b"GET"):
            self.told(line)
        else:
            self.asked(body)

    def told(self, line: bytes) -> None:
        if b"/healed" in line:
            Sleeper.ill = -1
        now = time.monotonic()
        ages = {number: now - at for number, at in self.answered_at.items()}
        self.send(b"200 OK", json.dumps({"asked": self.times_asked, "answered_s_ago": ages}).encode())

    def asked(self, body: bytes) -> None:
        found = NUMBER.search(body)
        number = int(found[1] if found else 0)
        if Sleeper.load >= self.most:
            self.send(b"429 Too Many Requests", REFUSAL)
            return
        self.times_asked[number] += 1
        if number == self.ill:
            self.send(b"400 Bad Request", ILL)
            return
        Sleeper.load += 1
        asyncio.get_running_loop().call_later(delay_s(self.mean_s, self.sigma, number), self.done, number)

    def done(self, number: int) -> None:
        Sleeper.load -= 1
        if not self.transport.is_closing():
            self.answered_at[number] = time.monotonic()
            self.send(b"200 OK", ANSWER)

    def send(self, status: bytes, body: bytes) -> None:
        head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
        self.transport.write(head + body)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Seen:
    """What the server has seen: how often each question was asked, and how long ago it was answered."""

    times_asked: dict[int, int]
    answered_s_ago: dict[int, float]

    @property
    def requests(self) -> int:
        return sum(self.times_asked.values())

    def answered_within(self, seconds: float) -> int:
        """Questions that were answered so recently."""
        return sum(1 for age_s in self.answered_s_ago.values() if age_s <= seconds)


def seen(url: str, *, heal: bool = False) -> Seen:
    """Ask the server what it has seen."""
    with urllib.request.urlopen(f"{url}/{'healed' if heal else 'seen'}", timeout=10) as answer:
        found = json.load(answer)
    numbered = [{int(number): value for number, value in found[name].items()} for name in ("asked", "answered_s_ago")]
    return Seen(*numbered)


@contextmanager
def sleeping(mean_s: float, *, sigma: float = 0.0, most: int | None = None, ill: int = -1) -> Iterator[str]:
    """Such a server in its own process; yields its base URL."""
    command = [sys.executable, "-m", "tests.benchmarks.sleeper", "--delay", str(mean_s), "--sigma", str(sigma)]
    command += ["--ill", str(ill)] + (["--most", str(most)] if most else [])
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
    parser.add_argument("--ill", type=int, default=-1, help="the question that is refused until healed")
    options = parser.parse_args()
    Sleeper.mean_s, Sleeper.sigma = options.delay, options.sigma
    Sleeper.most, Sleeper.ill = options.most, options.ill
    asyncio.run(serve())


if __name__ == "__main__":
    main()
