"""Our endpoint client against a bare aiohttp loop, and our local engine against the server, on a real server.

    make bench-vllm                                      # installs vLLM apart, starts it, and runs both
    python -m tests.benchmarks.served --url http://127.0.0.1:8000/v1 --model smollm2 --weights FOLDER

Client: the same bodies to the same server, 48 at once, in turns; the medians are compared. Engine: 384 questions through
the whole command, 48 at once, on the folder of weights here (bfloat16) and on the server, which has to serve the same.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from tasks.engine.loop import run_in_loop
from tasks.models.base import Request, Sampling
from tasks.models.config import ModelConfig
from tasks.models.endpoint.endpoint import open_endpoint
from tasks.models.endpoint.learnt import Learnt
from tasks.models.endpoint.providers.openai import chat_body
from tests.benchmarks.lines import Line

ROOT = Path(__file__).parents[2]
REQUESTS, PROMPTS, IN_FLIGHT = 96, 384, 48
CLIENT_BAR, ENGINE_BAR = 1.03, 1.0
TOPICS = (
    "bread",
    "rivers",
    "tax forms",
    "chess",
    "knots",
    "solar panels",
    "letters",
    "bees",
    "maps",
    "first aid",
    "poems",
    "bicycles",
    "interviews",
    "soup",
    "statistics",
    "gardens",
)


@dataclass(frozen=True)
class Took:
    """Seconds on the clock; seconds of CPU, of the loop's thread or of the command."""

    wall_s: float
    cpu_s: float


def question(number: int) -> str:
    """One of many that are alike in length."""
    return f"Tell me fact number {1 + number // len(TOPICS)} about {TOPICS[number % len(TOPICS)]} in a sentence."


def requests() -> list[Request]:
    """What both clients ask."""
    sampling = Sampling(temperature=0, max_new_tokens=16)
    return [Request(sampling, n, ({"role": "user", "content": question(n)},), order=n) for n in range(REQUESTS)]


async def timed(ask: Callable[[Any], Coroutine[Any, Any, object]], items: Sequence[Any]) -> Took:
    """Ask all, so many at once."""
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await ask(item)

    cpu, started = time.thread_time(), time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    return Took(time.perf_counter() - started, time.thread_time() - cpu)


async def bare(url: str, model: str) -> Took:
    """What aiohttp alone takes: a body out, the text of an answer in."""
    bodies = [chat_body(model, request, Learnt()) for request in requests()]
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT), headers=headers) as session:

        async def ask(body: bytes) -> str:
            async with session.post(f"{url}/chat/completions", data=body) as response:
                return str(orjson.loads(await response.read())["choices"][0]["message"]["content"])

        return await timed(ask, bodies)


async def ours(url: str, model: str) -> Took:
    """What our client takes for the same."""
    endpoint = open_endpoint(ModelConfig(name=f"{model}@{url}", max_in_flight=IN_FLIGHT))
    try:
        return await timed(endpoint.complete, requests())
    finally:
        await endpoint.close()


def client(url: str, model: str, rounds: int) -> Line:
    """The two in turns, after a round of each that is not counted."""
    taken: dict[str, list[Took]] = {"bare": [], "ours": []}
    for counted in range(rounds + 1):
        for name, ask in (("bare", bare), ("ours", ours))[:: 1 if counted % 2 else -1]:
            took = run_in_loop(ask(url, model))
            if counted:
                taken[name].append(took)
    wall, cpu = (
        {name: statistics.median(getattr(took, what) for took in all_) for name, all_ in taken.items()}
        for what in ("wall_s", "cpu_s")
    )
    ratio = wall["ours"] / wall["bare"]
    figure = (
        f"{wall['ours']:.2f} s, {ratio:.3f} of the bare loop; CPU of the client {cpu['ours'] / REQUESTS * 1e3:.2f} ms a request, "
        f"bare {cpu['bare'] / REQUESTS * 1e3:.2f}"
    )
    what = f"client, {REQUESTS} requests, {IN_FLIGHT} at once, median of {rounds}"
    return Line(what, figure, f"{wall['bare']:.2f} s", f"{CLIENT_BAR} of a bare loop", ratio <= CLIENT_BAR)


def command(model: str, folder: Path, *options: str) -> Took:
    """The whole command on all questions, with a home of its own."""
    seeds = folder / "seeds.jsonl"
    seeds.write_text("".join(json.dumps({"instruction": question(n)}) + "\n" for n in range(PROMPTS)))
    arguments = [
        "sft",
        "--recipe",
        "respond",
        "--seeds",
        str(seeds),
        "--model",
        model,
        "--out",
        "out",
        "--allow-empty",
        "--set",
        f"model.max_in_flight={IN_FLIGHT}",
        "--set",
        "model.max_new_tokens=64",
        "--set",
        "max_reject_fraction=1",
        *options,
        "--json",
    ]
    own = {"STILLROOM_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)}
    before, started = os.times(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "flows.command.main", *arguments],
        cwd=folder,
        env=os.environ | own,
        capture_output=True,
        text=True,
    )
    after = os.times()
    assert done.returncode == 0, done.stderr[-1000:]
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["requests"] == PROMPTS, summary
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return Took(time.perf_counter() - started, cpu_s)


def engine(url: str, model: str, weights: Path, rounds: int) -> Line:
    """The command on the weights here and on the server, in turns."""
    here: list[Took] = []
    there: list[Took] = []
    for _ in range(rounds):
        for name, options, taken in (
            (str(weights), ("--set", "model.dtype=bfloat16", "--set", "model.device=cpu"), here),
            (f"{model}@{url}", (), there),
        ):
            with tempfile.TemporaryDirectory() as folder:
                taken.append(command(name, Path(folder), *options))
    local_s, server_s = (statistics.median(took.wall_s for took in taken) for taken in (here, there))
    figure = (
        f"{local_s:.0f} s here ({statistics.median(took.cpu_s for took in here):.0f} s of CPU), "
        f"{local_s / server_s:.2f} of the server's time"
    )
    what = f"engine, {PROMPTS} prompts, {IN_FLIGHT} at once, the whole command, median of {rounds}"
    return Line(what, figure, f"{server_s:.0f} s", f"{ENGINE_BAR} of it", local_s / server_s <= ENGINE_BAR)


def main() -> None:
    """Run what there is a server and weights for, and print a line each."""
    parser = argparse.ArgumentParser(description="our client and our engine against a real server")
    parser.add_argument("--url", help="a server that runs, ending in /v1")
    parser.add_argument("--model", default="smollm2", help="what it calls its model")
    parser.add_argument("--weights", type=Path, help="the model's folder, for the engine")
    parser.add_argument("--rounds", type=int, default=5, help="of the client")
    parser.add_argument("--engine-rounds", type=int, default=3, help="of the engine")
    options = parser.parse_args()
    if options.url is None:
        print("served: skipped, there is no server: give --url http://host:port/v1, or run `make bench-vllm`")
        return
    if options.rounds:
        print(f"served: {client(options.url, options.model, options.rounds)}", flush=True)
    if options.weights is None:
        print("served: the engine is skipped, there are no weights: give --weights FOLDER")
    elif options.engine_rounds:
        print(f"served: {engine(options.url, options.model, options.weights, options.engine_rounds)}", flush=True)


if __name__ == "__main__":
    main()
