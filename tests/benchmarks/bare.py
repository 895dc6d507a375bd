"""What aiohttp alone does with the same requests: the reference of the endpoint's benchmark.

    python -m tests.benchmarks.bare URL ROWS IN_FLIGHT

Run by itself it is a script as anybody writes it: `asyncio.run`, one session, as many workers as requests in flight.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

import aiohttp
import orjson


@dataclass(frozen=True)
class Bare:
    """Requests per second on the clock, and milliseconds of CPU for each."""

    per_s: float
    cpu_ms: float


def question(number: int) -> str:
    return f"What is {number}?"


async def bare(url: str, rows: int, in_flight: int) -> Bare:
    """Ask all questions, read all answers, keep nothing."""
    numbers = iter(range(rows))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight)) as session:

        async def worker() -> None:
            for number in numbers:
                body = {"model": "bench", "messages": [{"role": "user", "content": question(number)}]}
                async with session.post(f"{url}/chat/completions", data=orjson.dumps(body)) as response:
                    orjson.loads(await response.read())["choices"][0]["message"]["content"]

        cpu, started = time.thread_time(), time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(in_flight)))
        return Bare(rows / (time.perf_counter() - started), (time.thread_time() - cpu) / rows * 1000)


def script(url: str, rows: int, in_flight: int) -> Bare:
    """The same in a process of its own, with Python's own event loop."""
    command = [sys.executable, "-m", "tests.benchmarks.bare", url, str(rows), str(in_flight)]
    return Bare(**json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))


if __name__ == "__main__":
    where, count, at_once = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    asyncio.run(bare(where, at_once, at_once))  # imports and first connections
    print(json.dumps(asdict(asyncio.run(bare(where, count, at_once)))))
