"""A scripted model for the command's tests: it takes its time, and writes down each request that it answers."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from tasks.models.base import Request


async def answer(request: Request) -> str:
    """Answer after 50 ms; the log has a line when a request arrives and one when its answer leaves."""
    return await _answer(request, 0.05)


async def think(request: Request) -> str:
    """The same after a second and a half."""
    return await _answer(request, 1.5)


async def _answer(request: Request, seconds: float) -> str:
    assert request.messages is not None
    question = request.messages[-1]["content"]
    with Path(os.environ["REQUEST_LOG"]).open("a") as log:
        log.write(f"asked {question}\n")
    await asyncio.sleep(seconds)
    with Path(os.environ["REQUEST_LOG"]).open("a") as log:
        log.write(f"answered {question}\n")
    return f"The answer to {question}"
