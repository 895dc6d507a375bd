"""A scripted model for shards that run in other processes: it writes down each answer, and can end a worker, once."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from tasks.models.base import Request
from tests.flows.test_instruction_sft import rule
from tests.flows.test_preference_dpo import judged


async def answer(request: Request) -> str:
    """Plays the roles of the instruction pipeline."""
    return await _answered(request, rule(request))


async def together(request: Request) -> str:
    """The same, once as many processes as WORKERS_AT_ONCE are at it."""
    log = Path(os.environ["REQUEST_LOG"])
    log.with_suffix(f".{os.getpid()}").touch()
    while len(list(log.parent.glob(f"{log.stem}.[0-9]*"))) < int(os.environ.get("WORKERS_AT_ONCE", "1")):
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.05)
    return await answer(request)


async def judge(request: Request) -> str:
    """Plays the roles of the preference pipeline."""
    return await _answered(request, judged(request))


async def _answered(request: Request, text: str) -> str:
    assert request.messages is not None
    doomed = os.environ.get("LOSE_WORKER_AT")
    lost = Path(os.environ["REQUEST_LOG"]).with_suffix(".lost")
    if doomed is not None and doomed in request.messages[-1]["content"] and not lost.exists():
        await asyncio.sleep(0.2)  # what this worker had answered before is committed by now
        lost.write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)
    with Path(os.environ["REQUEST_LOG"]).open("a") as log:
        log.write(f"{os.getpid()} {request.seed}\n")
    return text
